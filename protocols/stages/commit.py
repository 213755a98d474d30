"""Stage 1: a participant's bid object, and what every node and every verifier checks of it.

The object holds C_bid = h^r ∏ g_i^{field_i} mod N_c, one ciphertext per field, one per blinding integer, one packed
ciphertext per mask of a private output, one proof that links all of them and shows every range and relation, a salted
hash of each node's shares, and an envelope for each node with those shares: of the fields and, at the end, of the
blinding integers (see bind.py). It is bound to the auction id and the participant's name.

A blinding integer hides one random combination of the fields. Two combinations under the same one differ by a
combination that nothing hides, so there is one for every attempt that the terms allow. The masks of private outputs
are used at most once however often the nodes compute: outputs are decrypted under a ticket only, and no node signs
two tickets of one auction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import CryptoError
from tacita.crypto.integers import Integer
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import CommitmentLink, Proof, Statement
from tacita.crypto.proofs.range import Linear, Relations, link, variable
from tacita.crypto.sealing import OVERHEAD, SealingKey, seal, unseal
from tacita.crypto.shamir import share
from tacita.crypto.transcript import Context, Transcript, digest
from tacita.protocols.faults import BadKeyShare, InvalidEncodingFault, InvalidProofFault
from tacita.protocols.stages.setup import Packed, Setup

SALT_BYTES = 32
OBJECT = "bid"


@dataclass(frozen=True)
class BidObject:
    """What a participant publishes."""

    commitment: Integer
    """C_bid, canonical mod N_c."""
    fields: tuple[Integer, ...]
    """One ciphertext per committed integer."""
    blinds: tuple[Integer, ...]
    """For each attempt the ciphertext of a blinding integer, which hides one random combination of the fields."""
    masks: tuple[Integer, ...]
    """One packed ciphertext per private output ciphertext."""
    proof: Proof
    share_hashes: tuple[bytes, ...]
    """H(salt ‖ shares) per node."""
    envelopes: tuple[bytes, ...]
    """Empty in a certificate: its digest stands in the hash."""

    def public_bytes(self, setup: Setup, participant: str) -> bytes:
        """Everything but the envelopes."""
        writer = Writer().unsigned(self.commitment, byte_width(setup.parameters.group.bits))
        for c in (*self.fields, *self.blinds, *self.masks):
            writer.unsigned(c, setup.key.encryption.ciphertext_bytes)
        for h in self.share_hashes:
            writer.fixed(h, 32)
        return writer.blob(self.proof.encode(setup.parameters, _statement(setup, participant, self))).to_bytes()

    def encode(self, setup: Setup, participant: str) -> bytes:
        """As sent to the nodes."""
        writer = Writer().blob(self.public_bytes(setup, participant))
        for envelope in self.envelopes:
            writer.blob(envelope)
        return writer.to_bytes()


@dataclass(frozen=True)
class Opening:
    """What the participant keeps until the end of the session."""

    masks: tuple[tuple[int, ...], ...] = field(repr=False)
    """Digits of each packed mask, in the order of Setup.masked_by."""


def object_hash(public: bytes, envelopes_digest: bytes) -> bytes:
    """What is committed to in the first round and signed by the participant."""
    return digest("bid-object", ("public", public), ("envelopes", envelopes_digest))


def envelopes_digest(envelopes: Sequence[bytes]) -> bytes:
    """One digest of all envelopes."""
    return Transcript("envelopes").absorb_all("envelope", envelopes).digest()


def make_object(
    setup: Setup, participant: str, values: Sequence[int], recipients: Sequence[bytes], entropy: Entropy
) -> tuple[BidObject, Opening]:
    """Commit to the participant's integers; raises RangeViolation if they break a public range.

    `recipients` are the nodes' keys for this participant's envelopes, in roster order.
    """
    parameters, nodes = setup.parameters, setup.roster.nodes
    key, prime, width = parameters.key, setup.demand.prime, byte_width(setup.demand.prime.bit_length())
    if len(values) != setup.instance.field_count(participant):
        raise ValueError("a participant commits to exactly the fields of its pattern")
    r = random_bits(entropy, parameters.group.randomness_bits)
    encrypted = [key.encrypt(v, entropy) for v in values]
    digits = [[random_bits(entropy, v.mask_bits) for v in packed.values] for packed in setup.masked_by(participant)]
    masks = [key.encrypt(_packed(p, d), entropy) for p, d in zip(setup.masked_by(participant), digits, strict=True)]
    blinds = [random_bits(entropy, setup.input_blind_bits(participant)) for _ in range(setup.attempts)]
    hidden = [key.encrypt(blind, entropy) for blind in blinds]
    dealt = [share(v, prime, setup.roster.threshold, len(nodes), entropy) for v in (*values, *blinds)]
    hashes, envelopes = [], []
    for i, node in enumerate(nodes):
        salt = entropy.token(SALT_BYTES)
        body = salt + b"".join(row[i].to_bytes(width, "big") for row in dealt)
        hashes.append(digest("shares", ("shares", body)))
        envelopes.append(seal(recipients[i], body, _envelope_context(setup, participant, node.name), entropy))
    ciphertexts, blinded, masked = (tuple(c for c, _ in made) for made in (encrypted, hidden, masks))
    relations, hiding = _relations(setup, participant)
    commitment = parameters.group.commit(values, r)
    statement = _links(setup, relations, hiding, commitment, ciphertexts, (*blinded, *masked))
    known = dict(enumerate(values))
    for terms, row in zip(hiding, [*([blind] for blind in blinds), *digits], strict=True):
        known.update((i, d) for (i, _), d in zip(terms.terms, row, strict=True))
    witness = relations.witness(known, [t for _, t in (*encrypted, *hidden, *masks)], [r], entropy)
    proof = quadratic.prove(parameters, _context(setup, participant), statement, witness, entropy)
    bid = BidObject(commitment, ciphertexts, blinded, masked, proof, tuple(hashes), tuple(envelopes))
    return bid, Opening(tuple(tuple(row) for row in digits))


def _packed(packed: Packed, digits: Sequence[int]) -> int:
    return sum(d << v.shift for v, d in zip(packed.values, digits, strict=True))


def _relations(setup: Setup, participant: str) -> tuple[Relations, list[Linear]]:
    """The policy's relations, then the ranges of the blinds and of every mask digit; returns these as linear forms."""
    relations = setup.instance.relations(participant)
    most = (1 << setup.input_blind_bits(participant)) - 1
    hiding = [relations.integer(most) for _ in range(setup.attempts)]
    for blind in hiding:
        relations.in_range(blind, 0, most)
    for packed in setup.masked_by(participant):
        terms: list[tuple[int, int]] = []
        for value in packed.values:
            digit = relations.integer((1 << value.mask_bits) - 1)
            relations.in_range(digit, 0, (1 << value.mask_bits) - 1)
            terms.append((digit.terms[0][0], 1 << value.shift))
        hiding.append(Linear(tuple(terms)))
    return relations, hiding


