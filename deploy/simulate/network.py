"""Packets between nodes: late, lost and sent again, doubled, out of order; links that are cut and connections that end.

As on the streams of real nodes, what is lost is sent again until the connection is given up. Signed messages are handed
over as they arrive, doubles included: the protocol must not care. Engine bytes are put in order first, as TCP does. A
connection over which a packet does not get through for KEEPALIVE seconds ends, and both of its nodes hear of it.
"""

import asyncio
import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tacita.deploy.simulate.plan import Chance, Cut, Weather
from tacita.protocols.faults import MachineFault

KEEPALIVE = 20.0
"""Seconds without an answer after which a node gives a connection up: gRPC's ping and its timeout in the transport."""
FIRST_RETRY, LAST_RETRY = 0.25, 1.0
"""Seconds until a lost packet is sent again; every time twice as many, up to the last."""
COUNTED = ("delivered", "dropped", "duplicated", "reordered", "cut")


class Endpoint(Protocol):
    """What a node does with what arrives."""

    def on_message(self, sender: str, data: bytes) -> None:
        """One signed message."""
        ...

    def on_engine(self, sender: str, session: bytes, data: bytes) -> None:
        """Engine bytes, in order."""
        ...

    def on_loss(self, peer: str) -> None:
        """The connection to this peer ended."""
        ...


@dataclass
class _Packet:
    sender: str
    receiver: str
    connection: int
    number: int
    session: bytes | None
    """None for a signed message."""
    data: bytes = field(repr=False)
    begun: float
    place: int = 0
    """Position in the stream of its session."""
    arrived: bool = False


@dataclass
class _Stream:
    """Engine bytes of one session in one direction."""

    sent: int = 0
    taken: int = 0
    waiting: dict[int, bytes] = field(default_factory=dict)


class Network:
    """All links of one world. `log` takes (event, sender, receiver, bytes); `now` is the virtual time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        weather: Weather,
        cuts: Sequence[Cut],
        chance: Chance,
    ) -> None:
        self._loop, self._weather, self._cuts, self._chance = loop, weather, cuts, chance
        self._rounds = {"": 0.0}
        """When each round began."""
        self._ends: dict[str, Endpoint] = {}
        self._connections: Counter[frozenset[str]] = Counter()
        """How many connections of a pair have ended: a packet of an earlier one is gone."""
        self._sent: Counter[tuple[str, str]] = Counter()
        self._latest: defaultdict[tuple[str, str], int] = defaultdict(lambda: -1)
        self._streams: defaultdict[tuple[str, str, int, bytes], _Stream] = defaultdict(_Stream)
        self._history = hashlib.sha256()
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self.listener: Callable[[str, str, bytes], None] = lambda *_: None
        """Called with every signed message just before its receiver gets it."""

    def attach(self, name: str, end: Endpoint) -> None:
        """A node is there."""
        self._ends[name] = end

    @property
    def digest(self) -> str:
        """Of everything that happened so far, with its time."""
        return self._history.hexdigest()

    def record(self, event: str, sender: str, receiver: str, data: bytes = b"") -> None:
        """Add an event to the history."""
        head = f"{event}/{sender}/{receiver}/{len(data)}".encode()
        self._history.update(struct.pack(">dI", self._loop.time(), len(head)) + head + data)

    def begins(self, round_name: str) -> None:
        """Somebody says something in this round; only the first time counts."""
        self._rounds.setdefault(round_name, self._loop.time())

    # ---- sending ----------------------------------------------------------------------------------------------

    def send(self, sender: str, receiver: str, data: bytes, session: bytes | None = None) -> None:
        """A signed message or, with a session, engine bytes; raises MachineFault without a connection."""
        pair, now = frozenset((sender, receiver)), self._loop.time()
        if not self.connected(sender, receiver):
            raise MachineFault(f"there is no connection to {receiver}; check that it runs and is reachable")
        connection, direction = self._connections[pair], (sender, receiver)
        packet = _Packet(sender, receiver, connection, self._sent[direction], session, data, now)
        self._sent[direction] += 1
        if session is not None:
            stream = self._streams[sender, receiver, connection, session]
            packet.place, stream.sent = stream.sent, stream.sent + 1
        self.record("send", sender, receiver, data)
        self._transmit(packet, FIRST_RETRY)

    def connected(self, one: str, other: str) -> bool:
        """False from when their connection is given up until another one can be made."""
        return not (self._connections[frozenset((one, other))] and self._is_cut(one, other))

    def _is_cut(self, sender: str, receiver: str) -> bool:
        now = self._loop.time()
        begun = [cut for cut in self._cuts if cut.round in self._rounds]
        return any(cut.holds(now - self._rounds[cut.round], sender, receiver) for cut in begun)

    def _transmit(self, packet: _Packet, retry: float) -> None:
        if packet.arrived or self._is_gone(packet):
            return
        weather, chance = self._weather, self._chance
        if self._is_cut(packet.sender, packet.receiver):
            self._fails("cut", packet, retry)
        elif chance.happens(weather.loss):
            self._fails("dropped", packet, retry)
        else:
            for _ in range(2 if chance.happens(weather.duplication) else 1):
                seconds = weather.delay + chance.between(0, weather.jitter)
                self._loop.call_later(seconds, self._arrive, packet, retry)

    def _fails(self, why: str, packet: _Packet, retry: float) -> None:
        """Try again, or give the connection up."""
        self.counts[why] += 1
        self.record(why, packet.sender, packet.receiver)
        if self._loop.time() - packet.begun > KEEPALIVE:
            self._lose(packet.sender, packet.receiver)
        else:
            self._loop.call_later(retry, self._transmit, packet, min(2 * retry, LAST_RETRY))

    # ---- arriving ---------------------------------------------------------------------------------------------

    def _arrive(self, packet: _Packet, retry: float) -> None:
        sender, receiver = packet.sender, packet.receiver
        if self._is_gone(packet):
            return
        if self._is_cut(sender, receiver):
            if not packet.arrived:
                self._fails("cut", packet, retry)
            return
        if packet.arrived:
            self.counts["duplicated"] += 1
        else:
            self.counts["delivered"] += 1
            self.counts["reordered"] += packet.number < self._latest[sender, receiver]
            self._latest[sender, receiver] = max(packet.number, self._latest[sender, receiver])
        double, packet.arrived = packet.arrived, True
        self.record("again" if double else "receive", sender, receiver, packet.data)
        if packet.session is None:
            self.listener(sender, receiver, packet.data)
            self._ends[receiver].on_message(sender, packet.data)
        elif not double:
            stream = self._streams[sender, receiver, packet.connection, packet.session]
            stream.waiting[packet.place] = packet.data
            while stream.taken in stream.waiting:
                stream.taken += 1
                self._ends[receiver].on_engine(sender, packet.session, stream.waiting.pop(stream.taken - 1))

    def _is_gone(self, packet: _Packet) -> bool:
        return packet.connection != self._connections[frozenset((packet.sender, packet.receiver))]

    def _lose(self, sender: str, receiver: str) -> None:
        self._connections[frozenset((sender, receiver))] += 1
        self.record("loss", sender, receiver)
        self._ends[sender].on_loss(receiver)
        self._ends[receiver].on_loss(sender)
