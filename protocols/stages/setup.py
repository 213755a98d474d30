"""What is public before anybody commits: terms, roster, key, participants, and everything that follows from them.

`Setup` is built identically by every node, every participant and every verifier of a certificate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tacita.crypto.commitment import commitment_group
from tacita.crypto.errors import InvalidSignature
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.security import CHALLENGE_BITS, MASK_BITS
from tacita.crypto.signature import PUBLIC_BYTES, SIGNATURE_BYTES, SigningKey, verify_signature
from tacita.crypto.threshold import ThresholdKey
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.policies.base import EVERYBODY, Instance
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.roster import Roster
from tacita.protocols.terms import Terms, canonical_json, check_name


@dataclass(frozen=True)
class Enrolled:
    """A participant: its signing key, its public pattern, the node that speaks for it, its consent to the terms."""

    name: str
    identity: bytes
    pattern: tuple[int, ...]
    host: str
    consent: bytes
    """Signature over terms digest, name and pattern."""

    @staticmethod
    def sign(key: SigningKey, name: str, pattern: Sequence[int], host: str, terms: Terms) -> "Enrolled":
        """Enrol for these terms."""
        consent = key.sign("consent", _consent(terms, name, pattern, host))
        return Enrolled(name, key.public, tuple(pattern), host, consent)

    def check(self, terms: Terms) -> None:
        """Raises InvalidSignature if the participant did not sign these terms."""
        verify_signature(self.identity, "consent", _consent(terms, self.name, self.pattern, self.host), self.consent)

    def tree(self) -> dict[str, object]:
        """As in hello messages and certificates."""
        return {
            "name": self.name,
            "identity": self.identity.hex(),
            "pattern": list(self.pattern),
            "host": self.host,
            "consent": self.consent.hex(),
        }

    @staticmethod
    def read(tree: object) -> "Enrolled":
        """The inverse of tree; raises CallerMistake."""
        if not isinstance(tree, Mapping) or set(tree) != {"name", "identity", "pattern", "host", "consent"}:
            raise CallerMistake("an enrolment has missing or unknown keys")
        try:
            identity, consent = bytes.fromhex(tree["identity"]), bytes.fromhex(tree["consent"])
        except (ValueError, TypeError):
            raise CallerMistake("an enrolment's key or signature is not hex") from None
        pattern = tree["pattern"]
        if not isinstance(pattern, list) or any(type(t) is not int for t in pattern):
            raise CallerMistake("an enrolment's pattern is not a list of whole numbers")
        if len(identity) != PUBLIC_BYTES or len(consent) != SIGNATURE_BYTES:
            raise CallerMistake("an enrolment's key or signature has a wrong length")
        if not isinstance(tree["name"], str) or not isinstance(tree["host"], str):
            raise CallerMistake("an enrolment's name or host is not text")
        name, host = check_name(tree["name"], "participant"), check_name(tree["host"], "host")
        return Enrolled(name, identity, tuple(pattern), host, consent)


def _consent(terms: Terms, name: str, pattern: Sequence[int], host: str) -> bytes:
    fields = ("terms", terms.digest()), ("name", name), ("pattern", canonical_json(list(pattern))), ("host", host)
    return digest("consent", *fields)


def check_participant(name: str, roster: Roster) -> None:
    """A verdict names nodes and participants alike, so nobody takes part under a node's name."""
    if name in roster.names:
        raise CallerMistake(f"participant {name} has the name of a node; give it another name")


def auction_id(terms: Terms, roster: Roster, key_id: bytes, enrolled: Sequence[Enrolled]) -> bytes:
    """See Setup.auction_id; participants sorted by name."""
    transcript = Transcript("auction").absorb("terms", terms.digest()).absorb("roster", roster.digest)
    transcript.absorb("key", key_id)
    return transcript.absorb_all("enrolled", [canonical_json(e.tree()) for e in enrolled]).digest()


def check_parties(key: ThresholdKey, roster: Roster) -> None:
    """Refuse a key of a cluster of another size."""
    if key.parties != len(roster.nodes) or key.threshold != roster.threshold:
        raise CallerMistake("the key belongs to a cluster of another size; run keygen for this roster")


@dataclass(frozen=True)
class PackedValue:
    """One output value inside a packed plaintext: (value − lo)·2^shift, value − lo < 2^bits."""

    label: str
    index: int
    shift: int
    bits: int
    lo: int
    hi: int

    @property
    def mask_bits(self) -> int:
        """Every mask on this value is below 2^mask_bits."""
        return self.bits + MASK_BITS


@dataclass(frozen=True)
class Packed:
    """One output ciphertext: who may learn it and which values it holds."""

    recipient: str
    values: tuple[PackedValue, ...]