def _links(
    setup: Setup,
    relations: Relations,
    hiding: Sequence[Linear],
    commitment: Integer,
    fields: Sequence[Integer],
    hidden: Sequence[Integer],
) -> Statement:
    bits = setup.key.encryption.randomness_bits
    paillier = [link(c, variable(i), bits) for i, c in enumerate(fields)]
    paillier += [link(c, terms, bits) for c, terms in zip(hidden, hiding, strict=True)]
    return relations.statement(paillier, [CommitmentLink(commitment, tuple((i, i) for i in range(len(fields))))])


def _statement(setup: Setup, participant: str, bid: BidObject) -> Statement:
    relations, hiding = _relations(setup, participant)
    return _links(setup, relations, hiding, bid.commitment, bid.fields, (*bid.blinds, *bid.masks))


def _context(setup: Setup, participant: str) -> Context:
    return Context(setup.auction_id, "commit", participant, OBJECT)


def _envelope_context(setup: Setup, participant: str, node: str) -> bytes:
    place = _context(setup, participant)
    return digest("envelope-for", ("auction", place.session), ("from", place.prover), ("to", node))


def verify_public(setup: Setup, participant: str, public: bytes) -> BidObject:
    """Decode and verify everything but the envelopes; raises InvalidProofFault naming the participant."""
    parameters, count = setup.parameters, setup.instance.field_count(participant)
    try:
        reader = Reader(public, f"the bid object of {participant}")
        commitment = reader.unsigned(byte_width(parameters.group.bits))
        fields = tuple(parameters.key.read(reader) for _ in range(count))
        blinds = tuple(parameters.key.read(reader) for _ in range(setup.attempts))
        masks = tuple(parameters.key.read(reader) for _ in setup.masked_by(participant))
        hashes = tuple(reader.fixed(32) for _ in setup.roster.nodes)
        relations, hiding = _relations(setup, participant)
        statement = _links(setup, relations, hiding, commitment, fields, (*blinds, *masks))
        proof = Proof.decode(parameters, statement, reader.blob(1 << 24))
        reader.finish()
        quadratic.verify(parameters, _context(setup, participant), statement, proof)
    except CryptoError as error:
        raise InvalidProofFault(participant, f"its bid object is refused: {error}") from error
    return BidObject(commitment, fields, blinds, masks, proof, hashes, ())


def split_object(setup: Setup, sender: str, participant: str, data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """(public part, envelopes) of an object as the node `sender` sent it; raises InvalidEncodingFault naming it."""
    count = setup.instance.field_count(participant)
    size = OVERHEAD + SALT_BYTES + (count + setup.attempts) * byte_width(setup.demand.prime.bit_length())
    try:
        reader = Reader(data, f"the bid object of {participant}")
        public = reader.blob(1 << 25)
        envelopes = tuple(reader.blob(size) for _ in setup.roster.nodes)
        reader.finish()
    except CryptoError as error:
        raise InvalidEncodingFault(sender, f"it sent an object that is refused: {error}") from error
    return public, envelopes


def open_shares(
    setup: Setup, participant: str, bid: BidObject, envelope: bytes, node: str, key: SealingKey
) -> list[int]:
    """This node's shares of the participant's fields and, at the end, of its blinds.

    Raises BadKeyShare if hash, length or range is wrong.
    """
    width = byte_width(setup.demand.prime.bit_length())
    try:
        body = unseal(key, envelope, _envelope_context(setup, participant, node))
    except CryptoError as error:
        raise BadKeyShare(participant, f"its envelope for {node} does not open") from error
    if digest("shares", ("shares", body)) != bid.share_hashes[setup.roster.index(node)]:
        raise BadKeyShare(participant, f"its shares for {node} do not match the published hash")
    data = body[SALT_BYTES:]
    shares = [int.from_bytes(data[i : i + width], "big") for i in range(0, len(data), width)]
    if len(data) != width * (len(bid.fields) + len(bid.blinds)) or any(s >= setup.demand.prime for s in shares):
        raise BadKeyShare(participant, f"its shares for {node} have a wrong length or leave the field")
    return shares


def of_attempt(bid: BidObject, shares: Sequence[int], attempt: int) -> list[int]:
    """From all shares that `open_shares` found, those of the fields and of the one blind that this attempt uses."""
    count = len(bid.fields)
    return [*shares[:count], shares[count + attempt - 1]]
