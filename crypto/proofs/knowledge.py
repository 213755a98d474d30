"""Proof of knowledge of a plaintext: "I know m and r with c = (1+mN)·h_s^r", for one ciphertext.

An IntQuad proof with a Paillier link already shows this; this one is for a ciphertext that comes alone.
"""

from dataclasses import dataclass, field

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_below, random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.integers import Integer, inverse, power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tacita.crypto.transcript import Context, Transcript


@dataclass(frozen=True)
class Statement:
    """One ciphertext c."""

    ciphertext: Integer


@dataclass(frozen=True)
class Witness:
    """m and r with c = (1 + mN)·h_s^r, r < 2^R."""

    plaintext: Integer = field(repr=False)
    randomness: Integer = field(repr=False)


@dataclass(frozen=True)
class Proof:
    """e = H(…, A), z = α + e·m mod N, s = ρ + e·r."""

    challenge: int
    plaintext: Integer
    randomness: Integer

    def encode(self, parameters: PublicParameters) -> bytes:
        """challenge ‖ z ‖ s at fixed widths."""
        writer = Writer().unsigned(self.challenge, CHALLENGE_BITS // 8)
        writer.unsigned(self.plaintext, byte_width(parameters.key.bits))
        return writer.unsigned(self.randomness, byte_width(_response_bits(parameters))).to_bytes()

    @staticmethod
    def decode(parameters: PublicParameters, data: bytes) -> "Proof":
        """The inverse of encode; raises InvalidEncoding."""
        reader = Reader(data, "a proof of knowledge")
        challenge = reader.unsigned(CHALLENGE_BITS // 8)
        plaintext = reader.unsigned(byte_width(parameters.key.bits))
        proof = Proof(challenge, plaintext, reader.unsigned(byte_width(_response_bits(parameters))))
        reader.finish()
        return proof


def _response_bits(parameters: PublicParameters) -> int:
    return int(parameters.key.randomness_bits + CHALLENGE_BITS + HIDING_BITS + 1)


def _challenge(parameters: PublicParameters, context: Context, statement: Statement, announcement: Integer) -> int:
    transcript = Transcript("knowledge", context).absorb("parameters", parameters.identifier)
    transcript.absorb("ciphertext", statement.ciphertext).absorb("A", announcement)
    return transcript.challenge("e")


def prove(
    parameters: PublicParameters, context: Context, statement: Statement, witness: Witness, entropy: Entropy
) -> Proof:
    """Show knowledge of the plaintext without showing anything about it."""
    key = parameters.key
    if not 0 <= witness.randomness < 1 << key.randomness_bits:
        raise ValueError("the randomness is longer than its mask would hide")
    if key.encrypt_with(witness.plaintext, witness.randomness) != statement.ciphertext:
        raise ValueError("the witness does not open the ciphertext")
    alpha = random_below(entropy, int(key.modulus))
    rho = random_bits(entropy, _response_bits(parameters) - 1)
    announcement = key.with_plaintext(alpha) * key.h_s.power(rho) % key.square
    e = _challenge(parameters, context, statement, announcement)
    return Proof(e, (alpha + e * witness.plaintext) % key.modulus, rho + e * witness.randomness)


def verify(parameters: PublicParameters, context: Context, statement: Statement, proof: Proof) -> None:
    """Return None, or raise InvalidProof or InvalidCiphertext."""
    key, e = parameters.key, proof.challenge
    if not 0 <= e < 1 << CHALLENGE_BITS or not 0 <= proof.plaintext < key.modulus:
        raise InvalidProof("a response of the proof of knowledge is out of range")
    if not 0 <= proof.randomness < 1 << _response_bits(parameters):
        raise InvalidProof("the randomness response of the proof of knowledge is out of range")
    key.check(statement.ciphertext)
    announcement = key.with_plaintext(proof.plaintext) * key.h_s.power(proof.randomness)
    announcement = announcement * inverse(power(statement.ciphertext, e, key.square), key.square) % key.square
    if _challenge(parameters, context, statement, announcement) != e:
        raise InvalidProof("the proof of knowledge does not verify")
