"""Paillier encryption in the Damgård–Jurik–Nielsen form: c = (1 + m·N)·h_s^r mod N², r < 2^{|N|/2}.

h_s = (−x²)^N with a hashed x; indistinguishability from full-length exponents reduces to factoring. Plaintexts
are integers in (−N/2, N/2). Every ciphertext carries the public interval that its plaintext is known to lie in:
whoever uses a ciphertext can tell whether a sum, a product or a masked opening can wrap around.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gmpy2 import mpz

from tacita.crypto.commitment import CommitmentGroup, hash_to_unit
from tacita.crypto.encoding import Reader, byte_width
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import InvalidCiphertext, InvalidKey, RangeViolation
from tacita.crypto.integers import FixedBase, Integer, inverse, is_unit_of_symbol_one, power
from tacita.crypto.transcript import digest


@dataclass(frozen=True)
class Ciphertext:
    """A checked element of Z*_{N²} and the public bounds lo ≤ plaintext ≤ hi."""

    value: Integer
    lo: int
    hi: int


class EncryptionKey:
    """N and what follows from it; make it through `encryption_key`, which caches the tables."""

    def __init__(self, modulus: int) -> None:
        if modulus < 15 or modulus % 4 != 1:
            raise InvalidKey("a Paillier modulus must be a product of two primes that are 3 mod 4")
        self.modulus = mpz(modulus)
        self.square = self.modulus * self.modulus
        self.bits = self.modulus.bit_length()
        self.randomness_bits = self.bits // 2
        """R: exponents of h_s have R bits."""
        self.ciphertext_bytes = byte_width(2 * self.bits)

    @cached_property
    def h_s(self) -> FixedBase:
        """(−x²)^N mod N², x = hash_to_unit(N, "h_s"); its known roots are harmless."""
        x = hash_to_unit(self.modulus, "h_s")
        return FixedBase(power(self.modulus - x * x % self.modulus, self.modulus, self.square), self.square)

    @property
    def half(self) -> Integer:
        """The largest plaintext, (N − 1)/2."""
        return (self.modulus - 1) // 2

    def encrypt(self, plaintext: Integer, entropy: Entropy) -> tuple[Integer, Integer]:
        """Return (ciphertext, randomness); keep the randomness for the proof, then forget it."""
        randomness = random_bits(entropy, self.randomness_bits)
        return self.encrypt_with(plaintext, randomness), randomness

    def encrypt_with(self, plaintext: Integer, randomness: Integer) -> Integer:
        """(1 + plaintext·N)·h_s^randomness mod N²."""
        if abs(plaintext) > self.half:
            raise RangeViolation("this plaintext does not fit the key: |m| must stay below N/2")
        return self.with_plaintext(plaintext) * self.h_s.power(randomness) % self.square

    def with_plaintext(self, plaintext: Integer) -> Integer:
        """The ciphertext 1 + plaintext·N of randomness 0 (plaintext may be any integer, it counts mod N)."""
        return 1 + plaintext % self.modulus * self.modulus

    def check(self, value: Integer) -> None:
        """Refuse what no honest encryptor makes: out of (0, N²), not a unit, or of Jacobi symbol −1.

        The symbol matters: of Y with symbol −1, Y^X shows the parity of a secret X (attack A65).
        """
        if not 0 < value < self.square:
            raise InvalidCiphertext("a ciphertext lies outside (0, N²)")
        if not is_unit_of_symbol_one(value, self.modulus):
            raise InvalidCiphertext("a ciphertext has Jacobi symbol 0 or −1 modulo N")

    def receive(self, value: Integer, lo: int, hi: int) -> Ciphertext:
        """Check a value that came from outside and attach the bounds that a proof shows for it."""
        self.check(value)
        return self.bounded(value, lo, hi)

    def bounded(self, value: Integer, lo: int, hi: int) -> Ciphertext:
        """Attach public bounds; refuses a reversed interval and one that leaves (−N/2, N/2)."""
        if lo > hi:
            raise RangeViolation(f"the interval [{lo}, {hi}] is reversed")
        if max(abs(lo), abs(hi)) > self.half:
            raise RangeViolation("this interval could wrap around modulo N; use smaller bounds or a longer key")
        return Ciphertext(mpz(value), int(lo), int(hi))

    def read(self, reader: Reader) -> Integer:
        """Read one ciphertext at its fixed width; the caller checks it with `receive`."""
        return mpz(reader.unsigned(self.ciphertext_bytes))

    def add(self, terms: Sequence[Ciphertext]) -> Ciphertext:
        """The sum of plaintexts; bounds add up."""
        value = mpz(1)
        for term in terms:
            value = value * term.value % self.square
        return self.bounded(value, sum(c.lo for c in terms), sum(c.hi for c in terms))

    def constant(self, plaintext: int) -> Ciphertext:
        """A public plaintext."""
        return self.bounded(self.with_plaintext(plaintext), plaintext, plaintext)


@lru_cache(maxsize=16)
def encryption_key(modulus: int) -> EncryptionKey:
    """The key object of a modulus; its tables are built once per process."""
    return EncryptionKey(modulus)


@dataclass(frozen=True)
class PublicParameters:
    """What participants' proofs are made against: the encryption key and the commitment group."""

    key: EncryptionKey
    group: CommitmentGroup

    def __post_init__(self) -> None:
        if self.key.modulus == self.group.modulus or inverse_fails(self.key.modulus, self.group.modulus):
            raise InvalidKey("the commitment modulus must be coprime to the Paillier modulus (attack A62)")

    @cached_property
    def identifier(self) -> bytes:
        """enc_id = H(N, N_c, R, R_c, CRS): without the refresh epoch, so that a refresh voids no proof."""
        return digest(
            "encryption-parameters",
            ("N", self.key.modulus),
            ("h_s", self.key.h_s.base),
            ("R", self.key.randomness_bits),
            ("R_c", self.group.randomness_bits),
            ("group", self.group.identifier),
        )


def inverse_fails(value: Integer, modulus: Integer) -> bool:
    """True iff gcd(value, modulus) > 1."""
    try:
        inverse(value, modulus)
    except ZeroDivisionError:
        return True
    return False
