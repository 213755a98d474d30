"""How the nodes of a ceremony meet: fresh nonces, equal parameters, the session id, and where each of them stands.

A ceremony keeps its session id over crashes; every new start is an epoch. What a node remembers of earlier epochs
decides what comes first: adopt a certificate that others hold, sign a key that all hold, resume a winner that all hold,
or audit the batch that was interrupted with full roots (R6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols import messages
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import GREET
from tacita.protocols.faults import (
    CallerMistake,
    InvalidEncodingFault,
    LocalFault,
    ParamMismatch,
    ProtocolFault,
    SuspectFault,
)
from tacita.protocols.keygen.beginning import Beginning
from tacita.protocols.keygen.epoch import Ceremony
from tacita.protocols.keygen.memory import Memory
from tacita.protocols.keygen.parameters import VERSION
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

MAX_ABORTS = 8
"""n aborts let a cheater choose among n+1 keys; after eight a human decides (R6)."""


def meeting(name: str, roster: Roster) -> bytes:
    """Where the nodes meet; only greetings are said there."""
    return digest("keygen-meeting", ("name", name), ("roster", roster.digest))


async def greet(channel: Channel, entropy: Entropy) -> bytes:
    """Exchange nonces; the label of the next channel, which no earlier message fits into."""
    greetings = await channel.broadcast(GREET, entropy.token(32))
    transcript = Transcript("keygen-gathering").absorb("meeting", channel.session)
    for name in sorted(greetings):
        if len(greetings[name]) != 32:
            raise InvalidEncodingFault(name, "its greeting is not a nonce of 32 bytes")
        transcript.absorb("node", name).absorb("nonce", greetings[name])
    return transcript.digest()


@dataclass(frozen=True)
class Status:
    """Where one node stands, as its hello says."""

    session: str = ""
    epochs: int = 0
    """Epochs begun."""
    batches: int = 0
    """Batches begun."""
    dealt: int = 0
    """One more than the last batch whose S1 is complete at this node."""
    audited: int = 0
    """The first batch whose audit is not complete at this node."""
    winner: str = ""
    winner_batch: int = 0
    key: str = ""
    """Identifier of the certified key whose signatures are still missing."""
    signed: str = ""
    certificate: str = ""

    @staticmethod
    def of(memory: Memory, key: str) -> "Status":
        """From this node's memory."""
        batches = memory.batches()
        dealt = max((b + 1 for b in range(batches) if memory.recall_said(b, "S1") or memory.is_audited(b)), default=0)
        audited = next((b for b in range(batches) if not memory.is_audited(b)), batches)
        winner, signed, certificate = memory.winner(), memory.signed(), memory.certificate()
        return Status(
            session=memory.session.hex(),
            epochs=memory.epochs(),
            batches=batches,
            dealt=dealt,
            audited=audited,
            winner=winner.public if winner else "",
            winner_batch=winner.batch if winner else 0,
            key=key,
            signed=signed.hex() if signed else "",
            certificate=certificate.hex() if certificate else "",
        )

    @staticmethod
    def read(node: str, tree: Any) -> "Status":
        """From a hello; raises InvalidEncodingFault."""
        fields = Status.__dataclass_fields__
        kinds = {name: type(getattr(Status(), name)) for name in fields}
        if not isinstance(tree, Mapping) or set(tree) != set(fields):
            raise InvalidEncodingFault(node, "its account of where it stands has missing or unknown entries")
        if any(type(tree[name]) is not kinds[name] for name in fields):
            raise InvalidEncodingFault(node, "its account of where it stands holds something of a wrong type")
        numbers = [tree[name] for name in fields if kinds[name] is int]
        if not all(0 <= n < 1 << 20 for n in numbers):
            raise InvalidEncodingFault(node, "its account of where it stands holds an impossible number")
        return Status(**tree)


