"""Batched proof of correct partial decryption: one node, k ciphertexts, one proof of fixed size.

w_j = c_j^{2Δs} for the share s behind v_i = v^{Δs}. With 128-bit ρ_j: X = (∏c_j^{ρ_j})^4, W = (∏w_j^{ρ_j})²;
A = v^r, B = X^r, e = H(…, A, B), z = r + e·Δ·s; check A = v^z·v_i^{−e}, B = X^z·W^{−e}. Everything is squared, so
a sign-flipped w_j passes by design and combines to the right plaintext. Soundness is computational, while the
prover does not know the factors of N.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tacita.crypto.commitment import CommitmentGroup
from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.integers import Integer, inverse, is_unit_of_symbol_one, multi_power, power, secret_power
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.crypto.transcript import Context, Transcript


@dataclass(frozen=True)
class Statement:
    """Node `index` (1-based) decrypted `ciphertexts` to `partials`, in this order."""

    index: int
    ciphertexts: tuple[Integer, ...]
    partials: tuple[Integer, ...]


Witness = KeyShare
"""The node's share s."""


@dataclass(frozen=True)
class Proof:
    """(e, z)."""

    challenge: int
    response: Integer

    def encode(self, key: ThresholdKey) -> bytes:
        """e ‖ z at fixed widths."""
        writer = Writer().unsigned(self.challenge, CHALLENGE_BITS // 8)
        return writer.signed(self.response, _response_width(key)).to_bytes()

    @staticmethod
    def decode(key: ThresholdKey, data: bytes) -> "Proof":
        """The inverse of encode; raises InvalidEncoding."""
        reader = Reader(data, "a decryption proof")
        proof = Proof(reader.unsigned(CHALLENGE_BITS // 8), reader.signed(_response_width(key)))
        reader.finish()
        return proof


def _mask_bits(key: ThresholdKey) -> int:
    # The mask must hide e·Δ·s for the longest share the key allows (attack A66), so it uses sigma, not |N|.
    return key.sigma + key.delta.bit_length() + CHALLENGE_BITS + HIDING_BITS


def _response_width(key: ThresholdKey) -> int:
    return byte_width(_mask_bits(key) + 2)


def _combine(
    key: ThresholdKey, group: CommitmentGroup, context: Context, statement: Statement
) -> tuple[Transcript, list[int], Integer]:
    transcript = Transcript("decryption", context).absorb("key", key.identifier(group))
    transcript.absorb("index", statement.index).absorb("v", key.v)
    transcript.absorb("v_i", key.verification[statement.index - 1])
    transcript.absorb_all("c", statement.ciphertexts).absorb_all("w", statement.partials)
    rho = transcript.challenges("rho", len(statement.ciphertexts)) if len(statement.ciphertexts) > 1 else [1]
    square = key.encryption.square
    return transcript, rho, power(multi_power(statement.ciphertexts, rho, square), 4, square)


def _check_shape(key: ThresholdKey, statement: Statement) -> None:
    if not 1 <= statement.index <= key.parties:
        raise InvalidProof("the decrypting node has no place in this key")
    if not statement.ciphertexts or len(statement.ciphertexts) != len(statement.partials):
        raise InvalidProof("there must be one partial decryption for every ciphertext")


def prove(
    key: ThresholdKey,
    group: CommitmentGroup,
    context: Context,
    statement: Statement,
    witness: Witness,
    entropy: Entropy,
) -> Proof:
    """Show that every partial decryption used the share behind the node's verification key."""
    _check_shape(key, statement)
    for c in statement.ciphertexts:
        key.encryption.check(c)
    if abs(witness.secret) >= 1 << key.sigma:
        raise ValueError("the share is longer than its mask would hide")
    square, scaled = key.encryption.square, key.delta * witness.secret
    transcript, _, x = _combine(key, group, context, statement)
    mask = random_bits(entropy, _mask_bits(key))
    transcript.absorb("A", secret_power(key.v, mask, square)).absorb("B", secret_power(x, mask, square))
    e = transcript.challenge("e")
    return Proof(e, mask + e * scaled)


def verify(key: ThresholdKey, group: CommitmentGroup, context: Context, statement: Statement, proof: Proof) -> None:
    """Return None, or raise InvalidProof or InvalidCiphertext."""
    _check_shape(key, statement)
    e, z, encryption = proof.challenge, proof.response, key.encryption
    if not 0 <= e < 1 << CHALLENGE_BITS or not abs(z) < 1 << (_mask_bits(key) + 1):
        raise InvalidProof("a response of the decryption proof is out of range")
    for c in statement.ciphertexts:
        encryption.check(c)
    for w in statement.partials:
        if not 0 < w < encryption.square or not is_unit_of_symbol_one(w, encryption.modulus):
            raise InvalidProof("a partial decryption is not a unit of Jacobi symbol +1")
    transcript, rho, x = _combine(key, group, context, statement)
    square = encryption.square
    w = power(multi_power(statement.partials, rho, square), 2, square)
    a = power(key.v, z, square) * inverse(power(key.verification[statement.index - 1], e, square), square) % square
    b = power(x, z, square) * inverse(power(w, e, square), square) % square
    if transcript.absorb("A", a).absorb("B", b).challenge("e") != e:
        raise InvalidProof("the decryption proof does not verify")


def statement_for(
    key: ThresholdKey, index: int, ciphertexts: Sequence[Integer], partials: Sequence[Integer]
) -> Statement:
    """The statement that a verifier builds for itself from the ciphertexts it recomputed."""
    statement = Statement(index, tuple(ciphertexts), tuple(partials))
    _check_shape(key, statement)
    return statement
