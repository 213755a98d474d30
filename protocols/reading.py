"""What the messages of a session mean: the same reading by every node in the session and by a judge afterwards.

`Reading` holds the broadcasts of a session, round by round, and turns them into what follows from them. It is a pure
function of these bytes and of terms, roster and key. Every reading raises the fault of the first node or participant
whose words cannot be what an honest one says, CallerMistake for terms that nobody can compute, and SuspectFault where
somebody lied and nothing shows who.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from tacita.crypto.encoding import Reader
from tacita.crypto.errors import InvalidEncoding, InvalidSignature
from tacita.crypto.integers import Integer
from tacita.crypto.sealing import SealingKey, check_recipient
from tacita.crypto.signature import verify_signature
from tacita.crypto.threshold import ThresholdKey
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols import messages
from tacita.protocols.envelope import GREET
from tacita.protocols.faults import (
    CallerMistake,
    Equivocation,
    FalseComplaint,
    InvalidEncodingFault,
    ParamMismatch,
    ProtocolFault,
    SuspectFault,
    VerificationFailed,
)
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.roster import Roster
from tacita.protocols.stages import bind, certify, commit, masks, release, share
from tacita.protocols.stages.bind import Combination
from tacita.protocols.stages.certify import CertifiedBid
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.masks import PostedMasks
from tacita.protocols.stages.partials import combined, verify_partials
from tacita.protocols.stages.setup import Enrolled, Setup, check_participant
from tacita.protocols.terms import Terms, canonical_json

VERSION = "tacita/1"
MAX_PARTICIPANTS = 256
GATHERING = ("hello", "envelope keys", "commit", "open", "freeze", "coins")
"""Broadcasts under the gathering label, in order."""
COMPUTING = (
    "confirm keys", "shares", "masks", "bind commit", "bind coin", "bind all", "bind all partials", "openings",
)  # fmt: skip
"""Broadcasts under the session id, in order."""
DISPUTE = ("bind each", "bind each partials")
"""They follow `bind all partials` if somebody dealt wrong shares, and then the session ends."""

T = TypeVar("T")


def meeting(terms: Terms) -> bytes:
    """Where the nodes meet: under the session name alone, so that everything else can be compared and named.

    The label recurs when a session is tried again; only greetings are said there (channel.py).
    """
    return digest("meeting", ("name", terms.session.name))


def gathering(label: bytes, greetings: Mapping[str, bytes]) -> bytes:
    """The label of the channel after the meeting: new as soon as one nonce is."""
    transcript = Transcript("gathering").absorb("meeting", label)
    for name in sorted(greetings):
        if len(greetings[name]) != 32:
            raise InvalidEncodingFault(name, "its greeting is not a nonce of 32 bytes")
        transcript.absorb("node", name).absorb("nonce", greetings[name])
    return transcript.digest()


def hello(setup: Setup, enrolled: Sequence[Enrolled], coin: bytes, keys: bytes) -> bytes:
    """What a node says first; `setup` without participants, commitments to its coin and to all its engine keys."""
    tree = {**_agreed(setup), "enrolled": [e.tree() for e in enrolled], "coin": coin.hex(), "keys": keys.hex()}
    return canonical_json(tree)


def _agreed(setup: Setup) -> dict[str, str]:
    """What all nodes must say alike."""
    return {
        "version": VERSION,
        "roster": setup.roster.digest.hex(),
        "key": setup.key_id.hex(),
        "terms": setup.terms.digest().hex(),
    }


def complaint(participant: str, key: SealingKey) -> bytes:
    """In the round `shares`: opens the envelope of this participant for everybody."""
    return canonical_json({"participant": participant, "secret": key.secret.hex()})


@dataclass(frozen=True)
class Hello:
    """What one node announced."""

    coin: bytes
    """Commitment to its part of the auction coin and its nonce."""
    keys: tuple[bytes, ...]
    """For each attempt the commitments to its contributions to the engine's keys."""
    enrolled: tuple[Enrolled, ...]


