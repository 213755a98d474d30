"""A29, A38–A44: who speaks, in whose name, when, and what is written down about it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio

from tacita.crypto import threshold
from tacita.crypto.commitment import RSA_2048
from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.errors import CryptoError
from tacita.crypto.signature import SigningKey
from tacita.deploy.attack.behaviour import Behaviour, first_bit, last_bit, to
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.instance import OTHER_LINES, TERMS, auction
from tacita.deploy.attack.intruder import ACCEPTED, Caller, dated, knock
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene, cluster
from tacita.deploy.attack.session import ended, judge_scene, play_session, secrets_of, spellings, varied
from tacita.node import server, services
from tacita.node.config import Tls
from tacita.node.identity import Pair, issue, make_authority
from tacita.node.transport import Transport
from tacita.proto import tacita_pb2_grpc
from tacita.protocols.envelope import EQUIVOCATION, Envelope, convicted, sign
from tacita.protocols.evidence import encode, to_file
from tacita.protocols.faults import Evidence, PeerRefused, ProtocolFault
from tacita.protocols.introduction import Introduction
from tacita.protocols.judge import judge

# ---- rounds ---------------------------------------------------------------------------------------------------------

AHEAD = 500


@case("A29", "messages of rounds that are over or far ahead", "I WrongRound",
      Defence("tacita.protocols.channel.Channel._holds", lambda honest: lambda *_: True, notices=lambda fits: not fits),
      accepts="I ProtocolFault", culprit="node3",
      variants={"500 rounds ahead": "", "again, changed": "I Equivocation", "again, the same": "P"})  # fmt: skip
def wrong_round(play: Play) -> Shown:
    def sending(scene: Scene) -> Behaviour:
        def rewrite(e: Envelope, receiver: str) -> Any:
            if e.round != "commit":
                return e
            mine, key = sign(e, scene.identities["node3"]), scene.identities["node3"]
            if play.variant == "500 rounds ahead":
                return [*(sign(replace(e, round=f"round {k}"), key) for k in range(AHEAD)), mine]
            return [mine, mine] if play.variant == "again, the same" else [mine, sign(changed(e), key)]

        return Behaviour(rewrite=rewrite)

    def held(scene: Scene) -> str:
        stored = [
            sum(name.startswith("round ") and place.done() for (name, _), place in channel._box.items())
            for channel in scene.nodes["node1"]._channels.values()
        ]
        return f"{max(stored)} messages of rounds that never come are kept" if max(stored) >= AHEAD else ""

    return play_session(play, sending, held)


def changed(envelope: Envelope) -> Envelope:
    """The same place, another payload."""
    return replace(envelope, payload=last_bit(envelope.payload))


# ---- TLS ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def authorities() -> tuple[Pair, Pair]:
    """The cluster's, and a stranger's."""
    return make_authority("cluster"), make_authority("cluster")


def caller(certified: str, claimed: str) -> Caller:
    """A client with this name in its certificate that introduces itself under the other one."""
    authority, identities = authorities()[0], cluster(3).identities
    signed = Introduction(certified, claimed).sign(identities.get(certified, SigningKey(bytes(32))))
    return Caller(authority.certificate, issue(authority, certified), signed)


class Door:
    """The product's peer service and transport of node2, without a session behind them."""

    def __init__(self) -> None:
        loaded: Any = SimpleNamespace(identity=SimpleNamespace(name="node2"), roster=cluster(3).roster)
        self.loaded, self.kept = loaded, list[Evidence]()
        self.messages: list[tuple[str, bytes]] = []
        self.reached: list[str] = []
        self.transport = Transport(loaded, self._message, self._engine, lambda peer: None)
        self.name = "node2"
        accepts = self.transport.accepts

        def asked(name: str) -> bool:
            self.reached.append(name)
            return accepts(name)

        self.transport.accepts = asked  # type: ignore[method-assign]

    def keep_introduction(self, fault: ProtocolFault) -> str:
        """What the node saves."""
        assert fault.evidence is not None
        self.kept.append(fault.evidence)
        return ""

    def _message(self, peer: str, data: bytes) -> None:
        self.messages.append((peer, data))

    async def _engine(self, peer: str, session: bytes, data: bytes) -> None:
        self.messages.append((peer, data))


