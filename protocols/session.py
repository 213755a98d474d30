"""One session at one node, from agreed terms to a certificate: reads like the specification, stage by stage.

0  terms     greetings; hello: terms, roster, key, participants; commitments to coin, nonce and engine keys
                                                                                                 → auction id
1  commit    hash of every bid object, then the objects; proofs verified; all nodes sign the freeze digest
             coins and nonces opened                                                             → session id, order
2  share     engine keys agreed, envelopes opened, output masks posted with proofs and dealt;
             all dealt shares checked against the ciphertexts
3  solve     the engine runs the policy's program
   2 and 3 are an attempt (attempt.py); if it fails without a culprit, it is repeated on the same bids in the same
   order, as often as the terms say
4  release   output ciphertexts → ticket signed by all → partial decryptions with proofs
5  certify   the certificate
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tacita.crypto.encoding import Writer
from tacita.crypto.errors import CryptoError
from tacita.crypto.sealing import SealingKey
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.protocols import attempt, releasing, verify
from tacita.protocols.channel import Channel, Wire
from tacita.protocols.envelope import GREET
from tacita.protocols.faults import (
    Absent,
    CallerMistake,
    Evidence,
    LocalFault,
    ProtocolFault,
    SessionAborted,
    SuspectFault,
    TacitaError,
)
from tacita.protocols.judge import ACCUSATION, proven
from tacita.protocols.party import Event, Hosted, Party, Result, Solved
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.proving import Prover
from tacita.protocols.reading import VERSION, Reading, gathering, hello, meeting
from tacita.protocols.stages import certify, commit, freeze, share
from tacita.protocols.stages.certify import Certificate, NodePart
from tacita.protocols.stages.setup import Enrolled, Setup, check_participant
from tacita.protocols.terms import Terms, canonical_json

__all__ = ["VERSION", "make_channel", "meeting", "run_session"]


async def run_session(
    party: Party, terms: Terms, hosted: Sequence[Hosted], open_channel: Callable[[bytes, bytes], Channel]
) -> Result:
    """Run one session; `open_channel` makes a channel from a label and an earlier root. Raises TacitaError."""
    session = _Session(party, terms, hosted, open_channel)
    try:
        return await session._in_time(session.run())
    except BaseException as error:
        if isinstance(error, ProtocolFault):
            session.prover.complete(error)
        if not isinstance(error, TacitaError) or session.channel is not None:
            await session.abort(error)
        raise


def make_channel(party: Party, wire: Wire, label: bytes, root: bytes) -> Channel:
    """A channel of this party."""
    return Channel(party.roster, party.name, party.identity, wire, label, party.deadline, root)


class _Session:
    def __init__(
        self, party: Party, terms: Terms, hosted: Sequence[Hosted], open_channel: Callable[[bytes, bytes], Channel]
    ) -> None:
        self.party, self.terms, self.hosted, self.open_channel = party, terms, hosted, open_channel
        self.channel: Channel | None = None
        self.reading = Reading(terms, party.roster, party.key)
        self.prover = Prover(self.reading)
        self._keys_of: dict[str, SealingKey] = {}
        """By participant: what opens its envelope for this node, and nothing else."""
        self._contributions: list[share.Contributions] = []
        """For each attempt what this node adds to the engine's keys."""
        self._failed: list[TacitaError] = []
        """What ended the attempts before this one."""
        self._next = b""
        """Where the others would wait for this node if there were another attempt."""
        self._ended = False
        self._budget: asyncio.Timeout | None = None

    async def abort(self, error: BaseException) -> None:
        """Tell the peers, once; evidence goes along so that all end with the same verdict."""
        if self.channel is not None and not self._ended:
            self._ended = True
            channels = [self.channel, *([self.open_channel(self._next, b"ended")] if self._next else [])]
            evidence = error.evidence if isinstance(error, ProtocolFault) else None
            await asyncio.shield(asyncio.gather(*(channel.abort(evidence) for channel in channels)))

    async def _in_time(self, work: Awaitable[Result]) -> Result:
        """End a session that takes longer than its budget, though everybody met the deadline of every round."""
        try:
            async with asyncio.timeout(self.party.budget) as self._budget:
                return await work
        except TimeoutError:
            budget, slowest = f"{self.party.budget:.0f} seconds", self.channel.slowest() if self.channel else ""
            if slowest:
                raise Absent(slowest, f"all rounds together, {budget}") from None
            peers = tuple(name for name in self.party.roster.names if name != self.party.name)
            raise SuspectFault(peers, f"the session took more than {budget}; check which machine is slow") from None

    async def run(self) -> Result:
        """All stages."""
        party = self.party
        # 0. terms
        gathering = await self._meet()
        mine = await self._agree(gathering)
        # 1. commit, freeze, coins
        openings = await self._commit(gathering)
        receipts = await self._freeze(gathering, mine[:32])
        await self._coins(gathering, mine)
        # 2, 3. share and solve; from here on messages carry the session id, which no earlier session can have had
        channel, solved = await self._attempts(gathering)
        # 4. release. This node signs the ticket before anything else can happen, and never joins another attempt.
        reading, setup, evident = self.reading, self.reading.setup, self.prover.evidence
        # Evidence that comes with an abort is not looked at any more: it could take longer than a deadline.
        for each in self.prover.channels:
            each.judge = each.accuse = None
        if self._budget is not None:
            # Whoever has signed the ticket can no longer leave; what follows has deadlines of its own.
            self._budget.reschedule(None)
        signed = await releasing.sign_ticket(party, setup, channel, reading.ticket, evident)
        partials, plaintexts, faults = await releasing.decrypt(
            party, setup, channel, reading.ticket, reading.outputs, evident
        )
        # 5. certify
        party.report(Event("certify"))
        nodes = {
            name: NodePart(
                *reading.parts[name],
                reading.frozen[name],
                reading.said["masks"][name],
                signed.signatures[name][:SIGNATURE_BYTES],
            )
            for name in party.roster.names
        }
        certificate = Certificate(
            terms=setup.terms,
            roster=setup.roster,
            key=setup.key,
            attempt=reading.attempt,
            enrolled=setup.enrolled,
            bids={name: o.certified for name, o in reading.objects.items()},
            nodes=nodes,
            root=reading.root,
            opened={label: tuple(values) for label, values in solved.opened.items()},
            aggregate=signed.aggregate,
            partials=partials,
        )
        data = certificate.encode()
        public = verify.public_outputs(setup, plaintexts)
        outcome = {
            **setup.instance.outcome(public),
            "session": reading.session.hex(),
            "certificate": verify.certificate_digest(data),
            **verify.claims(setup),
        }
        private = self._private(setup, plaintexts, openings, public)
        self._ended = True
        noted = [*signed.faults, *faults]
        evidence = [held for fault in noted if (held := self._held(fault))]
        told = [f"attempt {number} ended: {error}" for number, error in enumerate(self._failed, 1)]
        party.report(Event("done"))
        return Result(data, outcome, private, receipts, solved.ledger, [*told, *map(str, noted)], evidence)

    def _held(self, fault: TacitaError) -> Evidence | None:
        if not isinstance(fault, ProtocolFault):
            return None
        self.prover.complete(fault)
        return fault.evidence

    # ---- 0. terms ---------------------------------------------------------------------------------------------

    async def _meet(self) -> Channel:
        """Exchange nonces: the label of the channel that follows is new, so no earlier message fits into it."""
        party = self.party
        party.report(Event("terms"))
        if party.key.provenance and party.key.parties != len(party.roster.nodes):
            raise LocalFault("this node's key belongs to another cluster; run keygen for this roster")
        self.channel = channel = self.open_channel(meeting(self.terms), b"")
        self.reading.said[GREET] = await channel.broadcast(GREET, party.entropy.token(32))
        following = self._next_channel(gathering(channel.session, self.reading.said[GREET]), channel)
        following.follow(channel)
        return following

    def _next_channel(self, label: bytes, earlier: Channel) -> Channel:
        self.channel = channel = self.open_channel(label, earlier.root)
        self.prover.follow(channel)
        channel.judge, channel.accuse = self._judged, self._accused
        channel.waited = earlier.waited
        return channel

    def _judged(self, evidence: Evidence) -> ProtocolFault | None:
        """The fault that evidence from a peer proves, if it is about this session."""
        try:
            return proven(evidence, self.party.roster) if self.prover.is_mine(evidence) else None
        except CryptoError:
            return None

    def _accused(self, signed: bytes) -> ProtocolFault | None:
        """The fault of a peer that accuses with evidence that does not hold."""
        try:
            return proven(Evidence(ACCUSATION, (signed,)), self.party.roster)
        except CryptoError:
            return None

    async def _agree(self, channel: Channel) -> bytes:
        """Returns this node's coin ‖ nonce."""
        party, terms, reading = self.party, self.terms, self.reading
        for h in self.hosted:
            check_participant(h.name, party.roster)
            POLICIES[terms.policy].check_pattern(terms, h.name, h.pattern)
        enrolled = [Enrolled.sign(h.identity, h.name, h.pattern, party.name, terms) for h in self.hosted]
        bare = Setup(terms, party.roster, party.key, ())
        for _ in range(bare.attempts):
            self._contributions.append(share.Contributions.draw(party.roster, party.index, party.entropy))
        coin, nonce = party.entropy.token(32), party.entropy.token(32)
        promise = certify.coin_commitment(coin, nonce, party.name)
        mine = hello(bare, enrolled, promise, b"".join(each.commitments() for each in self._contributions))
        reading.said["hello"] = await channel.broadcast("hello", mine)
        setup = reading.setup
        if party.store.recall("spent", setup.auction_id) is not None:
            raise CallerMistake("this auction has already been decided; give the new one another [session] name")
        for h in self.hosted:
            self._values(setup, h)
        return coin + nonce

    def _values(self, setup: Setup, hosted: Hosted) -> list[int]:
        return POLICIES[setup.terms.policy].private_values(setup.instance, hosted.name, hosted.inputs)

    # ---- 1. commit --------------------------------------------------------------------------------------------

    async def _commit(self, channel: Channel) -> dict[str, commit.Opening]:
        """Returns what the hosted participants keep."""
        party, reading, setup = self.party, self.reading, self.reading.setup
        party.report(Event("commit"))
        self._keys_of = {e.name: SealingKey(party.entropy.token(32)) for e in setup.enrolled}
        fresh = b"".join(key.public for key in self._keys_of.values())
        reading.said["envelope keys"] = await channel.broadcast("envelope keys", fresh)
        mine: dict[str, bytes] = {}
        openings, hashes = {}, {}
        for h in self.hosted:
            values, recipients = self._values(setup, h), reading.recipients(h.name)
            bid, openings[h.name] = commit.make_object(setup, h.name, values, recipients, party.entropy)
            mine[h.name] = bid.encode(setup, h.name)
            public = bid.public_bytes(setup, h.name)
            object_hash = commit.object_hash(public, commit.envelopes_digest(bid.envelopes))
            message = certify.bid_signature_message(setup.auction_id, h.name, object_hash)
            hashes[h.name] = {"object": object_hash.hex(), "signature": h.identity.sign("bid", message).hex()}
            await asyncio.sleep(0)
        reading.said["commit"] = await channel.broadcast("commit", canonical_json(hashes))
        # Nobody's object opens before everybody's hash is fixed.
        _ = reading.promised
        writer = Writer()
        for name in sorted(mine):
            writer.blob(mine[name])
        reading.said["open"] = await channel.broadcast("open", writer.to_bytes())
        for done, name in enumerate(reading.objects, 1):
            reading.bid(name)
            party.report(Event("commit", done, len(setup.enrolled)))
            await asyncio.sleep(0)
        return openings

    async def _freeze(self, channel: Channel, coin: bytes) -> dict[str, dict[str, Any]]:
        """Sign the set of bids, once under this name; returns the hosted participants' receipts."""
        reading = self.reading
        self._freeze_once(reading.freeze + coin)
        mine = self.party.identity.sign("freeze", reading.freeze)
        reading.said["freeze"] = await channel.broadcast("freeze", mine)
        receipt = freeze.receipt(reading.setup, reading.hashes, reading.frozen)
        return {h.name: receipt for h in self.hosted}

    def _freeze_once(self, drawn: bytes) -> None:
        """On disk before the signature: no other set and no other coin under this name.

        So whoever sees the order and leaves has not redrawn it, and two signed sets convict a node.
        """
        place = freeze.place(self.terms, self.reading.roster)
        if self.party.store.remember("drawn", place, drawn) != drawn:
            raise CallerMistake(
                "an auction of this name has already frozen its bids; give the next one another [session] name"
            )

    async def _coins(self, channel: Channel, mine: bytes) -> None:
        self.reading.said["coins"] = await channel.broadcast("coins", mine)
        _ = self.reading.parts

    # ---- 2, 3. share and solve --------------------------------------------------------------------------------

    async def _attempts(self, gathering: Channel) -> tuple[Channel, Solved]:
        """Attempts on the same bids in the same order, until one comes as far as the ticket."""
        party, last = self.party, self.reading.setup.attempts
        opened = attempt.open_envelopes(party, self.reading, self._keys_of)
        self._keys_of.clear()
        for number, mine in enumerate(self._contributions, 1):
            joined = number == 1
            try:
                self._next = self.reading.session
                if number > 1:
                    await party.connected()
                channel = self._attempt_channel(gathering)
                received = await attempt.join(party, channel, mine, number)
                joined = True
                solved = await attempt.compute(party, self.prover, channel, mine, received, opened)
                channel.raise_failure()  # the last moment to leave
                return channel, solved
            except TacitaError as error:
                if not attempt.may_follow(error):
                    raise
                channel.raise_failure(ProtocolFault)  # a proof came in while this node found a reason of its own
                if number == 1:
                    gathering.raise_failure(SessionAborted)  # who left there comes to no attempt
                if not joined:
                    raise self._failed[-1] from error  # not everybody is there, so it has not begun
                if number == last:
                    raise
                self._failed.append(error)
                channel.judge = channel.accuse = None
                await channel.abort()
                self.reading = self.reading.again()
                self.prover.begin_again(self.reading)
                party.report(Event("attempt", number + 1, last, f"attempt {number} of {last} ended: {error}"))
        raise AssertionError("the last attempt returns or raises")

    def _attempt_channel(self, gathering: Channel) -> Channel:
        """The channel of this attempt. It goes on from the gathering, which is all that the attempts share."""
        self.party.report(Event("share"))
        reading = self.reading
        channel = self._next_channel(reading.session, gathering)
        if reading.attempt == 1:
            # Later, whoever was still gathering has ended. The gathering may have failed since, by a lost connection.
            channel.follow(gathering)
        self._next = reading.session_of(reading.attempt + 1) if reading.attempt < reading.setup.attempts else b""
        return channel

    # ---- 5. certify -------------------------------------------------------------------------------------------

    def _private(
        self,
        setup: Setup,
        plaintexts: Sequence[int],
        openings: Mapping[str, commit.Opening],
        public: Mapping[str, Sequence[int]],
    ) -> dict[str, Mapping[str, Any]]:
        results: dict[str, Mapping[str, Any]] = {}
        for name, opening in openings.items():
            if setup.masked_by(name):
                mine = verify.private_outputs(setup, plaintexts, name, opening.masks)
                results[name] = setup.instance.private_outcome(name, mine, public)
        return results