@dataclass(frozen=True)
class Object:
    """A bid object as opened: its public part matches the signed hash."""

    public: bytes
    envelopes: tuple[bytes, ...]
    signature: bytes

    @property
    def certified(self) -> CertifiedBid:
        """Without the envelopes."""
        return CertifiedBid(self.public, commit.envelopes_digest(self.envelopes), self.signature)


@dataclass
class Reading:
    """The broadcasts of one session; whoever fills `said` vouches that every round in it is complete."""

    terms: Terms
    roster: Roster
    key: ThresholdKey
    said: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    """Round → node → payload, nodes in roster order."""
    opened: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """What the engine opened."""
    root: bytes = b""
    """Digest of all broadcasts up to `openings`."""
    attempt: int = 1
    """Whose words those under the session id are."""
    _known: dict[tuple[str, str], Any] = field(default_factory=dict)

    def again(self) -> "Reading":
        """The reading of the next attempt: what was gathered stands, and nothing of what was said after it."""
        said = {name: self.said[name] for name in (GREET, *GATHERING)}
        known = {place: value for place, value in self._known.items() if place[0] in ("setup", "bid")}
        return Reading(self.terms, self.roster, self.key, said, attempt=self.attempt + 1, _known=known)

    def _once(self, what: str, name: str, make: Callable[[], T]) -> T:
        if (what, name) not in self._known:
            self._known[what, name] = make()
        return cast(T, self._known[what, name])

    # ---- 0. terms ---------------------------------------------------------------------------------------------

    @cached_property
    def _bare(self) -> Setup:
        return Setup(self.terms, self.roster, self.key, ())

    @cached_property
    def hellos(self) -> dict[str, Hello]:
        """Everybody's announcement; whoever states other parameters than most nodes is named."""
        mine = _agreed(self._bare)
        keys = {*mine, "enrolled", "coin", "keys"}
        trees = {name: messages.canonical_tree(name, data, keys) for name, data in self.said["hello"].items()}
        different = dict[str, str]()
        for name, tree in trees.items():
            for what in (what for what in mine if tree[what] != mine[what]):
                different.setdefault(name, what)
        if 2 * len(different) >= len(trees):
            what = next(iter(different.values()))
            raise CallerMistake(f"this node's {what} differ from those of most nodes; agree and start again")
        for name, what in different.items():
            raise ParamMismatch(
                name, f"its {what} differ from those of most nodes; agree on one {what} and start again"
            )
        return {name: self._hello(name, tree) for name, tree in trees.items()}

    def _hello(self, name: str, tree: Mapping[str, Any]) -> Hello:
        mine = self.roster.index(name)
        size, attempts = 32 * sum(mine in s for s in share.key_subsets(self.roster)), self._bare.attempts
        keys = messages.hex_bytes(name, tree["keys"], size * attempts)
        return Hello(
            messages.hex_bytes(name, tree["coin"], 32),
            tuple(keys[size * k : size * (k + 1)] for k in range(attempts)),
            tuple(self._announced(name, tree["enrolled"])),
        )

    def _announced(self, host: str, items: Any) -> list[Enrolled]:
        """The participants that a node speaks for; whatever is wrong with them is that node's fault."""
        try:
            if len(messages.list_of(host, items)) > MAX_PARTICIPANTS:
                raise CallerMistake(f"a session has at most {MAX_PARTICIPANTS} participants")
            announced = [Enrolled.read(tree) for tree in items]
            for e in announced:
                check_participant(e.name, self.roster)
                e.check(self.terms)
                POLICIES[self.terms.policy].check_pattern(self.terms, e.name, e.pattern)
        except CallerMistake as error:
            raise ProtocolFault(host, f"it announces a participant wrongly ({error})") from error
        except InvalidSignature:
            raise ProtocolFault(host, "it announces a participant who did not sign these terms") from None
        if any(e.host != host for e in announced) or len({e.name for e in announced}) != len(announced):
            raise ProtocolFault(host, "it announces a participant twice or one of another host")
        return announced

    @property
    def setup(self) -> Setup:
        """Everything public before the commit; refuses terms that do not fit before any input is sent."""
        return self._once("setup", "", self._announcements)

    def _announcements(self) -> Setup:
        everybody = [e for said in self.hellos.values() for e in said.enrolled]
        hosts: dict[str, str] = {}
        for e in everybody:
            if hosts.setdefault(e.name, e.host) != e.host:
                raise SuspectFault((hosts[e.name], e.host), f"two nodes announce participant {e.name}; ask which is it")
        setup = Setup.make(self.terms, self.roster, self.key, everybody)
        _ = setup.demand, setup.instance
        return setup

    # ---- 1. commit --------------------------------------------------------------------------------------------

    @cached_property
    def envelope_keys(self) -> dict[str, dict[str, bytes]]:
        """{node: {participant: the key that this participant's envelope for the node is sealed to}}."""
        names, result = [e.name for e in self.setup.enrolled], {}
        for node, data in self.said["envelope keys"].items():
            try:
                if len(data) != 32 * len(names):
                    raise InvalidEncoding("there is not one key per participant")
                keys = [data[i : i + 32] for i in range(0, len(data), 32)]
                for key in keys:
                    check_recipient(key)
            except InvalidEncoding as error:
                raise InvalidEncodingFault(node, f"its keys for envelopes are refused: {error}") from None
            result[node] = dict(zip(names, keys, strict=True))
        return result

    def recipients(self, participant: str) -> list[bytes]:
        """The keys of all nodes for this participant's envelopes."""
        return [self.envelope_keys[node][participant] for node in self.roster.names]

    @cached_property
    def promised(self) -> dict[str, tuple[bytes, bytes]]:
        """{participant: (object hash, the participant's signature)}."""
        promised = {}
        for node, payload in self.said["commit"].items():
            expected = {e.name for e in self.setup.enrolled if e.host == node}
            tree = messages.canonical_tree(node, payload, expected)
            for name in sorted(expected):
                entry = tree[name]
                if not isinstance(entry, Mapping) or set(entry) != {"object", "signature"}:
                    raise InvalidEncodingFault(node, "a bid commitment is malformed")
                object_hash = messages.hex_bytes(node, entry["object"], 32)
                signature = messages.hex_bytes(node, entry["signature"], 64)
                message = certify.bid_signature_message(self.setup.auction_id, name, object_hash)
                try:
                    verify_signature(self.setup.participant(name).identity, "bid", message, signature)
                except InvalidSignature:
                    raise ProtocolFault(node, f"the commitment of {name} is not signed by {name}") from None
                promised[name] = (object_hash, signature)
        return promised

    @cached_property
    def objects(self) -> dict[str, Object]:
        """Every participant's object as its host opened it: the one that was promised."""
        objects = {}
        for node, payload in self.said["open"].items():
            reader = Reader(payload, f"the bids hosted by {node}")
            for e in (e for e in self.setup.enrolled if e.host == node):
                public, envelopes = commit.split_object(self.setup, node, e.name, messages.read_blob(node, reader))
                object_hash, signature = self.promised[e.name]
                if commit.object_hash(public, commit.envelopes_digest(envelopes)) != object_hash:
                    # The participant signed the hash; these bytes are signed by nobody but the host.
                    raise Equivocation(node, f"the bid object of {e.name} is not the one committed to")
                objects[e.name] = Object(public, envelopes, signature)
            messages.finish(node, reader)
        return objects

    def bid(self, participant: str) -> BidObject:
        """A participant's object, verified."""
        public = self.objects[participant].public
        return self._once("bid", participant, lambda: commit.verify_public(self.setup, participant, public))

    @cached_property
    def bids(self) -> dict[str, BidObject]:
        """All objects, verified, in the order in which they are blamed: host by host."""
        return {name: self.bid(name) for name in self.objects}

    @cached_property
    def freeze(self) -> bytes:
        """The digest of the set of bids."""
        return certify.freeze_digest(self.setup.auction_id, self.hashes)

    @property
    def hashes(self) -> dict[str, bytes]:
        """{participant: object hash}, of objects that were opened."""
        return {name: self.promised[name][0] for name in self.objects}

    @cached_property
    def frozen(self) -> dict[str, bytes]:
        """Everybody's signature on that digest."""
        for node in self.roster.nodes:
            messages.check_signed(node.name, node.identity, "freeze", self.freeze, self.said["freeze"][node.name])
        return dict(self.said["freeze"])

    @cached_property
    def parts(self) -> dict[str, tuple[bytes, bytes]]:
        """{node: (part of the auction coin, nonce)}, each as committed to."""
        parts = {}
        for name, payload in self.said["coins"].items():
            coin, nonce = payload[:32], payload[32:]
            if certify.coin_commitment(coin, nonce, name) != self.hellos[name].coin or len(payload) != 64:
                raise ProtocolFault(name, "its part of the auction coin is not the one it committed to")
            parts[name] = (coin, nonce)
        return parts

    @cached_property
    def session(self) -> bytes:
        """The session id of this attempt, label of all that follows.

        Everything in it was committed to before a bid opened; the number alone makes the next attempt's id another.
        """
        return self.session_of(self.attempt)

    def session_of(self, attempt: int) -> bytes:
        """The session id of an attempt."""
        return certify.session_id(self.setup.auction_id, self.freeze, self.parts, attempt)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Participants by the auction coin, which is opened once: the same in every attempt."""
        coins = {name: coin for name, (coin, _) in self.parts.items()}
        return certify.auction_order(self.setup.auction_id, coins, self.setup.instance.participants)

    # ---- 2. share ---------------------------------------------------------------------------------------------

    def contributions(self, sender: str, receiver: str, data: bytes) -> dict[share.Subset, bytes]:
        """What one node told another in private for the engine's keys, as committed to."""
        roster = self.roster
        promised = self.hellos[sender].keys[self.attempt - 1]
        return share.contributions_of(roster, roster.index(sender), roster.index(receiver), promised, data)

    def confirmed(self) -> None:
        """All members of every subset hold the same engine key."""
        share.check_confirmations(self.roster, self.said["confirm keys"])

    def shares_held(self) -> None:
        """Every node could open its envelopes; a complaint names the participant or the one who complains."""
        for node, answer in self.said["shares"].items():
            if answer != b"ok":
                self._complaint(node, messages.canonical_tree(node, answer, {"participant", "secret"}))

    def _complaint(self, node: str, tree: Mapping[str, Any]) -> None:
        name, key = tree["participant"], SealingKey(messages.hex_bytes(node, tree["secret"], 32))
        if not isinstance(name, str) or name not in self.objects:
            raise FalseComplaint(node, "it complains about somebody who takes no part")
        if key.public != self.envelope_keys[node][name]:
            raise FalseComplaint(node, f"it does not open the envelope of {name} that it complains about")
        envelope = self.objects[name].envelopes[self.roster.index(node)]
        commit.open_shares(self.setup, name, self.bid(name), envelope, node, key)  # raises BadKeyShare
        raise FalseComplaint(node, f"it complains about {name}, whose shares for it are good")

    def posted(self, node: str) -> PostedMasks:
        """A node's masks, verified."""
        data = self.said["masks"][node]
        return self._once("masks", node, lambda: masks.verify_masks(self.setup, self.session, node, data))

    @cached_property
    def masks(self) -> dict[str, PostedMasks]:
        """All nodes' masks, verified."""
        return {node: self.posted(node) for node in self.roster.names}

    def mask_shares(self, dealer: str, data: bytes) -> list[int]:
        """What one node dealt another in private: shares of its masks."""
        return masks.read_shares(self.setup, dealer, data)

    # ---- 2b. are the shares those of the ciphertexts? ---------------------------------------------------------

    @cached_property
    def bind_coins(self) -> dict[str, bytes]:
        """{node: its part of the coin}, each as committed to."""
        coins = {}
        for name, payload in self.said["bind coin"].items():
            promised = self.said["bind commit"][name]
            if len(payload) != 64 or bind.commitment(name, payload[:32], payload[32:]) != promised:
                raise ProtocolFault(name, "its part of the coin is not the one it committed to")
            coins[name] = payload[:32]
        return coins

    def combinations(self, shares: Mapping[str, Sequence[int]] | None = None) -> list[Combination]:
        """Every dealer's random combination; `shares` are those that one node was dealt, by dealer."""
        everybody = bind.dealings(self.setup, self.bids, self.masks, shares, self.attempt)
        return bind.combinations(self.setup, self.session, self.bind_coins, everybody)

    def ciphertexts(self, what: str) -> list[Integer]:
        """What is decrypted: the sum of all combinations, or each."""
        parts = self._once("combinations", "", self.combinations)
        return [part.ciphertext for part in (parts if what == "each" else [bind.together(self.setup, parts)])]

    def opened_shares(self, what: str) -> dict[str, list[int]]:
        """{node: its shares of the combinations}."""
        prime, count = self.setup.demand.prime, len(self.ciphertexts(what))
        told = self.said[f"bind {what}"]
        return {node: messages.field_elements(node, data, prime, count) for node, data in told.items()}

    def partials(self, what: str, node: str) -> list[Integer]:
        """A node's partial decryptions of the combinations, verified."""
        data, context = self.said[f"bind {what} partials"][node], bind.context(self.session, node, what)
        return self._once(what, node, lambda: verify_partials(self.setup, context, self.ciphertexts(what), data))

    def plaintexts(self, what: str) -> list[int]:
        """The decrypted combinations."""
        return combined(self.setup, {node: self.partials(what, node) for node in self.roster.names})

    def bound(self) -> bool:
        """Whether all shares are shares of what is encrypted; raises InconsistentOpening if they fit nothing."""
        shares = {node: row[0] for node, row in self.opened_shares("all").items()}
        return bind.check_total(self.setup, shares, self.plaintexts("all")[0])

    def blame(self) -> Exception:
        """Who dealt wrong shares, or SuspectFault."""
        dealers = [part.dealer for part in self._once("combinations", "", self.combinations)]
        shares = self.opened_shares("each")
        by_dealer = {dealer: {node: row[i] for node, row in shares.items()} for i, dealer in enumerate(dealers)}
        return bind.blame(self.setup, by_dealer, dict(zip(dealers, self.plaintexts("each"), strict=True)))

    # ---- 3, 4. solve, release ---------------------------------------------------------------------------------

    @cached_property
    def openings(self) -> bytes:
        """What a node says in the round `openings` if it saw the engine open `opened`."""
        return digest("openings", ("opened", canonical_json(opened_tree(self.opened))))

    def check_opened(self) -> None:
        """Refuse openings that no masks and outputs add up to; raises SuspectFault."""
        try:
            release.check_opened(self.setup, self.opened)
        except VerificationFailed as error:
            # A node put another mask into the engine than it may; no certificate of this would verify.
            raise SuspectFault(self.roster.names, f"{error}; run again") from None

    def same_openings(self, me: str) -> None:
        """All nodes saw what this one saw; raises SuspectFault."""
        different = tuple(name for name, said in self.said["openings"].items() if said != self.openings)
        if different:
            raise SuspectFault((*different, me), "the nodes opened different values; run again")

    @cached_property
    def outputs(self) -> list[Integer]:
        """The output ciphertexts."""
        return release.output_ciphertexts(self.setup, self.opened, list(self.masks.values()), self.bids)

    @cached_property
    def ticket(self) -> bytes:
        """What everybody signs before anything is decrypted."""
        return release.ticket(self.setup, self.session, self.freeze, self.root, self.outputs)


def opened_tree(opened: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
    """What the engine opened, as JSON."""
    return {label: [format(b, "x") for b in values] for label, values in opened.items()}