@asynccontextmanager
async def opened(door: Door) -> AsyncIterator[str]:
    """The door on a port of the loopback interface."""
    authority, _ = authorities()
    tls = Tls(authority.certificate, issue(authority, "node2"), issue(authority, "operator.node2"))
    listening = grpc.aio.server(options=vars(server)["OPTIONS"], maximum_concurrent_rpcs=256)
    service: Any = services.PeerService(door)  # type: ignore[arg-type]
    tacita_pb2_grpc.add_PeerServicer_to_server(service, listening)
    port = listening.add_secure_port("127.0.0.1:0", services.credentials(tls))
    await listening.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await listening.stop(0)


def dial(caller: Caller, door: Door, work: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> Any:
    """Run `work` on a connection of this caller to the door."""

    async def go() -> Any:
        async with opened(door) as address, caller.channel(address, "node2") as channel:
            return await work(channel)

    return asyncio.run(go())


STRANGERS: dict[str, Callable[[], Pair | None]] = {
    "no certificate": lambda: None,
    "another authority": lambda: issue(authorities()[1], "node1"),
    "signed by itself": lambda: make_authority("node1"),
    "expired": lambda: dated(authorities()[0], "node1", -10, -1),
    "not yet valid": lambda: dated(authorities()[0], "node1", 1, 10),
}


def anybody(honest: Any) -> Any:
    """Old rule: the server shows a certificate and asks for none."""

    def one_sided(tls: Tls) -> Any:
        return grpc.ssl_server_credentials([(tls.own.key, tls.own.certificate)])

    return one_sided


@case("A38", "clients without a valid certificate", "R PeerRefused",
      Defence("tacita.node.services.credentials", anybody, prevents=True),
      variants=(*STRANGERS, "plain text"))  # fmt: skip
def strangers(play: Play) -> Shown:
    door = Door()
    asked: list[str] = []
    name = services.peer_name

    def noted(context: Any) -> str:
        asked.append(name(context))
        return asked[-1]

    play.patch.setattr(services, "peer_name", noted)

    async def work(channel: grpc.aio.Channel) -> str:
        return str(await knock(channel, caller("node1", "node1").metadata))

    if play.variant == "plain text":

        async def plain() -> str:
            async with opened(door) as address, grpc.aio.insecure_channel(address) as channel:
                return await work(channel)

        answer = asyncio.run(plain())
    else:
        pair = STRANGERS[play.variant]()
        answer = dial(replace(caller("node1", "node1"), pair=pair), door, work)
    verdict = "P" if answer == ACCEPTED else "R PeerRefused"
    return Shown(verdict, harm="a stranger without certificate is heard by the service" if asked else "")


def by_its_word(honest: Any) -> Any:
    """Old rule: a peer is who it says it is."""
    return lambda signed, certified, roster: Introduction.read(signed, roster).claimed


NAMES = {
    "node 3 says it is node 1": ("node3", "node1"),
    "node 1 says it is node 3": ("node1", "node3"),
    "signed with another key": ("node3", "node1"),
    "another node's introduction": ("node3", "node1"),
    "none": ("node1", ""),
    "the node itself": ("node2", "node2"),
    "its operator": ("operator.node2", "operator.node2"),
    "not in the roster": ("mallory", "mallory"),
}
"""Name in the certificate, name in the introduction."""
UNNAMED = "R PeerRefused"


@case("A39", "valid certificate, another name", "I ProtocolFault",
      Defence("tacita.node.services.introduced", by_its_word, prevents=True),
      variants=dict.fromkeys(NAMES, UNNAMED) | {"node 3 says it is node 1": "I ProtocolFault by node3",
                "node 1 says it is node 3": "I ProtocolFault by node1"})  # fmt: skip
def other_name(play: Play) -> Shown:
    """Who signs another name than its own is named; who signs nothing of its own is only refused."""
    certificate, claimed = NAMES[play.variant]
    door, who = Door(), caller(certificate, claimed)
    if play.variant == "signed with another key":
        who = replace(who, introduction=Introduction(certificate, claimed).sign(SigningKey(bytes(32))))
    elif play.variant == "another node's introduction":
        who = replace(who, introduction=caller(claimed, claimed).introduction)
    elif play.variant == "none":
        who = replace(who, introduction=None)

    async def work(channel: grpc.aio.Channel) -> str:
        return str(await knock(channel, who.metadata))

    answer = dial(who, door, work)
    harm = f"{certificate} speaks as {claimed}" if answer == ACCEPTED else ""
    if not door.kept:
        return Shown("P" if harm else UNNAMED, harm=harm)
    named = judge(to_file(door.kept[0], door.loaded.roster), door.loaded.roster)
    return Shown(f"I {named.fault}", named.culprit, harm=harm, evidence=door.kept, roster=door.loaded.roster)


# ---- replay and parameters ------------------------------------------------------------------------------------------


def same_label(honest: Any) -> Any:
    """Old rule: a session is known by its name."""
    return lambda label, greetings: bytes(31) + b"\1"


@case("A40", "replay, reflection, role confusion", "P",
      Defence("tacita.protocols.session.gathering", same_label, prevents=True),
      variants={"yesterday's word as evidence": "", "a private message for all": "I ProtocolFault by node3",
                "a broadcast for one": "I ProtocolFault by node3"})  # fmt: skip
def replayed(play: Play) -> Shown:
    if play.variant != "yesterday's word as evidence":
        round_name, receiver = {"a private message for all": ("keys", "*"), "a broadcast for one": ("commit", "")}[
            play.variant
        ]

        def rewrite(e: Envelope, whom: str) -> Envelope:
            return replace(e, receiver=receiver or whom) if e.round == round_name else e

        return play_session(play, Behaviour(rewrite=rewrite), lambda _: "")
    words = []
    for lines, seed in ((Scene.lines, "yesterday"), (OTHER_LINES, "today")):
        # node1, which collects, keeps to the protocol.
        scene = Scene(play.parties, f"{play.name}/{seed}", liar="node1", lines=lines)
        scene.run()
        words.append(next(data for _, sender, name, data in scene.taken if (sender, name) == ("node2", "commit")))
    try:
        named = convicted(Evidence(EQUIVOCATION, tuple(words)), scene.roster)
    except (CryptoError, PeerRefused):
        named = ""
    shown = judge_scene(scene, lambda _: f"false blame: {named} is convicted of equivocation" if named else "")
    shown.deviated = words[0] != words[1]
    return shown


def nothing_agreed(honest: Any) -> Any:
    """Old rule: nobody says under which terms it takes part."""
    return lambda setup: {}


@case("A41", "other parameters", "I ParamMismatch",
      Defence("tacita.protocols.reading._agreed", nothing_agreed, prevents=True), culprit="node3",
      variants=("another key", "another roster", "wider bounds"))  # fmt: skip
def other_parameters(play: Play) -> Shown:
    def differing(scene: Scene) -> Behaviour:
        if play.variant == "another key":
            return Behaviour(settings={"key": replace(scene.key, epoch=1)})
        if play.variant == "another roster":
            from tacita.protocols.roster import Roster

            nodes = scene.roster.nodes
            moved = [replace(n, address="memory:9") if n.name == "node3" else n for n in nodes]
            return Behaviour(settings={"roster": Roster(tuple(moved))})
        tree = {**TERMS["public"], "bounds": {"value": [0, 32], "slope": [0.5, 4], "quantity": [0, 8]}}
        return Behaviour(settings={"terms": auction(tree, scene.lines)[0]})

    def unnamed(scene: Scene) -> str:
        ends = [scene.endings[n] for n in scene.honest]
        named = {getattr(end, "culprit", "") for end in ends}
        if named == {"node3"} and not ended(scene):
            return "" if "commit" not in scene.rounds() else f"noticed only after bids were committed: {ends[0]}"
        return f"node3's terms are not what is named: {ends[0]}"[:160]

    return play_session(play, differing, unnamed, two_worlds=False, deviated=lambda: True)


# ---- blame ----------------------------------------------------------------------------------------------------------

MUTATIONS = 300


@case("A42", "framing an honest node", "P / I FalseComplaint",
      Defence("tacita.protocols.envelope.verify_signature"), accepts="P",
      variants={"made up": "", "mutated": "", "accusation with nothing behind it": "I FalseComplaint by node3",
                })  # fmt: skip
def framed(play: Play) -> Shown:
    if play.variant == "accusation with nothing behind it":

        def accuses(scene: Scene) -> Behaviour:
            def rewrite(e: Envelope, receiver: str) -> Any:
                if e.round != "commit":
                    return e
                said = scene.heard("node1", "hello")
                word = sign(Envelope(e.session, "hello", "node3", "*", 7, said), scene.identities["node3"])
                lie = replace(
                    e, round="abort", receiver="*", payload=encode(Evidence(EQUIVOCATION, (word, word)), scene.roster)
                )
                return [sign(lie, scene.identities["node3"])]

            return Behaviour(rewrite=rewrite)

        return play_session(play, accuses, lambda _: "")
    scene = Scene(play.parties, play.name)
    scene.run()
    said = next(data for _, sender, name, data in scene.taken if (sender, name) == ("node1", "freeze"))
    entropy, named = SeededEntropy(play.name), set[str]()
    for k in range(MUTATIONS):
        other = bytearray(said)
        if play.variant == "made up":
            envelope = Envelope.decode(said[64:])
            other = bytearray(sign(replace(envelope, payload=k.to_bytes(64, "big")), scene.identities["node3"]))
        else:
            other[random_below(entropy, len(other))] ^= 1 << random_below(entropy, 8)
        try:
            named.add(convicted(Evidence(EQUIVOCATION, (said, bytes(other))), scene.roster))
        except (CryptoError, PeerRefused):
            continue
    return Shown("P", harm=f"false blame: {', '.join(sorted(named))} convicted by words it never said" if named else "")


# ---- what is written down -------------------------------------------------------------------------------------------


def tells_all(honest: Any) -> Any:
    """Old rule: a share is printed like any other record."""
    return lambda self: f"KeyShare(index={self.index}, secret={self.secret})"


@case("A43", "secrets in logs and errors", "P",
      Defence("tacita.crypto.threshold.KeyShare.__repr__", tells_all, prevents=True))  # fmt: skip
def written_down(play: Play) -> Shown:
    """Everything that a careless log statement could print, of every node, with its errors, at level DEBUG."""
    lines: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, root = Keeps(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        scene = Scene(play.parties, play.name, behaviour=Behaviour(rewrite=to("open", first_bit)))
        scene.run()
        for node in scene.nodes.values():
            logging.getLogger("tacita.attack").debug("%r %r", node.party, node.party.share)
            logging.getLogger("tacita.attack").debug("%r %r", node.party.identity, node.party.multi)
            logging.getLogger("tacita.attack").debug("%r", scene.endings[node.name])
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = "\n".join(lines).encode()
    found = [label for label, number in secrets_of(scene) if any(x in text for _, x in spellings(number))]
    assert lines and varied(scene.shares[0].secret)
    return Shown("P", harm=f"secret read in the log: {found[0]}" if found else "")


PAIRS = 24


def quick_power(honest: Any) -> Any:
    """Old rule: the fastest power there is."""
    return lambda base, exponent, modulus: pow(int(base), int(exponent), int(modulus))


@case("A44", "timing of secret exponents", "P",
      Defence("tacita.crypto.threshold.secret_power", quick_power, prevents=True))  # fmt: skip
def timing(play: Play) -> Shown:
    """Partial decryptions with a sparse and a dense share, in turn: in how many pairs the dense one takes longer.

    Seconds of this process, compared with one another only: a slow machine changes nothing.
    """
    from time import process_time

    import gmpy2

    modulus = int(RSA_2048) ** 2
    sparse, dense = 1 << 2047, (1 << 2048) - 1
    longer = 0
    for k in range(PAIRS):
        seconds = []
        for exponent in (sparse, dense) if k % 2 else (dense, sparse):
            begun = process_time()
            vars(threshold)["secret_power"](gmpy2.mpz(3) ** 1000, exponent, modulus)
            seconds.append((exponent == dense, process_time() - begun))
        slow = max(seconds, key=lambda pair: pair[1])
        longer += slow[0]
    told = f"secret read: a dense exponent takes longer in {longer} of {PAIRS} pairs"
    return Shown("P", harm=told if longer >= PAIRS - 1 else "")
