"""Verifiable integer sharings of a secret that is known to be zero, or known in the exponent (R11, Feldman).

A dealer shares f(X) = a_0 + a_1·X + … over the integers and publishes A_j = v^{Δ·a_j}. The receiver with number k
checks v^{Δ·f(k)} = ∏ A_j^{k^j} and the public bound. A refresh has a_0 = 0 and no A_0; a resharing has
a_0 = Δ'·λ_i·s_i, whose A_0 everybody compares with the dealer's verification key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpz

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_below
from tacita.crypto.errors import CryptoError, InvalidEncoding, InvalidProof
from tacita.crypto.integers import Integer, is_unit_of_symbol_one, multi_power, secret_power
from tacita.crypto.paillier import EncryptionKey
from tacita.protocols.envelope import open_signed
from tacita.protocols.faults import BadKeyShare, Evidence, PeerRefused
from tacita.protocols.keygen.derivation import evaluate
from tacita.protocols.roster import Roster

CHECK = "key-sharing"


@dataclass(frozen=True)
class Dealing:
    """The public side of everybody's sharings in one refresh or resharing."""

    encryption: EncryptionKey
    v: Integer
    delta: int
    """Δ = m! of the receivers."""
    degree: int
    coefficient_bound: int
    """Every coefficient lies in ±this."""
    share_bound: int
    first: int
    """0 if A_0 is published, 1 if a_0 = 0."""

    @property
    def width(self) -> int:
        """Bytes of a share."""
        return byte_width(self.share_bound.bit_length() + 1)

    def draw(self, secret: Integer, entropy: Entropy) -> list[Integer]:
        """a_0, …, a_t."""
        span = 2 * self.coefficient_bound + 1
        return [secret, *(mpz(random_below(entropy, span)) - self.coefficient_bound for _ in range(self.degree))]

    def commit(self, coefficients: Sequence[Integer]) -> bytes:
        """The published A_j."""
        writer, square = Writer(), self.encryption.square
        for a in coefficients[self.first :]:
            writer.unsigned(secret_power(self.v, self.delta * a, square), self.encryption.ciphertext_bytes)
        return writer.to_bytes()

    def read(self, data: bytes) -> list[Integer]:
        """The inverse of commit; raises InvalidEncoding."""
        reader = Reader(data, "the commitments of a sharing")
        values = [self.encryption.read(reader) for _ in range(self.first, self.degree + 1)]
        reader.finish()
        for value in values:
            if not 0 < value < self.encryption.square or not is_unit_of_symbol_one(value, self.encryption.modulus):
                raise InvalidEncoding("a commitment of a sharing is not a unit of Jacobi symbol +1")
        return values

    def share(self, coefficients: Sequence[Integer], receiver: int) -> bytes:
        """The private message to one receiver."""
        return Writer().signed(evaluate(coefficients, receiver), self.width).to_bytes()

    def exponentiated(self, commitments: Sequence[Integer], receiver: int) -> Integer:
        """∏ A_j^{k^j} = v^{Δ·f(k)}."""
        powers = [receiver**j for j in range(self.first, self.degree + 1)]
        return multi_power(commitments, powers, self.encryption.square)

    def open(self, data: bytes, commitments: Sequence[Integer], receiver: int) -> Integer:
        """A received share, checked; raises CryptoError."""
        reader = Reader(data, "a share")
        value = mpz(reader.signed(self.width))
        reader.finish()
        if abs(value) > self.share_bound:
            raise InvalidEncoding("a share is above its public bound")
        expected = self.exponentiated(commitments, receiver)
        if secret_power(self.v, self.delta * value, self.encryption.square) != expected:
            raise InvalidProof("a share does not match what its dealer published")
        return value


def complaint(dealer: str, reason: str, signed: tuple[bytes, bytes]) -> BadKeyShare:
    """What a receiver shows: the dealer's signed commitments and the dealer's signed private message."""
    return BadKeyShare(dealer, reason, Evidence(CHECK, signed))


def verdict(
    dealing: Dealing, rounds: tuple[str, str], roster: Roster, receivers: Roster, evidence: object
) -> BadKeyShare | None:
    """The fault that a complaint proves, or None: both messages signed by one dealer in one session, and unequal."""
    if not isinstance(evidence, Evidence) or evidence.check != CHECK or len(evidence.signed) != 2:
        return None
    try:
        (public, _), (private, _) = (open_signed(data, roster) for data in evidence.signed)
        if (public.session, public.sender) != (private.session, private.sender):
            return None
        if (public.round, private.round) != rounds or private.receiver not in receivers.names:
            return None
        commitments = dealing.read(public.payload)
    except (CryptoError, PeerRefused):
        return None
    try:
        dealing.open(private.payload, commitments, receivers.index(private.receiver) + 1)
    except CryptoError as error:
        return BadKeyShare(public.sender, str(error), evidence)
    return None
