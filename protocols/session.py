"""One session at one node, from agreed terms to a certificate: reads like the specification, stage by stage.

0  terms     greetings; hello: terms, roster, key, participants; commitments to coin, nonce and engine keys
                                                                                                 → auction id
1  commit    hash of every bid object, then the objects; proofs verified; all nodes sign the freeze digest
             coins and nonces opened                                                             → session id, order
2  share     engine keys agreed, envelopes opened, output masks posted with proofs and dealt;
             all dealt shares checked against the ciphertexts
3  solve     the engine runs the policy's program
4  release   output ciphertexts → ticket signed by all → partial decryptions with proofs
5  certify   the certificate
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import InvalidSignature
from tacita.crypto.signature import SIGNATURE_BYTES, verify_signature
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols import messages, releasing, verify
from tacita.protocols.binding import check_dealings, exchange_masks
from tacita.protocols.channel import GREET, Channel, Wire
from tacita.protocols.faults import (
    BadKeyShare,
    CallerMistake,
    Equivocation,
    InvalidEncodingFault,
    LocalFault,
    ParamMismatch,
    ProtocolFault,
    SuspectFault,
    TacitaError,
    VerificationFailed,
)
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.party import Event, Hosted, Job, Party, Result, Solved
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.stages import certify, commit, release, share
from tacita.protocols.stages.bind import dealings
from tacita.protocols.stages.certify import Certificate, CertifiedBid, NodePart
from tacita.protocols.stages.masks import summed
from tacita.protocols.stages.setup import Enrolled, Setup
from tacita.protocols.terms import Terms, canonical_json

VERSION = "tacita/1"
MAX_PARTICIPANTS = 256


def meeting(terms: Terms) -> bytes:
    """Where the nodes meet: under the session name alone, so that everything else can be compared and named.

    The label recurs when a session is tried again; only greetings are said there (channel.py).
    """
    return digest("meeting", ("name", terms.session.name))


async def run_session(
    party: Party, terms: Terms, hosted: Sequence[Hosted], open_channel: Callable[[bytes, bytes], Channel]
) -> Result:
    """Run one session; `open_channel` makes a channel from a label and an earlier root. Raises TacitaError."""
    session = _Session(party, terms, hosted, open_channel)
    try:
        return await session.run()
    except BaseException as error:
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
        self._ended = False

    async def abort(self, error: BaseException) -> None:
        """Tell the peers, once; evidence goes along so that all end with the same verdict."""
        if self.channel is not None and not self._ended:
            self._ended = True
            evidence = error.evidence if isinstance(error, Equivocation) else None
            await asyncio.shield(self.channel.abort(evidence))

    async def run(self) -> Result:
        """All stages."""
        party = self.party
        # 0. terms
        channel = await self._meet()
        setup, contributions, mine, hellos = await self._agree(channel)
        # 1. commit, freeze, coins
        certified, objects, openings = await self._commit(setup, channel)
        freeze, freeze_signatures, receipts = await self._freeze(setup, channel, certified)
        parts = await self._coins(setup, channel, mine, hellos, freeze)
        session = certify.session_id(setup.auction_id, freeze, parts)
        coins = {name: coin for name, (coin, _) in parts.items()}
        order = certify.auction_order(setup.auction_id, coins, setup.instance.participants)
        # 2. share; from here on messages carry the session id, which no earlier session can have had
        party.report(Event("share"))
        channel = self._next_channel(session, channel)
        keys = await self._keys(setup, channel, session, contributions, hellos)
        shares, bad = self._open_envelopes(setup, objects)
        await self._everybody_holds(channel, objects, bad)
        party.report(Event("masks"))
        masks = await exchange_masks(party, setup, channel, session)
        party.report(Event("bind"))
        bids = {name: bid for name, (bid, _) in objects.items()}
        everybody = dealings(setup, bids, shares, masks.verified, masks.shares)
        await check_dealings(party, setup, channel, session, everybody)
        # 3. solve
        party.report(Event("solve", 0, 1))
        job = Job(
            terms=setup.terms.tree,
            patterns={e.name: e.pattern for e in setup.enrolled},
            order=order,
            index=party.index,
            parties=len(party.roster.nodes),
            threshold=party.roster.threshold,
            keys=keys,
            inputs=share.by_block(setup, shares),
            masks=summed(setup, masks.shares),
        )
        work = asyncio.ensure_future(
            party.solver(job, session, lambda k, total: party.report(Event("solve", k, total)))
        )
        solved = await channel.guarded(work)
        # 4. release
        party.report(Event("release"))
        await self._same_openings(setup, channel, solved)
        outputs = release.output_ciphertexts(setup, solved.opened, list(masks.verified.values()), bids)
        root = channel.root
        ticket = release.ticket(setup, session, freeze, root, outputs)
        signed = await releasing.sign_ticket(party, setup, channel, ticket)
        partials, plaintexts, faults = await releasing.decrypt(party, setup, channel, ticket, outputs)
        # 5. certify
        party.report(Event("certify"))
        nodes = {
            name: NodePart(
                *parts[name], freeze_signatures[name], masks.posted[name], signed.signatures[name][:SIGNATURE_BYTES]
            )
            for name in party.roster.names
        }
        certificate = Certificate(
            terms=setup.terms,
            roster=setup.roster,
            key=setup.key,
            enrolled=setup.enrolled,
            bids=certified,
            nodes=nodes,
            root=root,
            opened={label: tuple(values) for label, values in solved.opened.items()},
            aggregate=signed.aggregate,
            partials=partials,
        )
        data = certificate.encode()
        public = verify.public_outputs(setup, plaintexts)
        outcome = {
            **setup.instance.outcome(public),
            "session": session.hex(),
            "certificate": verify.certificate_digest(data),
            **verify.claims(setup),
        }
        private = self._private(setup, plaintexts, openings, public)
        party.report(Event("done"))
        self._ended = True
        return Result(data, outcome, private, receipts, solved.ledger, [*signed.faults, *faults])

    # ---- 0. terms ---------------------------------------------------------------------------------------------

    async def _meet(self) -> Channel:
        """Exchange nonces: the label of the channel that follows is new, so no earlier message fits into it."""
        party = self.party
        party.report(Event("terms"))
        if party.key.provenance and party.key.parties != len(party.roster.nodes):
            raise LocalFault("this node's key belongs to another cluster; run keygen for this roster")
        self.channel = channel = self.open_channel(meeting(self.terms), b"")
        greetings = await channel.broadcast(GREET, party.entropy.token(32))
        transcript = Transcript("gathering").absorb("meeting", channel.session)
        for name in sorted(greetings):
            if len(greetings[name]) != 32:
                raise InvalidEncodingFault(name, "its greeting is not a nonce of 32 bytes")
            transcript.absorb("node", name).absorb("nonce", greetings[name])
        return self._next_channel(transcript.digest(), channel)

    def _next_channel(self, label: bytes, earlier: Channel) -> Channel:
        self.channel = channel = self.open_channel(label, earlier.root)
        channel.follow(earlier)
        return channel

    async def _agree(
        self, channel: Channel
    ) -> tuple[Setup, share.Contributions, tuple[bytes, bytes], dict[str, dict[str, str]]]:
        party, terms = self.party, self.terms
        enrolled = [Enrolled.sign(h.identity, h.name, h.pattern, party.name, terms) for h in self.hosted]
        contributions = share.Contributions.draw(party.roster, party.index, party.entropy)
        coin, nonce = party.entropy.token(32), party.entropy.token(32)
        hello = {
            "version": VERSION,
            "terms": terms.digest().hex(),
            "roster": party.roster.digest.hex(),
            "key": Setup(terms, party.roster, party.key, ()).key_id.hex(),
            "enrolled": [e.tree() for e in enrolled],
            "coin": certify.coin_commitment(coin, nonce, party.name).hex(),
            "keys": contributions.commitments().hex(),
        }
        received = await channel.broadcast("hello", canonical_json(hello))
        hellos, everybody = {}, []
        for name, payload in received.items():
            other = messages.canonical_tree(name, payload, set(hello))
            for what in ("version", "roster", "key", "terms"):
                if other[what] != hello[what]:
                    raise ParamMismatch(
                        name, f"its {what} differ from this node's; agree on one {what} and start again"
                    )
            hellos[name] = {"coin": str(other["coin"]), "keys": str(other["keys"])}
            everybody += self._announced(name, other["enrolled"])
        hosts: dict[str, str] = {}
        for e in everybody:
            if hosts.setdefault(e.name, e.host) != e.host:
                raise SuspectFault((hosts[e.name], e.host), f"two nodes announce participant {e.name}; ask which is it")
        setup = Setup.make(terms, party.roster, party.key, everybody)
        if party.store.recall("spent", setup.auction_id) is not None:
            raise CallerMistake("this auction has already been decided; give the new one another [session] name")
        _ = setup.demand, setup.instance  # refuses terms that do not fit before any input is sent
        for h in self.hosted:
            self._values(setup, h)
        return setup, contributions, (coin, nonce), hellos

    def _announced(self, host: str, items: Any) -> list[Enrolled]:
        """The participants that a node speaks for; whatever is wrong with them is that node's fault."""
        try:
            if len(messages.list_of(host, items)) > MAX_PARTICIPANTS:
                raise CallerMistake(f"a session has at most {MAX_PARTICIPANTS} participants")
            announced = [Enrolled.read(tree) for tree in items]
            for e in announced:
                e.check(self.terms)
                POLICIES[self.terms.policy].check_pattern(self.terms, e.name, e.pattern)
        except CallerMistake as error:
            raise ProtocolFault(host, f"it announces a participant wrongly ({error})") from error
        except InvalidSignature:
            raise ProtocolFault(host, "it announces a participant who did not sign these terms") from None
        if any(e.host != host for e in announced) or len({e.name for e in announced}) != len(announced):
            raise ProtocolFault(host, "it announces a participant twice or one of another host")
        return announced

    def _values(self, setup: Setup, hosted: Hosted) -> list[int]:
        return POLICIES[setup.terms.policy].private_values(setup.instance, hosted.name, hosted.inputs)

    # ---- 1. commit --------------------------------------------------------------------------------------------

    async def _commit(
        self, setup: Setup, channel: Channel
    ) -> tuple[
        dict[str, CertifiedBid], dict[str, tuple[commit.BidObject, tuple[bytes, ...]]], dict[str, commit.Opening]
    ]:
        party = self.party
        party.report(Event("commit"))
        mine: dict[str, bytes] = {}
        openings, hashes = {}, {}
        for h in self.hosted:
            values = self._values(setup, h)
            bid, openings[h.name] = commit.make_object(setup, h.name, values, party.entropy)
            mine[h.name] = bid.encode(setup, h.name)
            public = bid.public_bytes(setup, h.name)
            object_hash = commit.object_hash(public, commit.envelopes_digest(bid.envelopes))
            message = certify.bid_signature_message(setup.auction_id, h.name, object_hash)
            hashes[h.name] = {"object": object_hash.hex(), "signature": h.identity.sign("bid", message).hex()}
            await asyncio.sleep(0)
        committed = await channel.broadcast("commit", canonical_json(hashes))
        promised = self._promised(setup, committed)
        # Nobody's object opens before everybody's hash is fixed.
        writer = Writer()
        for name in sorted(mine):
            writer.blob(mine[name])
        opened = await channel.broadcast("open", writer.to_bytes())
        certified, objects = {}, {}
        total, done = len(setup.enrolled), 0
        for node, payload in opened.items():
            reader = Reader(payload, f"the bids hosted by {node}")
            for e in (e for e in setup.enrolled if e.host == node):
                public, envelopes = commit.split_object(setup, node, e.name, messages.read_blob(node, reader))
                object_hash, signature = promised[e.name]
                if commit.object_hash(public, commit.envelopes_digest(envelopes)) != object_hash:
                    # The participant signed the hash; these bytes are signed by nobody but the host.
                    raise Equivocation(node, f"the bid object of {e.name} is not the one committed to")
                bid = commit.verify_public(setup, e.name, public)
                objects[e.name] = (bid, envelopes)
                certified[e.name] = CertifiedBid(public, commit.envelopes_digest(envelopes), signature)
                done += 1
                party.report(Event("commit", done, total))
                await asyncio.sleep(0)
            messages.finish(node, reader)
        return certified, objects, openings

    def _promised(self, setup: Setup, committed: Mapping[str, bytes]) -> dict[str, tuple[bytes, bytes]]:
        promised = {}
        for node, payload in committed.items():
            expected = {e.name for e in setup.enrolled if e.host == node}
            tree = messages.canonical_tree(node, payload, expected)
            for name in sorted(expected):
                entry = tree[name]
                if not isinstance(entry, Mapping) or set(entry) != {"object", "signature"}:
                    raise InvalidEncodingFault(node, "a bid commitment is malformed")
                object_hash = messages.hex_bytes(node, entry["object"], 32)
                signature = messages.hex_bytes(node, entry["signature"], 64)
                message = certify.bid_signature_message(setup.auction_id, name, object_hash)
                try:
                    verify_signature(setup.participant(name).identity, "bid", message, signature)
                except InvalidSignature:
                    raise ProtocolFault(node, f"the commitment of {name} is not signed by {name}") from None
                promised[name] = (object_hash, signature)
        return promised

    async def _freeze(
        self, setup: Setup, channel: Channel, certified: Mapping[str, CertifiedBid]
    ) -> tuple[bytes, dict[str, bytes], dict[str, list[str]]]:
        hashes = {name: commit.object_hash(bid.public, bid.envelopes) for name, bid in certified.items()}
        freeze = certify.freeze_digest(setup.auction_id, hashes)
        received = await channel.broadcast("freeze", self.party.identity.sign("freeze", freeze))
        for node in setup.roster.nodes:
            messages.check_signed(node.name, node.identity, "freeze", freeze, received[node.name])
        # The signed freeze digest of every node is each participant's receipt.
        receipts = {h.name: [f"{node}:{received[node].hex()}" for node in setup.roster.names] for h in self.hosted}
        return freeze, received, receipts

    async def _coins(
        self,
        setup: Setup,
        channel: Channel,
        mine: tuple[bytes, bytes],
        hellos: Mapping[str, Mapping[str, str]],
        freeze: bytes,
    ) -> dict[str, tuple[bytes, bytes]]:
        # From here on the order is known: under this name it is drawn once, for these bids and with this coin.
        # Without a name its terms identify it: the auction id would not, a node changes that with its participants.
        name = setup.terms.session.name or setup.terms.digest().hex()
        place = digest("draw", ("roster", setup.roster.digest), ("name", name))
        drawn = freeze + mine[0]
        if self.party.store.remember("drawn", place, drawn) != drawn:
            raise CallerMistake(
                "an auction of this name has already drawn its order; give the next one another [session] name"
            )
        received = await channel.broadcast("coins", mine[0] + mine[1])
        parts = {}
        for name, payload in received.items():
            coin, nonce = payload[:32], payload[32:]
            if certify.coin_commitment(coin, nonce, name).hex() != hellos[name]["coin"] or len(payload) != 64:
                raise ProtocolFault(name, "its part of the auction coin is not the one it committed to")
            parts[name] = (coin, nonce)
        return parts

    # ---- 2. share ---------------------------------------------------------------------------------------------

    async def _keys(
        self,
        setup: Setup,
        channel: Channel,
        session: bytes,
        contributions: share.Contributions,
        hellos: Mapping[str, Mapping[str, str]],
    ) -> EngineKeys:
        roster, me = setup.roster, self.party.index
        sent = {peer: contributions.for_peer(roster.index(peer)) for peer in channel.peers}
        received = await channel.exchange("keys", sent)
        commitments = {
            roster.index(name): messages.hex_bytes(
                name, hello["keys"], 32 * sum(roster.index(name) in s for s in share.key_subsets(roster))
            )
            for name, hello in hellos.items()
        }
        by_index = {roster.index(name): data for name, data in received.items()}
        keys = share.derive_keys(roster, me, session, contributions, commitments, by_index)
        confirmed = await channel.broadcast("confirm keys", share.confirmations(roster, keys))
        share.check_confirmations(roster, confirmed)
        return share.engine_keys(roster, me, keys)

    def _open_envelopes(
        self, setup: Setup, objects: Mapping[str, tuple[commit.BidObject, tuple[bytes, ...]]]
    ) -> tuple[dict[str, list[int]], BadKeyShare | None]:
        party, shares = self.party, {}
        for name, (bid, envelopes) in objects.items():
            try:
                shares[name] = commit.open_shares(setup, name, bid, envelopes[party.index], party.name, party.sealing)
            except BadKeyShare as fault:
                return shares, fault
        return shares, None

    async def _everybody_holds(self, channel: Channel, objects: Collection[str], bad: BadKeyShare | None) -> None:
        """Nobody computes on shares that somebody else could not open. Who is right is not decided here."""
        everybody = await channel.broadcast("shares", b"ok" if bad is None else f"bad {bad.culprit}".encode())
        if bad is not None:
            raise bad
        for node, answer in everybody.items():
            accused = answer.removeprefix(b"bad ").decode(errors="replace")
            if answer.startswith(b"bad ") and accused in objects:
                raise SuspectFault((accused, node), f"{node} says that {accused} dealt it bad shares; ask both")
            if answer != b"ok":
                raise ProtocolFault(node, "it sent an unknown answer in round 'shares'")

    # ---- 3. solve ---------------------------------------------------------------------------------------------

    async def _same_openings(self, setup: Setup, channel: Channel, solved: Solved) -> None:
        try:
            release.check_opened(setup, solved.opened)
        except VerificationFailed as error:
            # A node put another mask into the engine than it may; no certificate of this would verify.
            raise SuspectFault(setup.roster.names, f"{error}; run again") from None
        tree = {label: [format(b, "x") for b in values] for label, values in solved.opened.items()}
        everybody = await channel.broadcast("openings", digest("openings", ("opened", canonical_json(tree))))
        different = tuple(n for n, d in everybody.items() if d != everybody[self.party.name])
        if different:
            raise SuspectFault((*different, self.party.name), "the nodes opened different values; run again")

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
