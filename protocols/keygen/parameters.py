"""Public sizes of a ceremony: the lattice of candidates (R1, R2), the field of the product, integer bounds (R10).

A candidate is p = C + Σ p_i with p_i = b_i + L·r_i, L = M·F. F = 8·∏_{3≤ℓ≤47} ℓ fixes p = −1 mod F; M is the product
of the next primes and p is a unit modulo M. L ≤ 2^{k/2−128}: a cheater may come to know p mod L and q mod L, and 128
bits beyond Coppersmith's bound stay unknown. C and the range R of r_i keep p, q in [√2·2^{k−1}, 2^k), so N = p·q has
exactly 2k bits. No bound is ever computed from actual values.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import factorial, log

import gmpy2
from gmpy2 import mpz

from tacita.crypto.encoding import byte_width
from tacita.crypto.integers import Integer, inverse
from tacita.crypto.security import ALLOWED_MODULUS_BITS
from tacita.crypto.shamir import coefficients_at
from tacita.crypto.threshold import lagrange
from tacita.crypto.transcript import digest
from tacita.protocols.faults import CallerMistake
from tacita.protocols.roster import check_size

VERSION = "tacita/keygen/1"
FIXED_PRIMES_TO = 47
TEST_BITS = 1024
SMALL_PRIMES_TO = 2000
"""Every node divides by these itself; the larger ones are split among the nodes."""


@lru_cache(maxsize=16)
def primes_between(low: int, high: int) -> tuple[int, ...]:
    """The primes ℓ with low < ℓ ≤ high."""
    composite = bytearray(high + 1)
    for i in range(2, int(high**0.5) + 1):
        if not composite[i]:
            composite[i * i :: i] = b"\1" * len(range(i * i, high + 1, i))
    return tuple(i for i in range(max(2, low + 1), high + 1) if not composite[i])


@dataclass(frozen=True)
class Parameters:
    """Everything that all nodes must agree on before the first seed is drawn."""

    bits: int
    """Length of N; k = bits/2."""
    parties: int
    threshold: int
    batch: int
    """Candidates per batch, a power of two."""
    fixed: int
    """F: p = q = −1 mod F."""
    sieve: int
    """M: p and q are units modulo every prime of M."""
    trial_limit: int = 1 << 20
    rounds: int = 128
    """Rounds of the biprimality test of the key that is kept."""
    statistical: int = 128

    @staticmethod
    def standard(bits: int, parties: int, batch: int = 256, allow_test_bits: bool = False) -> "Parameters":
        """The usual sizes; 1024 bits are for tests only. Raises CallerMistake."""
        check_size(parties)
        if bits not in ALLOWED_MODULUS_BITS and not (allow_test_bits and bits == TEST_BITS):
            raise CallerMistake(f"a key of {bits} bits cannot be made; choose 2048 or 3072")
        fixed = 4 * gmpy2.primorial(FIXED_PRIMES_TO)
        return Parameters.fitting(bits, parties, batch, int(fixed), bits // 4 - 128)

    @staticmethod
    def fitting(bits: int, parties: int, batch: int, fixed: int, lattice_bits: int) -> "Parameters":
        """M takes the primes that F does not hold, as many as fit into L ≤ 2^lattice_bits (R1: never more)."""
        sieve = 1
        for prime in primes_between(max(2, parties), 1 << 12):
            if fixed % prime:
                if (sieve * prime * fixed).bit_length() > lattice_bits:
                    break
                sieve *= prime
        return Parameters(bits, parties, (parties - 1) // 2, batch, fixed, sieve)

    def __post_init__(self) -> None:
        small = primes_between(2, self.parties)
        if self.fixed % 8 or any(self.fixed % prime for prime in small) or gmpy2.gcd(self.fixed, self.sieve) != 1:
            raise CallerMistake("F must be a multiple of 8 and of every prime up to the number of nodes, coprime to M")
        if self.batch & (self.batch - 1) or self.batch < 2 or self.bits % 2 or self.sieve < 2:
            raise CallerMistake("a batch must be a power of two, and M must hold at least one prime")
        if self.threshold < 1 or self.parties < 2 * self.threshold + 1 or self.lift_range < 16:
            raise CallerMistake("these sizes leave no honest majority or no room for the candidates' random part")

    @cached_property
    def digest(self) -> bytes:
        """Identifies the parameter set."""
        names = "bits", "parties", "threshold", "batch", "fixed", "sieve", "trial_limit", "rounds", "statistical"
        return digest("keygen-parameters", ("version", VERSION), *((name, getattr(self, name)) for name in names))

    # ---- the lattice of candidates ----------------------------------------------------------------------------

    @property
    def half(self) -> int:
        """k: bits of p and q."""
        return self.bits // 2

    @cached_property
    def lattice(self) -> Integer:
        """L = M·F."""
        return mpz(self.sieve) * self.fixed

    @cached_property
    def offset(self) -> Integer:
        """C = c·L, the public part of p and q: the first multiple of L above √2·2^{k−1}."""
        return (gmpy2.isqrt(mpz(1) << (self.bits - 1)) // self.lattice + 1) * self.lattice

    @cached_property
    def lift_range(self) -> Integer:
        """R: every r_i lies in [0, R), so that C + Σ p_i < 2^k."""
        return ((mpz(1) << self.half) // self.lattice - self.offset // self.lattice - self.parties) // self.parties

    @cached_property
    def field(self) -> Integer:
        """P: the prime field in which N = p·q is computed."""
        return gmpy2.next_prime(mpz(1) << (self.bits + 1))

    @cached_property
    def lift(self) -> Integer:
        """F·(F^{-1} mod M): carries a residue modulo M to the lattice, 0 modulo F."""
        return self.fixed * inverse(self.fixed, self.sieve)

    def residue(self, party: int) -> Integer:
        """What party i adds modulo L: party 1 makes p = −1 mod F, the others add nothing."""
        return self.sieve * inverse(self.sieve, self.fixed) * (self.fixed - 1) % self.lattice if party == 1 else mpz(0)

    def public_part(self, party: int) -> Integer:
        """C, which party 1 adds when p and q are shared."""
        return self.offset if party == 1 else mpz(0)

    @cached_property
    def expected_candidates(self) -> int:
        """Mean number of candidates until p and q are both prime: (ln 2^k · ∏ (1 − 1/ℓ))² over the sieved primes ℓ."""
        density = self.half * log(2)
        for prime in primes_between(1, 1 << 12):
            if self.lattice % prime == 0:
                density *= 1 - 1 / prime
        return max(1, round(density**2))

    # ---- who does what ----------------------------------------------------------------------------------------

    @property
    def everyone(self) -> range:
        """Party numbers 1..m, the evaluation points."""
        return range(1, self.parties + 1)

    @property
    def sievers(self) -> range:
        """The t+1 parties that contribute a unit factor; one of them is honest."""
        return range(1, self.threshold + 2)

    @property
    def openers(self) -> range:
        """The 2t+1 parties that open a product of degree 2t."""
        return range(1, 2 * self.threshold + 2)

    @cached_property
    def sieve_weights(self) -> list[Integer]:
        """λ_i of all m points modulo M (units: every prime of M exceeds m)."""
        return [mpz(w) for w in coefficients_at(list(self.everyone), 0, self.sieve)]

    @cached_property
    def field_weights(self) -> list[Integer]:
        """λ_i of the 2t+1 openers modulo P."""
        return [mpz(w) for w in coefficients_at(list(self.openers), 0, int(self.field))]

    # ---- widths in bytes --------------------------------------------------------------------------------------

    @property
    def sieve_width(self) -> int:
        """Bytes of an integer modulo M."""
        return byte_width(self.sieve.bit_length())

    @property
    def field_width(self) -> int:
        """Bytes of an integer modulo P."""
        return byte_width(self.field.bit_length())

    @property
    def modulus_width(self) -> int:
        """Bytes of an integer modulo N."""
        return byte_width(self.bits)

    # ---- integer sharing (R10) --------------------------------------------------------------------------------

    @cached_property
    def delta(self) -> int:
        """Δ = m!."""
        return factorial(self.parties)

    def phi_bound(self, party: int) -> int:
        """B_φ: |φ_1| ≤ 2^{2k+1} holds N, the others hold only −(p_i + q_i)."""
        return 1 << (self.bits + 1 if party == 1 else self.half + 2)

    @property
    def beta_bound(self) -> int:
        """B_β: β_i lies in [0, N)."""
        return 1 << self.bits

    def coefficient_range(self, bound: int) -> int:
        """R(B) = Δ²·B·2^s."""
        return self.delta**2 * bound << self.statistical

    def share_bound(self, bound: int) -> int:
        """What a share of Δ·x with |x| ≤ B can be at most: Δ·B + t·m^t·R(B)."""
        return self.delta * bound + self._spread * self.coefficient_range(bound)

    @property
    def _spread(self) -> int:
        return int(self.threshold * self.parties**self.threshold)

    @cached_property
    def weight_bound(self) -> int:
        """W: |w_i| = |λ_i·f(i)·g(i)| with |f(i)|, |g(i)| ≤ H."""
        h = self.parties * self.share_bound(1 << (self.bits + 1))
        weights = (abs(lagrange(self.openers, i, self.delta)) for i in self.openers)
        return int(self.delta * max(weights) * h * h)

    @property
    def secret_bound(self) -> int:
        """D_max = (2t+1)·Δ·W, the largest decryption exponent."""
        return (2 * self.threshold + 1) * self.delta * self.weight_bound

    @property
    def sigma(self) -> int:
        """|s_i| < 2^sigma in epoch 0."""
        return ((2 * self.threshold + 1) * self.share_bound(self.weight_bound)).bit_length()
