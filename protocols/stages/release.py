"""Stage 4: output shares become ciphertexts, all nodes sign the ticket, then any t+1 decrypt with proofs.

Every node posts packed encryptions of random masks r_i with exact ranges and feeds r_i into the engine, which opens
b = a − lo + Σ r_i for every output a. Everybody forms c = (1 + b·N)·∏ Enc(r_i)⁻¹, an encryption of a − lo that no
single node made; a private output also gets its owner's committed mask. The ticket fixes the output ciphertexts
and their recipients before the first partial decryption, so outputs are a deterministic function of it: nobody can
look first and refuse, repeat or change the decryption afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gmpy2 import mpz

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import CryptoError
from tacita.crypto.integers import Integer, inverse
from tacita.crypto.proofs import decryption, quadratic
from tacita.crypto.proofs.quadratic import Proof, Statement
from tacita.crypto.proofs.range import Linear, Relations, link
from tacita.crypto.security import MASK_BITS
from tacita.crypto.threshold import KeyShare, combine, partial_decrypt
from tacita.crypto.transcript import Context, Transcript
from tacita.protocols.faults import BadPartialDecryption, InvalidProofFault, VerificationFailed
from tacita.protocols.policies.base import EVERYBODY
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.setup import Packed, Setup


@dataclass(frozen=True)
class Masks:
    """One node's masks: the secret digits and what it posts."""

    digits: tuple[tuple[int, ...], ...] = field(repr=False)
    ciphertexts: tuple[Integer, ...]
    proof: Proof

    def encode(self, setup: Setup) -> bytes:
        """ciphertexts ‖ proof."""
        writer = Writer()
        for c in self.ciphertexts:
            writer.unsigned(c, setup.key.encryption.ciphertext_bytes)
        statement = _mask_statement(setup, self.ciphertexts)[1]
        return writer.blob(self.proof.encode(setup.parameters, statement)).to_bytes()

    def by_label(self, setup: Setup) -> dict[str, list[int]]:
        """The digits in the engine's order {output label: r per element}."""
        blocks = {block.label: [0] * block.size for block in setup.demand.outputs}
        for packed, digits in zip(setup.outputs, self.digits, strict=True):
            for value, digit in zip(packed.values, digits, strict=True):
                blocks[value.label][value.index] = digit
        return blocks


def _mask_statement(setup: Setup, ciphertexts: Sequence[Integer]) -> tuple[Relations, Statement]:
    relations, forms = Relations(), []
    for packed in setup.outputs:
        terms: list[tuple[int, int]] = []
        for value in packed.values:
            digit = relations.integer((1 << value.mask_bits) - 1)
            relations.in_range(digit, 0, (1 << value.mask_bits) - 1)
            terms.append((digit.terms[0][0], 1 << value.shift))
        forms.append(Linear(tuple(terms)))
    bits = setup.key.encryption.randomness_bits
    return relations, relations.statement([link(c, f, bits) for c, f in zip(ciphertexts, forms, strict=True)])


def _mask_context(session: bytes, node: str) -> Context:
    return Context(session, "masks", node, "output masks")


def make_masks(setup: Setup, session: bytes, node: str, entropy: Entropy) -> Masks:
    """Fresh masks for every output value; never use them for a second session or attempt."""
    digits = [[random_bits(entropy, v.mask_bits) for v in packed.values] for packed in setup.outputs]
    encrypted = [
        setup.key.encryption.encrypt(sum(d << v.shift for v, d in zip(p.values, row, strict=True)), entropy)
        for p, row in zip(setup.outputs, digits, strict=True)
    ]
    ciphertexts = tuple(c for c, _ in encrypted)
    relations, statement = _mask_statement(setup, ciphertexts)
    indices = [i for quad in statement.paillier for i, _ in quad.terms]
    known = dict(zip(indices, (d for row in digits for d in row), strict=True))
    witness = relations.witness(known, [t for _, t in encrypted], [], entropy)
    proof = quadratic.prove(setup.parameters, _mask_context(session, node), statement, witness, entropy)
    return Masks(tuple(tuple(row) for row in digits), ciphertexts, proof)


def verify_masks(setup: Setup, session: bytes, node: str, data: bytes) -> tuple[Integer, ...]:
    """The node's mask ciphertexts, verified; raises InvalidProofFault naming the node."""
    try:
        reader = Reader(data, f"the masks of {node}")
        ciphertexts = tuple(setup.key.encryption.read(reader) for _ in setup.outputs)
        statement = _mask_statement(setup, ciphertexts)[1]
        proof = Proof.decode(setup.parameters, statement, reader.blob(1 << 24))
        reader.finish()
        quadratic.verify(setup.parameters, _mask_context(session, node), statement, proof)
    except CryptoError as error:
        raise InvalidProofFault(node, f"its output masks are refused: {error}") from error
    return ciphertexts