@dataclass(frozen=True)
class Gathered:
    """What the nodes agreed on before the ceremony begins or goes on."""

    session: bytes
    fresh: bool
    statuses: Mapping[str, Status] = field(default_factory=dict)

    def largest(self, name: str) -> int:
        """The largest of a number over all nodes."""
        return max(int(getattr(status, name)) for status in self.statuses.values())

    def smallest(self, name: str) -> int:
        """The smallest of a number over all nodes."""
        return min(int(getattr(status, name)) for status in self.statuses.values())

    def common(self, name: str) -> str:
        """A text that all nodes hold equal, or nothing."""
        values = {str(getattr(status, name)) for status in self.statuses.values()}
        return values.pop() if len(values) == 1 else ""


async def gather(channel: Channel, ceremony: Ceremony, place: bytes, mine: Status) -> Gathered:
    """Compare versions, parameters and sessions; draw a session id if nobody has begun. Raises TacitaError."""
    parameters, store = ceremony.parameters, ceremony.store
    coin = ceremony.entropy.token(32)
    hello = {
        "version": VERSION,
        "parameters": parameters.digest.hex(),
        "roster": channel.roster.digest.hex(),
        "purpose": place.hex(),
        "coin": _commitment(channel, channel.me, coin).hex(),
        "status": {name: getattr(mine, name) for name in Status.__dataclass_fields__},
    }
    statuses, promised = {}, {}
    for name, payload in (await channel.broadcast("hello", canonical_json(hello))).items():
        tree = messages.canonical_tree(name, payload, set(hello))
        for what in ("version", "roster", "parameters", "purpose"):
            if tree[what] != hello[what]:
                raise ParamMismatch(name, f"its {what} differ from this node's; agree on one {what} and start again")
        promised[name] = messages.hex_bytes(name, tree["coin"], 32)
        statuses[name] = Status.read(name, tree["status"])
    sessions = {status.session for status in statuses.values()}
    if len(sessions) == 1 and sessions != {""}:
        _check_plausible(mine, statuses)
        return Gathered(bytes.fromhex(mine.session), False, statuses)
    started = tuple(name for name, status in statuses.items() if status.batches or status.key)
    if started:
        others = tuple(name for name in statuses if name not in started)
        raise SuspectFault(
            others or started, "some nodes have begun this ceremony and others do not know it; choose another name"
        )
    # Nobody has begun a batch: whatever was agreed before the crash is agreed anew.
    store.forget("keygen/session", place)
    coins = await channel.broadcast("coins", coin)
    for name, payload in coins.items():
        if _commitment(channel, name, payload) != promised[name]:
            raise ProtocolFault(name, "its part of the coin is not the one it committed to")
    begun = Beginning(ceremony.name, ceremony.purpose, parameters, channel.session, coins)
    session = begun.session(channel.roster)
    store.remember("keygen/beginning", session, canonical_json(begun.tree()))
    if store.remember("keygen/session", place, session) != session:
        raise LocalFault("this node's journal holds another session of this ceremony; do not run two at once")
    # Nobody begins before everybody knows the session after a crash.
    for name, payload in (await channel.broadcast("session", session)).items():
        if payload != session:
            raise ProtocolFault(name, "it computed another session id from the same coins")
    return Gathered(session, True, {name: Status(session=session.hex()) for name in statuses})


def _commitment(channel: Channel, name: str, coin: bytes) -> bytes:
    return digest("keygen-coin", ("channel", channel.session), ("node", name), ("coin", coin))


def _check_plausible(mine: Status, statuses: Mapping[str, Status]) -> None:
    """Honest nodes are at most one batch apart, because a step needs everybody; raises ProtocolFault."""
    if any(status.certificate for status in statuses.values()):
        return  # who is finished has forgotten where it stood; the certificate speaks for itself
    for name, status in statuses.items():
        near = all(abs(getattr(status, what) - getattr(mine, what)) <= 1 for what in ("batches", "dealt", "audited"))
        if not near or status.dealt > status.batches or status.audited > status.batches:
            raise ProtocolFault(name, "it says that it stands where no honest node can")
        if status.epochs > MAX_ABORTS + 1:
            raise CallerMistake("this ceremony was interrupted too often; find out why and start another one")
