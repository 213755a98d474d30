"""`tacita doctor`: one line per check of a node, or of every node of a local cluster."""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tacita.deploy.local import LocalCluster
from tacita.deploy.manifest import Manifest, NodeSpec
from tacita.node.client import Operator
from tacita.node.config import Folder
from tacita.node.health import FAILED, Check, Concern, check, examine
from tacita.proto import tacita_pb2
from tacita.protocols.faults import Absent, LocalFault, MachineFault, ParamMismatch, TacitaError
from tacita.protocols.session import VERSION

CLOCK_SECONDS = 30.0
"""Clocks may differ by so much before it is worth a word: terms have deadlines in minutes."""
LINK_SECONDS = 5.0
"""How long nodes that have just started may take to find each other."""
STATUS_SECONDS = 10.0


async def examine_node(folder: Path) -> list[Check]:
    """Checks of one node, which may run or not; raises CallerMistake if the folder is no node's."""
    name = Folder(folder).identity().name
    return [*_examine_folder(folder, name), *await _examine_running(folder, name)]


async def examine_cluster(manifest: Manifest) -> list[Check]:
    """Checks of every node of a local cluster; nodes that do not run are started meanwhile."""
    found: list[Check] = []
    async with contextlib.AsyncExitStack() as stack:
        for node in manifest.nodes:
            found += _examine_folder(node.folder, node.name)
        started = [_start(stack, manifest, node) for node in manifest.nodes]
        failures = {c.node: c for c in await asyncio.gather(*started) if c is not None}
        running = [n for n in manifest.nodes if n.name not in failures]
        answers = await asyncio.gather(*(_examine_running(n.folder, n.name) for n in running))
        found += [*failures.values(), *(line for lines in answers for line in lines)]
    found.append(check("cluster", "key", lambda: _same_key(manifest)))
    order = {name: i for i, name in enumerate([*(n.name for n in manifest.nodes), "cluster"])}
    return sorted(found, key=lambda line: order[line.node])


def exit_code(checks: Sequence[Check]) -> int:
    """0, or the family of the first failure; warnings stop nothing."""
    return next((line.exit_code for line in checks if line.state == FAILED), 0)


def _examine_folder(folder: Path, name: str) -> list[Check]:
    now = datetime.datetime.now(datetime.UTC)
    return list(examine(folder, name, now))


async def _start(stack: contextlib.AsyncExitStack, manifest: Manifest, node: NodeSpec) -> Check | None:
    """Start a node unless it runs; what went wrong, if something did."""
    try:
        await stack.enter_async_context(LocalCluster(Manifest(manifest.folder, (node,))))
    except TacitaError as error:
        return Check(node.name, "process", FAILED, str(error), error.exit_code)
    return None


async def _status(folder: Path) -> tacita_pb2.StatusReply:
    """What the running node says, its links given a moment to come up; raises MachineFault."""
    operator = Operator(Folder(folder))
    end = time.monotonic() + LINK_SECONDS
    try:
        while True:
            reply = await operator.status(STATUS_SECONDS, probe=True)
            if reply is None:
                raise MachineFault(operator.silence())
            if all(peer.answered for peer in reply.peers) or time.monotonic() > end:
                return reply
            await asyncio.sleep(0.2)
    finally:
        await operator.close()


async def _examine_running(folder: Path, name: str) -> list[Check]:
    try:
        reply = await _status(folder)
    except TacitaError as error:
        return [Check(name, "process", FAILED, str(error), error.exit_code)]
    return list(_lines(Folder(folder), name, reply))


def _lines(folder: Folder, name: str, reply: tacita_pb2.StatusReply) -> Iterator[Check]:
    yield check(name, "process", lambda: _process(folder, reply))
    for peer in reply.peers:
        yield check(name, f"link to {peer.name}", lambda peer=peer: _link(peer))  # type: ignore[misc]
    yield check(name, "clock", lambda: _clock(reply))
    for peer in reply.peers:
        if peer.answered:
            yield check(name, f"agreement with {peer.name}", lambda peer=peer: _alike(reply, peer))  # type: ignore[misc]


def _process(folder: Folder, reply: tacita_pb2.StatusReply) -> str:
    if reply.version != VERSION:
        raise LocalFault(f"the running node is {reply.version}, this program {VERSION}; start the node again")
    if _key_id(folder) not in (None, reply.key):
        raise LocalFault("the running node uses another key than its folder holds; start it again")
    return f"process {reply.process} answers, version {reply.version}"


def _key_id(folder: Folder) -> bytes | None:
    """Identifier of the key on disk; None if there is none, or a damaged one, which has a line of its own."""
    with contextlib.suppress(TacitaError):
        return folder.certificate().identifier if folder.has_key() else None
    return None


def _link(peer: tacita_pb2.PeerStatus) -> str:
    if not peer.connected:
        raise Absent(peer.name, "connection")
    if not peer.answered:
        raise MachineFault(f"{peer.name} is connected but does not answer; look at that machine's load and log")
    return f"{peer.address} answers over mutual TLS in {1000 * peer.round_trip:.1f} ms"


def _clock(reply: tacita_pb2.StatusReply) -> str:
    ahead = [peer.clock_ahead for peer in reply.peers if peer.answered]
    if not ahead:
        raise Concern("no peer answers, so there is nothing to compare this machine's clock with")
    # With this clock among them, one wrong clock of three is told so, and the right ones are not.
    behind = median([0.0, *ahead])
    if abs(behind) > CLOCK_SECONDS:
        where = "behind" if behind > 0 else "ahead of"
        raise Concern(
            f"this machine's clock is {abs(behind):.0f} s {where} the median of its peers; set it, for example by NTP"
        )
    return f"{abs(behind):.1f} s from the median of {len(ahead)} peers"


def _alike(reply: tacita_pb2.StatusReply, peer: tacita_pb2.PeerStatus) -> str:
    if peer.version != reply.version:
        raise ParamMismatch(peer.name, f"it runs version {peer.version}, this node {reply.version}; agree on one")
    if peer.key == reply.key:
        return f"same version and {'key, epoch ' + str(reply.epoch) if reply.key else 'no key yet'}"
    if not (peer.key and reply.key):
        raise ParamMismatch(peer.name, "one of the two nodes holds no key; run tacita node key join at every node")
    raise ParamMismatch(
        peer.name,
        f"it uses {peer.key.hex()[:16]} of epoch {peer.epoch}, this node {reply.key.hex()[:16]} of epoch "
        f"{reply.epoch}; run the refresh once more at every node, or restore the older node's key files",
    )


def _same_key(manifest: Manifest) -> str:
    """Key files of a local cluster; nodes without one have lines of their own."""
    identifiers = {node.name: _key_id(Folder(node.folder)) for node in manifest.nodes}
    held = {name: identifier for name, identifier in identifiers.items() if identifier is not None}
    if not held:
        raise Concern("no node holds a key that verifies")
    if len(set(held.values())) > 1:
        different = ", ".join(f"{name} {identifier.hex()[:16]}" for name, identifier in held.items())
        raise LocalFault(f"the nodes hold different keys or epochs ({different}); run tacita key refresh once more")
    return f"the same at {', '.join(held)}"
