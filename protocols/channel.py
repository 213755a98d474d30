"""Signed envelopes, rounds, and echo broadcast: what parties may say to one another, and proof of what they said.

An envelope is raw bytes (session, round, sender, receiver, sequence, payload) and the sender's Ed25519 signature
over exactly those bytes. A round takes one envelope from every node. `broadcast` adds an echo: every node tells the
digest of what it got from each sender; if two nodes got different signed bytes from one sender, both copies are
collected and convict it of equivocation. Every wait has a deadline; who misses it is named.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey, verify_signature
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.faults import (
    Absent,
    Equivocation,
    Evidence,
    PeerRefused,
    ProtocolFault,
    SessionAborted,
    SuspectFault,
)
from tacita.protocols.roster import Roster

EVERYONE = "*"
ABORT = "abort"
MAX_PAYLOAD = 48 << 20
DISPUTE_SECONDS = 5.0


T = TypeVar("T")


class Wire(Protocol):
    """Carries bytes to a named node; delivery is reliable and ordered while the connection lasts."""

    async def send(self, receiver: str, data: bytes) -> None:
        """Hand bytes to the transport."""
        ...


@dataclass(frozen=True)
class Envelope:
    """One signed message."""

    session: bytes
    round: str
    sender: str
    receiver: str
    sequence: int
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The bytes that are signed."""
        writer = Writer().fixed(self.session, 32).text(self.round).text(self.sender).text(self.receiver)
        return writer.unsigned(self.sequence, 8).blob(self.payload).to_bytes()

    @staticmethod
    def decode(body: bytes) -> "Envelope":
        """The inverse of encode; raises InvalidEncoding."""
        reader = Reader(body, "an envelope")
        session, name = reader.fixed(32), reader.text(64)
        sender, receiver = reader.text(64), reader.text(64)
        envelope = Envelope(session, name, sender, receiver, reader.unsigned(8), reader.blob(MAX_PAYLOAD))
        reader.finish()
        return envelope


def sign(envelope: Envelope, key: SigningKey) -> bytes:
    """signature ‖ body."""
    body = envelope.encode()
    return key.sign("envelope", body) + body


def open_signed(data: bytes, roster: Roster) -> tuple[Envelope, bytes]:
    """Check signature and sender; returns the envelope and the signed bytes. Raises CryptoError or PeerRefused."""
    if len(data) <= SIGNATURE_BYTES:
        raise InvalidEncoding("a message is too short to be signed")
    envelope = Envelope.decode(data[SIGNATURE_BYTES:])
    if envelope.sender not in roster.names:
        raise PeerRefused(f"a message claims to come from '{envelope.sender[:64]}', who is not in the roster")
    identity = roster.nodes[roster.index(envelope.sender)].identity
    verify_signature(identity, "envelope", data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])
    return envelope, data


