"""Rounds and echo broadcast: what parties may say to one another, and proof of what they said.

A round takes one signed envelope (envelope.py) from every node. `broadcast` adds an echo: every node tells the
digest of what it got from each sender; if two nodes got different signed bytes from one sender, both copies are
collected and convict it of equivocation. Every wait has a deadline; who misses it is named.

The label of a channel is unique, because every node's fresh nonce is in it; so two different bodies for one place
convict. Only the first channel, where the nodes meet to exchange those nonces, has a label that recurs: there a
node that starts again says something new, and nothing said there convicts anybody.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from tacita.crypto.errors import CryptoError
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey
from tacita.crypto.transcript import Transcript
from tacita.protocols.envelope import (
    ABORT,
    EQUIVOCATION,
    EVERYONE,
    MAX_PAYLOAD,
    Envelope,
    absorb,
    convicted,
    echo_of,
    open_signed,
    sign,
)
from tacita.protocols.evidence import decode, encode
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

MAX_WAITING_MESSAGES = 64
MAX_WAITING_BYTES = 2 * MAX_PAYLOAD
"""Per sender, of rounds that this node has not reached: an honest node is ahead by one round and its echo."""
DISPUTE_SECONDS = 5.0
"""On top of the deadline: the other side of a dispute may only learn of it when its own wait has ended."""


T = TypeVar("T")


class Wire(Protocol):
    """Carries bytes to a named node; delivery is reliable and ordered while the connection lasts."""

    async def send(self, receiver: str, data: bytes) -> None:
        """Hand bytes to the transport."""
        ...


Signed = tuple[Envelope, bytes]


class Channel:
    """One node's view of one session: sends, and waits for exactly one message per round and sender."""

    def __init__(
        self, roster: Roster, me: str, key: SigningKey, wire: Wire, session: bytes, deadline: float, root: bytes = b""
    ) -> None:
        self.roster, self.me, self.session, self.deadline = roster, me, session, deadline
        self._key, self._wire, self._sequence = key, wire, 0
        self._early: list[tuple[str, bytes]] = []
        self._box: dict[tuple[str, str], asyncio.Future[Signed]] = {}
        self._said: dict[str, bytes] = {}
        self._done: list[str] = []
        self.judge: Callable[[Evidence], BaseException | None] | None = None
        """Turns evidence that comes with an abort into the fault it proves; not needed for equivocation here."""
        self.accuse: Callable[[bytes], BaseException | None] | None = None
        """Turns a signed abort whose evidence does not hold into the fault of its sender."""
        self._waiting: dict[str, dict[str, int]] = {}
        self._failure: asyncio.Future[None] | None = None
        self.waited: defaultdict[str, float] = defaultdict(float)
        """Seconds per peer that this node has waited for its messages, in this session."""
        self._root = Transcript("rounds").absorb("session", session).absorb("earlier", root)
        self._meeting = not root

    @property
    def peers(self) -> list[str]:
        """Everybody but me, in roster order."""
        return [name for name in self.roster.names if name != self.me]

    @property
    def root(self) -> bytes:
        """Digest of everything broadcast so far: equal at all honest nodes."""
        return self._root.digest()

    def signed(self, round_name: str, sender: str) -> bytes:
        """The signed bytes of a message that this node has received, or has broadcast itself; for evidence."""
        if sender == self.me:
            return self._said[round_name]
        return self._box[round_name, sender].result()[1]

    def record(self) -> list[bytes]:
        """Everybody's signed message and signed echo of every completed broadcast: what all nodes agree on."""
        rounds = [name for done in self._done for name in (done, f"{done}/echo")]
        return [self.signed(name, sender) for name in rounds for sender in self.roster.names]

    # ---- incoming ---------------------------------------------------------------------------------------------

    def deliver_early(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Take (peer, message) that came before this channel was there, as soon as its owner has set it up."""
        self._early.extend(messages)
        asyncio.get_running_loop().call_soon(self._take_early)

    def deliver(self, transport_peer: str, data: bytes) -> None:
        """Take one message from the transport. `transport_peer` is the name in the peer's certificate."""
        self._take_early()
        self._take(transport_peer, data)

    def _take_early(self) -> None:
        messages, self._early = self._early, []
        for peer, data in messages:
            self._take(peer, data)

    def _take(self, transport_peer: str, data: bytes) -> None:
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
            self._aborted(envelope, signed)
            return
        place = self._place(envelope.round, envelope.sender)
        if place.done() and self._meeting:
            place = self._box[envelope.round, envelope.sender] = asyncio.get_running_loop().create_future()
        if not place.done():
            if self._holds(envelope, signed):
                place.set_result((envelope, signed))
            return
        earlier, copy = place.result()
        if copy[SIGNATURE_BYTES:] == signed[SIGNATURE_BYTES:]:
            return  # the same message, perhaps signed twice
        if earlier.receiver == envelope.receiver:
            evidence = Evidence(EQUIVOCATION, (copy, signed))
            self.fail(Equivocation(envelope.sender, f"two messages in round '{envelope.round}'", evidence))
        else:
            why = f"two messages to different receivers in '{envelope.round}'"
            self.fail(ProtocolFault(envelope.sender, why, shown=(copy, signed)))

    def _aborted(self, envelope: Envelope, signed: bytes) -> None:
        """The sender gives up; with evidence in hand everybody ends with the same verdict."""
        sender = envelope.sender
        if self._meeting:
            # It came too early or too late and may come back: what it said before no longer counts.
            self._box = {k: place for k, place in self._box.items() if k[1] != sender or not place.done()}
            self._waiting.pop(sender, None)
            return
        fault: BaseException | None = None
        try:
            if envelope.payload and not self._failed().done():
                fault = self._proven(decode(envelope.payload, self.roster), signed)
        except (CryptoError, PeerRefused):
            fault = None
        reason = "the reason stands in its log and on its own screen"
        self.fail(fault or SessionAborted(f"{sender} ended the session; {reason}"))

    def _proven(self, evidence: Evidence, signed: bytes) -> BaseException | None:
        if evidence.check == EQUIVOCATION:
            with contextlib.suppress(CryptoError, PeerRefused):
                culprit, place = convicted(evidence, self.roster), open_signed(evidence.signed[0], self.roster)[0]
                if place.session == self.session:
                    return Equivocation(culprit, f"two different messages in round '{place.round}'", evidence)
        if self.judge is not None and (fault := self.judge(evidence)):
            return fault
        return self.accuse(signed) if self.accuse is not None else None

    def _holds(self, envelope: Envelope, signed: bytes) -> bool:
        """Count what waits to be read; a peer that would fill the memory ends the session and is not stored."""
        waiting = self._waiting.setdefault(envelope.sender, {})
        if len(waiting) >= MAX_WAITING_MESSAGES or sum(waiting.values()) + len(signed) > MAX_WAITING_BYTES:
            why = "it sends far ahead of the rounds of the session"
            self.fail(ProtocolFault(envelope.sender, why, shown=(signed,)))
            return False
        waiting[envelope.round] = len(signed)
        return True

    def follow(self, earlier: "Channel") -> None:
        """Fail when the channel before this one fails: a peer may still be there when it ends the session."""
        earlier._failed().add_done_callback(lambda future: self.fail(future.exception() or SessionAborted("ended")))

    def slowest(self) -> str:
        """The peer that this node has waited for twice as long as for any other, if there is one."""
        first, *others = sorted(self.peers, key=lambda peer: -self.waited[peer])
        return first if self.waited[first] > 2 * max(self.waited[other] for other in others) else ""

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

    def _place(self, round_name: str, sender: str) -> asyncio.Future[Signed]:
        key = (round_name, sender)
        if key not in self._box:
            self._box[key] = asyncio.get_running_loop().create_future()
        return self._box[key]

    async def _arrived(self, round_name: str, senders: Iterable[str], end: float) -> dict[str, Signed]:
        """What these senders said, once all have, or until the time `end` of the event loop or a failure."""
        loop, failure = asyncio.get_running_loop(), self._failed()
        while True:
            places = {sender: self._place(round_name, sender) for sender in senders}
            missing = [place for place in places.values() if not place.done()]
            if not missing or failure.done() or loop.time() >= end:
                break
            waiting: list[asyncio.Future[Any]] = [*missing, failure]
            begun = loop.time()
            await asyncio.wait(waiting, timeout=end - begun, return_when=asyncio.FIRST_COMPLETED)
            for sender, place in places.items():
                self.waited[sender] += loop.time() - begun if place in missing else 0.0
        for sender in senders:
            self._waiting.get(sender, {}).pop(round_name, None)
        return {sender: place.result() for sender, place in places.items() if place.done()}

    def _end(self, extra: float = 0.0) -> float:
        return asyncio.get_running_loop().time() + self.deadline + extra

    def _complete(self, round_name: str, arrived: Mapping[str, Signed]) -> None:
        """Raise unless every peer's message is there."""
        for peer in self.peers:
            if peer not in arrived:
                self.raise_failure()
                raise Absent(peer, round_name)

    def raise_failure(self, family: type[BaseException] = BaseException) -> None:
        """Raise what ended the session, if it is of this family."""
        failure = self._failed()
        if failure.done() and isinstance(failure.exception(), family):
            failure.result()

    async def _receive(self, round_name: str, longer: float = 0.0) -> dict[str, Signed]:
        """One message of every peer; raises Absent."""
        arrived = await self._arrived(round_name, self.peers, self._end(longer))
        self._complete(round_name, arrived)
        return arrived

    async def guarded(self, work: "asyncio.Future[T]") -> T:
        """Wait for other work, but end it at once if the session fails or is cancelled."""
        failure = self._failed()
        waiting: list[asyncio.Future[Any]] = [work, failure]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if unfinished := not work.done():
                work.cancel()
                await asyncio.wait([work])
        if unfinished:
            failure.result()
        return work.result()

    # ---- outgoing ---------------------------------------------------------------------------------------------

    def _sign(self, round_name: str, receiver: str, payload: bytes) -> bytes:
        self._sequence += 1
        return sign(Envelope(self.session, round_name, self.me, receiver, self._sequence, payload), self._key)

    async def abort(self, evidence: Evidence | None = None) -> None:
        """Tell the others that this session is over; carries no reason but evidence that anybody can check."""
        if evidence is not None and evidence.check == EQUIVOCATION:
            try:
                convicted(evidence, self.roster)
            except (CryptoError, PeerRefused):
                evidence = None  # an accusation that does not hold would convict this node
        payload = encode(evidence, self.roster) if evidence else b""
        await self.post(ABORT, payload if len(payload) <= MAX_PAYLOAD else b"")

    async def exchange(self, round_name: str, payloads: Mapping[str, bytes], longer: float = 0.0) -> dict[str, bytes]:
        """Send each peer its own payload, receive one from each; not echoed. Waits so many seconds `longer`."""
        for peer in self.peers:
            await self._wire.send(peer, self._sign(round_name, peer, payloads[peer]))
        received = await self._receive(round_name, longer)
        for peer, (envelope, signed) in received.items():
            if envelope.receiver != self.me:
                why = f"it broadcast in round '{round_name}', which is for one receiver"
                raise ProtocolFault(peer, why, shown=(signed,))
        return {peer: envelope.payload for peer, (envelope, _) in received.items()}

    async def broadcast(self, round_name: str, payload: bytes, longer: float = 0.0) -> dict[str, bytes]:
        """Send the same payload to all and agree on everybody's: returns {node: payload}, mine included.

        Waits so many seconds `longer` for the payloads.
        """
        mine = self._said[round_name] = self._sign(round_name, EVERYONE, payload)
        for peer in self.peers:
            await self._wire.send(peer, mine)
        signed = {self.me: mine}
        payloads = {self.me: payload}
        for peer, (envelope, data) in (await self._receive(round_name, longer)).items():
            if envelope.receiver != EVERYONE:
                why = f"it sent round '{round_name}' to one receiver, which is for all"
                raise ProtocolFault(peer, why, shown=(data,))
            signed[peer], payloads[peer] = data, envelope.payload
        await self._echo(round_name, signed)
        self._done.append(round_name)
        everybody = {name: payloads[name] for name in self.roster.names}
        absorb(self._root, round_name, everybody)
        return everybody

    async def post(self, round_name: str, payload: bytes) -> None:
        """Send to all who still listen."""
        data = self._sign(round_name, EVERYONE, payload)
        await asyncio.gather(*(self._wire.send(peer, data) for peer in self.peers), return_exceptions=True)

    async def heard(self, rounds: Iterable[str], seconds: float) -> AsyncIterator[tuple[str, str, bytes, float]]:
        """(round, peer, payload, seconds passed) of every peer's message in these rounds; only time ends it."""
        loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        end = begun + seconds
        missing = {self._place(name, peer): (name, peer) for name in rounds for peer in self.peers}
        while missing and loop.time() < end:
            await asyncio.wait(missing, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            passed = loop.time() - begun
            for place in [place for place in missing if place.done()]:
                yield *missing.pop(place), place.result()[0].payload, passed

    async def offer(self, round_name: str, payload: bytes) -> AsyncIterator[tuple[str, bytes | None]]:
        """Send to all who still listen, then yield (node, payload) in roster order, None for who stays silent.

        For messages that prove themselves: there is no echo, and nobody's silence, loss or abort ends the round.
        """
        await self.post(round_name, payload)
        loop, end = asyncio.get_running_loop(), self._end()
        for name in self.roster.names:
            if name == self.me:
                yield name, payload
                continue
            place = self._place(round_name, name)
            await asyncio.wait([place], timeout=max(0.0, end - loop.time()))
            yield name, place.result()[0].payload if place.done() else None

    async def _echo(self, round_name: str, signed: Mapping[str, bytes]) -> None:
        names = self.roster.names
        vector = echo_of(signed[name] for name in names)
        echo = f"{round_name}/echo"
        data = self._said[echo] = self._sign(echo, EVERYONE, vector)
        for peer in self.peers:
            await self._wire.send(peer, data)
        arrived = await self._arrived(echo, self.peers, self._end())
        echoes = {peer: envelope.payload for peer, (envelope, _) in arrived.items()}
        if any(other != vector for other in echoes.values()):
            await self._dispute(round_name, signed, vector, echoes)
        self._complete(echo, arrived)

    async def _dispute(
        self, round_name: str, signed: Mapping[str, bytes], vector: bytes, echoes: Mapping[str, bytes]
    ) -> None:
        """Digests differ: exchange the signed copies in question and convict whoever signed two."""
        names, parts = self.roster.names, {
            peer: [echo[i : i + 32] for i in range(0, len(vector), 32)]
            for peer, echo in [(self.me, vector), *echoes.items()]
            if len(echo) == len(vector)
        }  # fmt: skip
        saw = {i: [peer for peer in parts if parts[peer][i] != parts[self.me][i]] for i in range(len(names))}
        differing = [i for i in saw if saw[i]]
        # Either somebody says two things, or somebody says untruly what it heard.
        suspects = tuple(
            name
            for i, name in enumerate(names)
            if name != self.me and (i in differing or echoes.get(name, vector) != vector)
        )
        unknown = SuspectFault(suspects, f"the nodes did not see the same messages in round '{round_name}'; run again")
        if self._meeting:
            raise unknown
        rounds = {i: f"{round_name}/dispute/{i}" for i in differing}
        for peer in self.peers:
            for i in differing:
                await self._wire.send(peer, self._sign(rounds[i], peer, signed[names[i]]))
        end = self._end(DISPUTE_SECONDS)
        for i in differing:
            # Only who claims to have seen something else needs to show it.
            for envelope, _ in (await self._arrived(rounds[i], saw[i], end)).values():
                evidence = Evidence(EQUIVOCATION, (signed[names[i]], envelope.payload))
                try:
                    culprit = convicted(evidence, self.roster)
                    place = open_signed(envelope.payload, self.roster)[0]
                except (CryptoError, PeerRefused):
                    continue  # what this peer shows contradicts nothing
                if culprit == names[i] and (place.session, place.round) == (self.session, round_name):
                    raise Equivocation(culprit, f"two different messages in round '{round_name}'", evidence)
        self.raise_failure(ProtocolFault)
        raise unknown