@dataclass(frozen=True)
class Setup:
    """Everything public at the start of a session."""

    terms: Terms
    roster: Roster
    key: ThresholdKey
    enrolled: tuple[Enrolled, ...]
    """Sorted by name."""

    @staticmethod
    def make(terms: Terms, roster: Roster, key: ThresholdKey, enrolled: Sequence[Enrolled]) -> "Setup":
        """Check consents and consistency; raises CallerMistake."""
        names = [e.name for e in enrolled]
        for name in names:
            if names.count(name) > 1:
                raise CallerMistake(f"participant {name} is announced twice; every participant belongs to one node")
        for e in enrolled:
            check_participant(e.name, roster)
            if e.host not in roster.names:
                raise CallerMistake(f"participant {e.name} names a host that is not in the roster")
            try:
                e.check(terms)
            except InvalidSignature:
                raise CallerMistake(f"participant {e.name} did not sign these terms") from None
        check_parties(key, roster)
        return Setup(terms, roster, key, tuple(sorted(enrolled, key=lambda e: e.name)))

    @cached_property
    def instance(self) -> Instance:
        """The policy with terms and patterns bound."""
        return POLICIES[self.terms.policy].instance(self.terms, {e.name: e.pattern for e in self.enrolled})

    @cached_property
    def parameters(self) -> PublicParameters:
        """What participants' and mask proofs are made against."""
        return PublicParameters(self.key.encryption, commitment_group())

    @cached_property
    def key_id(self) -> bytes:
        """dec_id of the key."""
        return self.key.identifier(self.parameters.group)

    @cached_property
    def demand(self) -> Demand:
        """The dry run; raises CallerMistake for terms that cannot be computed."""
        return self.instance.demand(len(self.roster.nodes), self.roster.threshold, self.terms.session.security)

    @cached_property
    def auction_id(self) -> bytes:
        """H(terms, roster, key, participants): what every commitment and proof is bound to."""
        return auction_id(self.terms, self.roster, self.key_id, self.enrolled)

    @cached_property
    def attempts(self) -> int:
        """How often the nodes may compute on the frozen bids."""
        return self.terms.session.max_attempts

    def participant(self, name: str) -> Enrolled:
        """The enrolment of a participant."""
        return next(e for e in self.enrolled if e.name == name)

    @cached_property
    def outputs(self) -> tuple[Packed, ...]:
        """The output ciphertexts, recipient by recipient; values are packed as densely as masks allow."""
        by_recipient: dict[str, list[tuple[str, int, int, int]]] = {}
        for block in self.demand.outputs:
            for i, recipient in enumerate(self.instance.recipients(block.label)):
                by_recipient.setdefault(recipient, []).append((block.label, i, block.lo, block.hi))
        everybody = [EVERYBODY] if EVERYBODY in by_recipient else []
        packed = []
        for recipient in everybody + sorted(set(by_recipient) - {EVERYBODY}):
            packed += self._pack(recipient, by_recipient[recipient])
        return tuple(packed)

    def _pack(self, recipient: str, values: Sequence[tuple[str, int, int, int]]) -> list[Packed]:
        capacity = self.key.encryption.bits - 3
        # A slot holds value − lo plus every node's mask plus the owner's mask.
        spare = (len(self.roster.nodes) + 2).bit_length()
        packed: list[Packed] = []
        slots: list[PackedValue] = []
        shift = 0
        for label, index, lo, hi in values:
            bits = (hi - lo).bit_length()
            width = bits + MASK_BITS + spare
            if shift + width > capacity:
                packed.append(Packed(recipient, tuple(slots)))
                slots, shift = [], 0
            slots.append(PackedValue(label, index, shift, bits, lo, hi))
            shift += width
        packed.append(Packed(recipient, tuple(slots)))
        return packed

    @cached_property
    def output_values(self) -> tuple[PackedValue, ...]:
        """Every output value, in the order of the output ciphertexts."""
        return tuple(value for packed in self.outputs for value in packed.values)

    @cached_property
    def mask_blind_bits(self) -> int:
        """A uniform integer of so many bits hides Σ ρ·r over one node's masks r."""
        largest = max(value.mask_bits for value in self.output_values)
        return CHALLENGE_BITS + largest + len(self.output_values).bit_length() + MASK_BITS

    def input_blind_bits(self, participant: str) -> int:
        """A uniform integer of so many bits hides Σ ρ·x over one participant's fields x."""
        largest = max(max(abs(block.lo), abs(block.hi)).bit_length() for block in self.demand.inputs)
        return CHALLENGE_BITS + largest + self.instance.field_count(participant).bit_length() + MASK_BITS

    def masked_by(self, participant: str) -> list[Packed]:
        """The output ciphertexts that the participant covers with its own mask."""
        return [packed for packed in self.outputs if packed.recipient == participant]