class Channel:
    """One node's view of one session: sends, and waits for exactly one message per round and sender."""

    def __init__(
        self, roster: Roster, me: str, key: SigningKey, wire: Wire, session: bytes, deadline: float, root: bytes = b""
    ) -> None:
        self.roster, self.me, self.session, self.deadline = roster, me, session, deadline
        self._key, self._wire, self._sequence = key, wire, 0
        self._box: dict[tuple[str, str], asyncio.Future[tuple[Envelope, bytes]]] = {}
        self._failure: asyncio.Future[None] | None = None
        self._root = Transcript("rounds").absorb("session", session).absorb("earlier", root)

    @property
    def peers(self) -> list[str]:
        """Everybody but me, in roster order."""
        return [name for name in self.roster.names if name != self.me]

    @property
    def root(self) -> bytes:
        """Digest of everything broadcast so far: equal at all honest nodes."""
        return self._root.digest()

    # ---- incoming ---------------------------------------------------------------------------------------------

    def deliver(self, transport_peer: str, data: bytes) -> None:
        """Take one message from the transport. `transport_peer` is the name in the peer's certificate."""
        try:
            envelope, signed = open_signed(data, self.roster)
        except (CryptoError, PeerRefused) as error:
            self.fail(ProtocolFault(transport_peer, f"it sent a message that does not verify ({error})"))
            return
        if envelope.sender != transport_peer or envelope.session != self.session:
            self.fail(ProtocolFault(transport_peer, "it relayed a message of another sender or session"))
            return
        if envelope.receiver not in (self.me, EVERYONE):
            self.fail(ProtocolFault(transport_peer, "it sent a message that is addressed to somebody else"))
            return
        if envelope.round == ABORT:
            reason = "the reason stands in its log and on its own screen"
            self.fail(SessionAborted(f"{envelope.sender} ended the session; {reason}"))
            return
        place = self._place(envelope.round, envelope.sender)
        if not place.done():
            place.set_result((envelope, signed))
            return
        earlier = place.result()[1]
        if earlier != signed:
            evidence = Evidence("equivocation", (earlier, signed))
            self.fail(Equivocation(envelope.sender, f"two messages in round '{envelope.round}'", evidence))

    def fail(self, error: BaseException) -> None:
        """End every wait of this session with this error."""
        failure = self._failed()
        if not failure.done():
            failure.set_exception(error)

    def _failed(self) -> asyncio.Future[None]:
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
            self._failure.add_done_callback(lambda future: future.exception())
        return self._failure

    def _place(self, round_name: str, sender: str) -> asyncio.Future[tuple[Envelope, bytes]]:
        key = (round_name, sender)
        if key not in self._box:
            self._box[key] = asyncio.get_running_loop().create_future()
        return self._box[key]

    async def _receive(self, round_name: str, sender: str, deadline: float) -> tuple[Envelope, bytes]:
        place, failure = self._place(round_name, sender), self._failed()
        waiting: list[asyncio.Future[Any]] = [place, failure]
        await asyncio.wait(waiting, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if place.done():
            return place.result()
        if failure.done():
            failure.result()
        raise Absent(sender, round_name)

    async def guarded(self, work: "asyncio.Future[T]") -> T:
        """Wait for other work, but end at once if the session fails."""
        failure = self._failed()
        waiting: list[asyncio.Future[Any]] = [work, failure]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            failure.result()
        return work.result()

    # ---- outgoing ---------------------------------------------------------------------------------------------

    def _sign(self, round_name: str, receiver: str, payload: bytes) -> bytes:
        self._sequence += 1
        return sign(Envelope(self.session, round_name, self.me, receiver, self._sequence, payload), self._key)

    async def abort(self) -> None:
        """Tell the others that this session is over; carries no reason."""
        data = self._sign(ABORT, EVERYONE, b"")
        await asyncio.gather(*(self._wire.send(peer, data) for peer in self.peers), return_exceptions=True)

    async def exchange(self, round_name: str, payloads: Mapping[str, bytes]) -> dict[str, bytes]:
        """Send each peer its own payload, receive one from each; not echoed."""
        for peer in self.peers:
            await self._wire.send(peer, self._sign(round_name, peer, payloads[peer]))
        received = {peer: await self._receive(round_name, peer, self.deadline) for peer in self.peers}
        for peer, (envelope, _) in received.items():
            if envelope.receiver != self.me:
                raise ProtocolFault(peer, f"it broadcast in round '{round_name}', which is for one receiver")
        return {peer: envelope.payload for peer, (envelope, _) in received.items()}

    async def broadcast(self, round_name: str, payload: bytes) -> dict[str, bytes]:
        """Send the same payload to all and agree on everybody's: returns {node: payload}, mine included."""
        mine = self._sign(round_name, EVERYONE, payload)
        for peer in self.peers:
            await self._wire.send(peer, mine)
        signed = {self.me: mine}
        payloads = {self.me: payload}
        for peer in self.peers:
            envelope, data = await self._receive(round_name, peer, self.deadline)
            if envelope.receiver != EVERYONE:
                raise ProtocolFault(peer, f"it sent round '{round_name}' to one receiver, which is for all")
            signed[peer], payloads[peer] = data, envelope.payload
        await self._echo(round_name, signed)
        self._root.absorb("round", round_name)
        for name in self.roster.names:
            self._root.absorb(name, digest("payload", ("payload", payloads[name])))
        return {name: payloads[name] for name in self.roster.names}

    async def _echo(self, round_name: str, signed: Mapping[str, bytes]) -> None:
        names = self.roster.names
        vector = b"".join(digest("echo", ("signed", signed[name])) for name in names)
        echo = f"{round_name}/echo"
        data = self._sign(echo, EVERYONE, vector)
        for peer in self.peers:
            await self._wire.send(peer, data)
        echoes = {peer: (await self._receive(echo, peer, self.deadline))[0].payload for peer in self.peers}
        if all(other == vector for other in echoes.values()):
            return
        await self._dispute(round_name, signed, vector, echoes)

    async def _dispute(
        self, round_name: str, signed: Mapping[str, bytes], vector: bytes, echoes: Mapping[str, bytes]
    ) -> None:
        """Digests differ: exchange the signed copies in question and convict whoever signed two."""
        names = self.roster.names
        differing = [
            i
            for i in range(len(names))
            if any(e[32 * i : 32 * i + 32] != vector[32 * i : 32 * i + 32] for e in echoes.values())
        ]
        for peer in self.peers:
            for i in differing:
                name = f"{round_name}/dispute/{names[i]}"[:64]
                await self._wire.send(peer, self._sign(name, peer, signed[names[i]]))
        for i in differing:
            suspect = names[i]
            for peer in self.peers:
                try:
                    envelope, _ = await self._receive(f"{round_name}/dispute/{suspect}"[:64], peer, DISPUTE_SECONDS)
                    other, copy = open_signed(envelope.payload, self.roster)
                except (Absent, CryptoError, PeerRefused):
                    continue
                same_place = (other.session, other.round, other.sender) == (self.session, round_name, suspect)
                if same_place and copy != signed[suspect]:
                    evidence = Evidence("equivocation", (signed[suspect], copy))
                    raise Equivocation(suspect, f"two different messages in round '{round_name}'", evidence)
        suspects = tuple(p for p in self.peers if len(echoes[p]) != len(vector) or echoes[p] != vector)
        raise SuspectFault(suspects, f"the nodes did not see the same messages in round '{round_name}'; run again")
