"""One node as the protocol sees it, and what it is given and gives back; everything outside is injected here."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import MultiSigningKey, SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.protocols.faults import Evidence, RefusedFrame
from tacita.protocols.mpc.demand import Opening as EngineOpening
from tacita.protocols.mpc.frames import EngineFrame
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.roster import Roster


@dataclass(frozen=True)
class Event:
    """Progress: a stage begins, or step k of K of it is done."""

    stage: str
    step: int = 0
    steps: int = 0
    note: str = ""
    """Why, if that is not plain: a sentence for the node's log."""


class Store(Protocol):
    """Durable facts of one node; `remember` is on disk before it returns."""

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        """Store value under (kind, key) unless something is there; return what is stored now."""
        ...

    def recall(self, kind: str, key: bytes) -> bytes | None:
        """What is stored, or None."""
        ...


@dataclass(frozen=True)
class Hosted:
    """A participant whose inputs this node holds."""

    name: str
    identity: SigningKey
    pattern: tuple[int, ...]
    inputs: Any = field(repr=False)


@dataclass(frozen=True)
class Job:
    """What the engine's process gets: this node's shares and keys of one session, nothing else."""

    session: bytes
    terms: Mapping[str, Any]
    patterns: Mapping[str, Sequence[int]]
    order: Sequence[str]
    nodes: Sequence[str]
    index: int
    """This node's place among them."""
    threshold: int
    keys: EngineKeys = field(repr=False)
    inputs: Mapping[str, Sequence[int]] = field(repr=False)
    masks: Mapping[str, Sequence[int]] = field(repr=False)

    @property
    def parties(self) -> int:
        """How many nodes compute."""
        return len(self.nodes)

    @property
    def peers(self) -> dict[int, str]:
        """The other nodes, by their places."""
        return {j: name for j, name in enumerate(self.nodes) if j != self.index}

    def frame(self, peer: int, data: bytes) -> EngineFrame:
        """What this node's engine writes to a peer's."""
        return EngineFrame(self.session, self.nodes[self.index], self.nodes[peer], data)

    def data(self, peer: int, signed: bytes) -> bytes:
        """What a peer's engine wrote, from a frame that the transport brought; raises RefusedFrame."""
        try:
            frame = EngineFrame.decode(signed)
        except InvalidEncoding:
            frame = EngineFrame(b"", "", "", b"")
        if frame != EngineFrame(self.session, self.nodes[peer], self.nodes[self.index], frame.data):
            raise RefusedFrame(f"{self.nodes[peer]} sent engine bytes that belong to no session of its engine", signed)
        return frame.data


@dataclass(frozen=True)
class Solved:
    """What the engine opened: b per output label, and the ledger of all openings."""

    opened: Mapping[str, Sequence[int]]
    ledger: Sequence[EngineOpening]


Solver = Callable[[Job, Callable[[int, int], None]], Awaitable[Solved]]
"""(job, report) → result; raises RefusedFrame, and what the engine raises."""


async def _at_once() -> None:
    """For links that need no connection."""


@dataclass(frozen=True)
class Party:
    """One node as the protocol sees it."""

    name: str
    roster: Roster
    key: ThresholdKey
    share: KeyShare = field(repr=False)
    identity: SigningKey = field(repr=False)
    multi: MultiSigningKey = field(repr=False)
    entropy: Entropy
    store: Store
    solver: Solver
    deadline: float = 60.0
    """Seconds that one round may take."""
    budget: float = 1800.0
    """Seconds that a whole session may take, however punctual everybody is in every round."""
    report: Callable[[Event], None] = lambda _: None
    connected: Callable[[], Awaitable[None]] = field(default=_at_once)
    """Waits until there is a connection to every peer; raises Absent after some time."""

    @property
    def index(self) -> int:
        """0-based position in the roster."""
        return self.roster.index(self.name)


@dataclass(frozen=True)
class Result:
    """What a node has at the end."""

    certificate: bytes = field(repr=False)
    outcome: Mapping[str, Any]
    private: Mapping[str, Mapping[str, Any]]
    """Private outcomes of hosted participants."""
    receipts: Mapping[str, Mapping[str, Any]]
    """Of hosted participants: the frozen set with all signatures."""
    ledger: Sequence[EngineOpening]
    faults: Sequence[str] = ()
    """What ended earlier attempts; and what went wrong after the ticket, when it could no longer change the result."""
    evidence: Sequence[Evidence] = field(default=(), repr=False)
    """What convicts these nodes."""
