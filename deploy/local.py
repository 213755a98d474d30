"""The local driver: a cluster of processes on this machine, and one session run on it."""

import asyncio
import contextlib
import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy, SystemEntropy
from tacita.deploy.cluster import admit, enrol, found
from tacita.deploy.manifest import Manifest
from tacita.node import files
from tacita.node.client import Finished, NodeFailure, Operator
from tacita.node.config import Folder
from tacita.proto import tacita_pb2
from tacita.protocols.faults import (
    CallerMistake,
    LocalFault,
    MachineFault,
    PeerFault,
    SuspectFault,
    TacitaError,
)
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.policies.columns import rows_of
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.roster import check_size
from tacita.protocols.terms import Terms, check_name

START_SECONDS = 60.0
Report = Callable[[str, tacita_pb2.Progress], None]


class BugInNode(Exception):
    """A node failed by a bug of ours; the message names its report."""

    has_report = True
    """The command line says the message and saves no report of its own."""


# ---- cluster ------------------------------------------------------------------------------------------------------


def open_cluster(folder: Path, nodes: int, bits: int = 2048, note: Callable[[str], None] = lambda _: None) -> Manifest:
    """The cluster in this folder, founded on first use; its nodes make their key among themselves."""
    check_size(nodes)
    if not (folder / "roster.json").exists():
        note(f"founding a cluster of {nodes} nodes in {folder}")
        prepare_cluster(folder, nodes, SystemEntropy())
    manifest = Manifest.read(folder)
    if len(manifest.nodes) == nodes and not all(Folder(node.folder).has_key() for node in manifest.nodes):
        note(f"the {nodes} nodes make a key of {bits} bits; nobody will ever know its factors")
        # A thread of its own, because the caller may be inside an event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(make_key(manifest, bits, lambda *_: None))).result()
    if len(manifest.nodes) != nodes:
        raise CallerMistake(
            f"the cluster in {folder} has {len(manifest.nodes)} nodes, not {nodes}; give --nodes "
            f"{len(manifest.nodes)} or another --cluster folder"
        )
    Folder(manifest.nodes[0].folder).certificate()  # a dealt key is refused here; every node checks its own
    return manifest


def prepare_cluster(folder: Path, nodes: int, entropy: Entropy) -> None:
    """Enrol `nodes` local nodes and found a cluster, still without a key."""
    files.private_folder(folder)
    enrolments = []
    for i, port in enumerate(free_ports(nodes), start=1):
        data = folder / "nodes" / f"node{i}"
        (data / "identity.json").unlink(missing_ok=True)
        enrolments.append(enrol(data, f"node{i}", f"127.0.0.1:{port}", entropy))
    admissions = found(enrolments)
    for name, admission in admissions.items():
        admit(folder / "nodes" / name, admission)
    # The roster appears last, so a half-made cluster is made again.
    files.write_json(folder / "roster.json", next(iter(admissions.values())).roster.tree())


CEREMONY = "founding"
LAST_WORD_SECONDS = 3.0


async def make_key(manifest: Manifest, bits: int, report: "Report") -> KeyCertificate:
    """The key ceremony of a local cluster; raises the most telling failure of any node."""
    return await with_keys(manifest, tacita_pb2.KeyRequest(name=CEREMONY, bits=bits), report)


async def refresh_key(manifest: Manifest, report: "Report") -> KeyCertificate:
    """New shares of a local cluster's key."""
    kind = tacita_pb2.KeyRequest.REFRESH
    return await with_keys(manifest, tacita_pb2.KeyRequest(kind=kind, name=CEREMONY), report)


async def with_keys(manifest: Manifest, request: tacita_pb2.KeyRequest, report: "Report") -> KeyCertificate:
    """All nodes of a cluster do the same with their key; raises the most telling failure."""
    async with LocalCluster(manifest) as cluster:
        return await keys_in(cluster, request, report)


