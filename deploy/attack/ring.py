"""Nodes of a ceremony in one event loop, with links that a test may bend, crash or watch."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import SigningKey
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.faults import Absent
from tacita.protocols.keygen.ceremony import Ceremony, Made, generate_key
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.roster import Node, Roster

Result = Made | BaseException


class MemoryStore:
    """A KeyStore that remembers in memory what a journal would hold, and for tests what it was told to forget."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, bytes], bytes] = {}
        self.forgotten: dict[tuple[str, bytes], bytes] = {}

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        return self.facts.setdefault((kind, key), value)

    def recall(self, kind: str, key: bytes) -> bytes | None:
        return self.facts.get((kind, key))

    def forget(self, kind: str, key: bytes) -> None:
        value = self.facts.pop((kind, key), None)
        if value is not None:
            self.forgotten[kind, key] = value


@lru_cache(maxsize=16)
def toy(parties: int = 3, bits: int = 256, batch: int = 64) -> Parameters:
    """Small enough that a ceremony takes a second: L is larger than R1 allows, so such a key is INSECURE."""
    fixed = {3: 8 * 3 * 5 * 7, 5: 8 * 3 * 5 * 7, 7: 8 * 3 * 5 * 7}[parties | 1]
    made = Parameters.fitting(bits, parties, batch, fixed, bits // 4)
    return Parameters(bits, parties, made.threshold, batch, fixed, made.sieve, trial_limit=1 << 12, rounds=32)


@dataclass(frozen=True)
class Sent:
    """One message on its way."""

    envelope: Envelope
    receiver: str


Bend = Callable[[Envelope, str], "Envelope | None"]
"""(envelope, receiver) → what the liar signs instead; None for silence."""


@dataclass
class Ring:
    """m nodes, the stores they keep over crashes, and one that may lie."""

    parties: int = 3
    seed: str = "ring"
    parameters: Parameters | None = None
    deadline: float = 20.0
    liar: str = ""
    bend: Bend | None = None
    entropies: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = tuple(f"node{i + 1}" for i in range(self.parties))
        self.parameters = self.parameters or toy(self.parties)
        self.identities = {n: SigningKey(SeededEntropy(f"{self.seed}/id/{n}").token(32)) for n in self.names}
        nodes = [
            Node(n, f"memory:{i}", self.identities[n].public, bytes([i]) * 32, bytes([i]) * 48, bytes(96))
            for i, n in enumerate(self.names)
        ]
        self.roster = Roster(tuple(nodes))
        self.stores = {n: MemoryStore() for n in self.names}
        for n in self.names:
            self.entropies.setdefault(n, SeededEntropy(f"{self.seed}/entropy/{n}"))
        self.channels: dict[tuple[str, bytes], Channel] = {}
        self.early: dict[tuple[str, bytes], list[tuple[str, bytes]]] = {}
        self.sent: list[Sent] = []
        self.events: list[tuple[str, Any]] = []
        self.told: list[tuple[bytes, bytes]] = []
        """(honest bytes, bent bytes) of every message that was bent."""
        self.dead: set[str] = set()

    def ceremony(self, node: str, **changes: Any) -> Ceremony:
        settings: dict[str, Any] = {
            "name": "first",
            "node": node,
            "roster": self.roster,
            "parameters": self.parameters,
            "identity": self.identities[node],
            "entropy": self.entropies[node],
            "store": self.stores[node],
            "report": lambda event: self.events.append((node, event)),
        }
        return Ceremony(**{**settings, **changes})

    def kill(self, name: str) -> None:
        """The node is gone from one moment to the next; its peers lose the connection."""
        self.dead.add(name)
        for (owner, _), channel in list(self.channels.items()):
            if owner != name:
                channel.fail(Absent(name, "connection"))

    async def send(self, sender: str, receiver: str, data: bytes) -> None:
        if sender in self.dead or receiver in self.dead:
            return
        envelope = Envelope.decode(data[64:])
        if sender == self.liar and self.bend is not None:
            bent = self.bend(envelope, receiver)
            if bent is None:
                return
            if bent is not envelope:
                self.told.append((data, sign(bent, self.identities[sender])))
                envelope, data = bent, self.told[-1][1]
        self.sent.append(Sent(envelope, receiver))
        channel = self.channels.get((receiver, envelope.session))
        if channel is None:
            self.early.setdefault((receiver, envelope.session), []).append((sender, data))
        else:
            channel.deliver(sender, data)

    def opener(self, name: str) -> Callable[[bytes, bytes], Channel]:
        ring = self

        class Wire:
            async def send(self, receiver: str, data: bytes) -> None:
                await ring.send(name, receiver, data)

        def open_channel(label: bytes, root: bytes) -> Channel:
            channel = Channel(ring.roster, name, ring.identities[name], Wire(), label, ring.deadline, root)
            ring.channels[name, label] = channel
            channel.deliver_early(ring.early.pop((name, label), []))
            return channel

        return open_channel

    async def generate(self, names: Iterable[str] | None = None, **changes: Any) -> dict[str, Result]:
        """One epoch at all nodes, or at some."""
        self.channels.clear()
        self.early.clear()
        self.dead.clear()
        chosen = tuple(names or self.names)
        work = [generate_key(self.ceremony(n, **changes), self.opener(n)) for n in chosen]
        results = await asyncio.gather(*work, return_exceptions=True)
        return dict(zip(chosen, results, strict=True))

    def run(self, **changes: Any) -> dict[str, Result]:
        return asyncio.run(self.generate(**changes))

    def rounds(self) -> list[str]:
        """Names of rounds in the order in which they were first heard."""
        return list(dict.fromkeys(s.envelope.round for s in self.sent))