def output_ciphertexts(
    setup: Setup,
    opened: Mapping[str, Sequence[int]],
    masks: Sequence[Sequence[Integer]],
    bids: Mapping[str, BidObject],
) -> list[Integer]:
    """The ciphertexts that will be decrypted, one per Setup.outputs; `opened` holds b per output label."""
    encryption, results = setup.key.encryption, []
    used: dict[str, int] = {}
    for position, packed in enumerate(setup.outputs):
        total = sum(mpz(opened[v.label][v.index]) << v.shift for v in packed.values)
        c = encryption.with_plaintext(total)
        for row in masks:
            c = c * inverse(row[position], encryption.square) % encryption.square
        if packed.recipient != EVERYBODY:
            number = used.get(packed.recipient, 0)
            used[packed.recipient] = number + 1
            c = c * bids[packed.recipient].masks[number] % encryption.square
        encryption.check(c)
        results.append(c)
    return results


def check_opened(setup: Setup, opened: Mapping[str, Sequence[int]]) -> None:
    """Refuse opened values outside [0, 2^bits + m·2^mask_bits): they cannot be sums of a value and masks."""
    if set(opened) != {block.label for block in setup.demand.outputs}:
        raise VerificationFailed("the opened output masks have wrong labels")
    parties = len(setup.roster.nodes)
    for block in setup.demand.outputs:
        bits = (block.hi - block.lo).bit_length()
        limit = (1 << bits) + (parties << (bits + MASK_BITS))
        if len(opened[block.label]) != block.size or any(not 0 <= b < limit for b in opened[block.label]):
            raise VerificationFailed(f"the opened masks of '{block.label}' have a wrong number or size")


def ticket(setup: Setup, session: bytes, freeze: bytes, root: bytes, ciphertexts: Sequence[Integer]) -> bytes:
    """H(session, freeze digest, transcript root, output ciphertexts with recipients): signed before decryption."""
    transcript = Transcript("ticket").absorb("auction", setup.auction_id).absorb("session", session)
    transcript.absorb("freeze", freeze).absorb("root", root).absorb("outputs", len(ciphertexts))
    for packed, c in zip(setup.outputs, ciphertexts, strict=True):
        transcript.absorb("recipient", packed.recipient).absorb("ciphertext", c)
    return transcript.digest()


# ---- decryption ---------------------------------------------------------------------------------------------------


def _decryption_context(ticket_digest: bytes, node: str) -> Context:
    return Context(ticket_digest, "release", node, "outputs")


def decrypt_partially(
    setup: Setup, ticket_digest: bytes, node: str, share: KeyShare, ciphertexts: Sequence[Integer], entropy: Entropy
) -> bytes:
    """This node's partial decryptions of exactly the ticket's ciphertexts, with one proof for all."""
    partials = [partial_decrypt(setup.key, share, c) for c in ciphertexts]
    statement = decryption.statement_for(setup.key, share.index, ciphertexts, partials)
    context = _decryption_context(ticket_digest, node)
    proof = decryption.prove(setup.key, setup.parameters.group, context, statement, share, entropy)
    writer = Writer()
    for w in partials:
        writer.unsigned(w, setup.key.encryption.ciphertext_bytes)
    return writer.blob(proof.encode(setup.key)).to_bytes()


def verify_partials(
    setup: Setup, ticket_digest: bytes, node: str, ciphertexts: Sequence[Integer], data: bytes
) -> list[Integer]:
    """The node's partial decryptions, verified; raises BadPartialDecryption naming the node."""
    try:
        reader = Reader(data, f"the partial decryptions of {node}")
        partials = [mpz(reader.unsigned(setup.key.encryption.ciphertext_bytes)) for _ in ciphertexts]
        proof = decryption.Proof.decode(setup.key, reader.blob(1 << 16))
        reader.finish()
        statement = decryption.statement_for(setup.key, setup.roster.index(node) + 1, ciphertexts, partials)
        context = _decryption_context(ticket_digest, node)
        decryption.verify(setup.key, setup.parameters.group, context, statement, proof)
    except CryptoError as error:
        raise BadPartialDecryption(node, f"its partial decryption is refused: {error}") from error
    return partials


def decrypt(setup: Setup, partials: Mapping[str, Sequence[Integer]]) -> list[int]:
    """The packed plaintexts from t+1 nodes' verified partial decryptions."""
    points = {setup.roster.index(node) + 1: values for node, values in partials.items()}
    count = len(setup.outputs)
    return [int(combine(setup.key, {i: values[j] for i, values in points.items()})) for j in range(count)]


def unpack(packed: Packed, plaintext: int, masks: Sequence[int] | None = None) -> list[tuple[str, int, int]]:
    """(label, index, value) of every packed value, minus the owner's masks if given.

    Raises VerificationFailed if a value is outside its public interval.
    """
    if masks is not None:
        plaintext -= sum(d << v.shift for v, d in zip(packed.values, masks, strict=True))
    if plaintext < 0:
        raise VerificationFailed("a decrypted output is negative, which no honest session produces")
    results, ends = [], [v.shift for v in packed.values[1:]] + [plaintext.bit_length() + 1]
    for value, end in zip(packed.values, ends, strict=True):
        digit = (plaintext >> value.shift) & ((1 << max(0, end - value.shift)) - 1)
        if digit > value.hi - value.lo:
            raise VerificationFailed(f"the decrypted output '{value.label}' leaves its public interval")
        results.append((value.label, value.index, digit + value.lo))
    return results