async def keys_in(cluster: "LocalCluster", request: tacita_pb2.KeyRequest, report: "Report") -> KeyCertificate:
    """The same in a cluster that runs."""
    tasks = [asyncio.ensure_future(operator.make_key(request, report)) for operator in cluster.operators]
    pending = set(tasks)
    while pending and not any(isinstance(t.result(), NodeFailure) for t in tasks if t.done()):
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    if pending:
        # A node gave up or is gone; the others would wait for it for minutes. What they know is worth a moment.
        await asyncio.wait(pending, timeout=LAST_WORD_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    results = [task.result() for task in tasks if task.done() and not task.cancelled()]
    failures = [r for r in results if isinstance(r, NodeFailure)]
    if failures:
        raise most_telling(failures)
    outcomes = {r.outcome for r in results if isinstance(r, Finished)}
    if len(outcomes) != 1:
        names = tuple(node.name for node in cluster.manifest.nodes)
        raise SuspectFault(names, "the nodes report different keys; use none of them")
    return KeyCertificate.read(json.loads(outcomes.pop()))


def free_ports(count: int) -> list[int]:
    """Ports of this machine that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()


class LocalCluster:
    """Node processes of this machine; those that run already are used and left running."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.operators: list[Operator] = []

    async def __aenter__(self) -> "LocalCluster":
        try:
            self.operators = [Operator(Folder(node.folder)) for node in self.manifest.nodes]
            running = await asyncio.gather(*(operator.status(1.0) for operator in self.operators))
            for node, status in zip(self.manifest.nodes, running, strict=True):
                if status is None:
                    self._start(node.name, node.arguments(str(node.folder)), node.folder)
            await asyncio.gather(*(self._ready(operator) for operator in self.operators))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def _start(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        with (folder / "console.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tacita.cli", *arguments, "--stop-with-stdin"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "GRPC_VERBOSITY": "NONE"},
            )

    async def _ready(self, operator: Operator) -> None:
        """Wait for the node to answer; if its process ends first, say what it said."""
        waiting = asyncio.ensure_future(operator.wait_ready(START_SECONDS))
        process = self.processes.get(operator.name)
        while not waiting.done():
            await asyncio.wait([waiting], timeout=0.1)
            if process is not None and process.poll() is not None and not waiting.done():
                waiting.cancel()
                folder = next(node.folder for node in self.manifest.nodes if node.name == operator.name)
                said = (folder / "console.log").read_text(errors="replace")
                raise MachineFault(f"{operator.name} did not start: {said.strip()[-400:] or 'it said nothing'}")
        waiting.result()

    async def __aexit__(self, *_: object) -> None:
        for operator in self.operators:
            await operator.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        self.processes = {}


# ---- one session --------------------------------------------------------------------------------------------------


def session_name() -> str:
    """A name that no earlier session has."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{SystemEntropy().token(4).hex()}"


def assign(participants: Sequence[str], nodes: Sequence[str], assignment: str | None, owner: str) -> dict[str, str]:
    """{participant: node} from CSV text with the columns `owner`,node, or round-robin."""
    if assignment is None:
        return {participant: nodes[i % len(nodes)] for i, participant in enumerate(sorted(participants))}
    rows = list(rows_of(assignment.splitlines(), "nodes file"))
    if not rows or [c.strip() for c in rows[0]] != [owner, "node"]:
        raise CallerMistake(f"the nodes file's header must be {owner},node")
    placed: dict[str, str] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != 2 or row[0].strip() not in participants or row[1].strip() not in nodes:
            raise CallerMistake(
                f"nodes file line {line}: it must name a {owner} of the inputs and one of {', '.join(nodes)}"
            )
        if row[0].strip() in placed:
            raise CallerMistake(f"nodes file line {line}: {row[0].strip()} is placed twice")
        placed[row[0].strip()] = row[1].strip()
    missing = sorted(set(participants) - set(placed))
    if missing:
        raise CallerMistake(f"the nodes file places no node for {missing[0]}; add a line")
    return placed


def split_rows(text: str, owner: str, keep: set[str]) -> str:
    """The header and the rows whose column `owner` is in `keep`."""
    rows = list(csv.reader(text.splitlines()))
    column = [c.strip() for c in rows[0]].index(owner)
    result = io.StringIO()
    writer = csv.writer(result, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row for row in rows[1:] if row and row[column].strip() in keep)
    return result.getvalue()


def fill_inboxes(manifest: Manifest, terms: Terms, texts: Mapping[str, str], placed: Mapping[str, str]) -> None:
    """Split the input files ("inputs" → inputs.csv, …) into the nodes' folders: every node gets its own
    participants' rows and nothing else."""
    owner = POLICIES[terms.policy].owner
    for node in manifest.nodes:
        inbox = Folder(node.folder).inbox(terms.session.name)
        mine = {participant for participant, place in placed.items() if place == node.name}
        files.write_canonical(inbox / "terms.json", terms.tree)
        for name, text in texts.items():
            files.write(inbox / f"{name}.csv", split_rows(text, owner, mine).encode(), files.PRIVATE)


@dataclass(frozen=True)
class SessionResult:
    """What `tacita run` writes."""

    outcome: dict[str, Any]
    certificate: bytes
    private: Mapping[str, bytes]
    seconds: Mapping[str, float]


async def run_session(cluster: LocalCluster, session: str, report: Report) -> SessionResult:
    """Run the session in all inboxes; raises the most telling failure of any node."""
    begun: dict[tuple[str, str], float] = {}

    def note(node: str, progress: tacita_pb2.Progress) -> None:
        begun.setdefault((progress.stage, node), progress.seconds)
        report(node, progress)

    results = await asyncio.gather(*(operator.run(session, note) for operator in cluster.operators))
    failures = [r for r in results if isinstance(r, NodeFailure)]
    if failures:
        raise most_telling(failures)
    finished = [r for r in results if isinstance(r, Finished)]
    # Certificates of one ticket may show different nodes' decryptions; everything else must be equal.
    outcomes = [{k: v for k, v in json.loads(r.outcome).items() if k != "certificate"} for r in finished]
    if any(outcome != outcomes[0] for outcome in outcomes):
        names = tuple(operator.name for operator in cluster.operators)
        raise SuspectFault(names, "the nodes report different outcomes; trust none of them and run again")
    private = {}
    for node in cluster.manifest.nodes:
        for path in sorted((Folder(node.folder).session(session) / "private").glob("*.json")):
            private[path.stem] = path.read_bytes()
    return SessionResult(json.loads(finished[0].outcome), finished[0].certificate, private, durations(begun))


def durations(begun: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Seconds per stage; a stage begins when the last node begins it."""
    last: dict[str, float] = {}
    for (stage, _), seconds in begun.items():
        last[stage] = max(seconds, last.get(stage, 0.0))
    ordered = sorted(last.items(), key=lambda item: item[1])
    return {name: round(end - start, 3) for (name, start), (_, end) in zip(ordered, ordered[1:], strict=False)}


def most_telling(failures: Sequence[NodeFailure]) -> Exception:
    """Nodes that were only told to stop say less than the one that knows why."""
    rank = {"bug": 0, "SessionAborted": 9, "Gone": 1, "Absent": 3}
    failure = min(failures, key=lambda f: rank.get(f.kind, 2))
    if failure.kind == "bug" or failure.exit_code == 70:
        return BugInNode(failure.message)
    families: dict[int, type[TacitaError]] = {2: CallerMistake, 3: PeerFault, 4: MachineFault}
    return families.get(failure.exit_code, LocalFault)(failure.message)


def check_session_name(terms: Terms) -> None:
    """Sessions that nodes join on their own need complete terms."""
    if not terms.session.name:
        raise CallerMistake('the terms need a [session] name that all nodes use, for example name = "issue-7"')
    check_name(terms.session.name, "[session] name")
