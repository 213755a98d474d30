"""From p_i and q_i to shares of a decryption exponent: what one party says in K0 to K4, as a function of its seed τ.

φ_1 = N+1−2C−p_1−q_1 and φ_i = −(p_i+q_i) sum to φ(N); β = Σ β_i. Both are shared over the integers (secret Δ·x,
coefficients in ±R(B), Δ = m!), h(i) = f(i)·g(i), w_i = λ_i·h(i), so Σ w_i = Δ³·φ·β over the 2t+1 openers. θ is that
sum modulo N, opened under a sharing of zero. The w_i are shared again with degree t: the sum of those shares is s_i, a
share of D = Δ·Σ w_i. With v_i = v^{Δ·s_i} the key's constant is κ = Δ³·θ.

K0 (R9): for a prime r | N−1 the product ρ·(p+q−2) modulo r, opened eight times with fresh ρ; if it is always zero, r
divides p−1 and q−1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256, shake_256

from gmpy2 import gcd, mpz

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.integers import Integer, secret_power
from tacita.crypto.paillier import encryption_key
from tacita.crypto.shamir import coefficients_at
from tacita.crypto.threshold import lagrange, verification_base
from tacita.protocols.keygen.parameters import Parameters, primes_between
from tacita.protocols.keygen.seeds import SEED_BYTES, SLACK_BYTES
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.trial import primorials

TRIALS = 8
SMALL_BYTES = 4


@lru_cache(maxsize=8)
def suspicious_primes(parameters: Parameters, modulus: Integer) -> list[int]:
    """The primes r ≤ 2^20 with r | N−1 that F does not hold: only these can divide both p−1 and q−1."""
    small, large = primorials(parameters.trial_limit)
    rest = gcd(modulus - 1, small * large)
    return [r for r in primes_between(2, parameters.trial_limit) if rest % r == 0 and parameters.fixed % r]


@dataclass(frozen=True)
class Sharing:
    """Where the derivation happens: public values that every party knows."""

    parameters: Parameters
    place: Place
    modulus: Integer

    @property
    def primes(self) -> list[int]:
        """The primes of K0."""
        return suspicious_primes(self.parameters, self.modulus)

    @property
    def width(self) -> int:
        """Bytes of a K1 share, the same for all."""
        return byte_width(self.parameters.share_bound(self.parameters.phi_bound(1)).bit_length() + 1)

    @property
    def long_width(self) -> int:
        """Bytes of a K3 share."""
        return byte_width(self.parameters.share_bound(self.parameters.weight_bound).bit_length() + 1)

    def private_digest(self, step: str, sender: int, receiver: int, payload: bytes) -> bytes:
        """What a sender announces of a private message; the salt inside hides it."""
        head = b"tacita/kg/private" + self.place.encode() + step.encode() + bytes([sender, receiver])
        return sha256(head + payload).digest()


def evaluate(coefficients: Sequence[Integer], point: int) -> Integer:
    """A polynomial over the integers."""
    return sum(a * mpz(point) ** k for k, a in enumerate(coefficients))


@dataclass(frozen=True)
class Deriver:
    """One party's secrets of the derivation; everything it says follows from them and from what it received."""

    sharing: Sharing
    party: int
    seed: bytes = field(repr=False)
    """τ_i: fresh in every epoch (R8)."""
    p: Integer = field(repr=False)
    q: Integer = field(repr=False)

    # ---- randomness -------------------------------------------------------------------------------------------

    def _below(self, label: str, bound: Integer) -> Integer:
        size = byte_width(bound.bit_length()) + SLACK_BYTES
        stream = shake_256(b"tacita/kg/tau" + self.seed + label.encode()).digest(size)
        return mpz(int.from_bytes(stream, "big")) % bound

    def _coefficients(self, label: str, bound: int) -> list[Integer]:
        limit = mpz(self.sharing.parameters.coefficient_range(bound))
        degree = self.sharing.parameters.threshold
        return [self._below(f"{label}/{k}", 2 * limit + 1) - limit for k in range(degree)]

    def _salt(self, step: str, receiver: int) -> bytes:
        return sha256(b"tacita/kg/salt" + self.seed + step.encode() + bytes([receiver])).digest()

    def pair_seed(self, receiver: int) -> bytes:
        """What this party shares with a later one, for sharings of zero in this epoch only."""
        return sha256(b"tacita/kg/tau-pair" + self.seed + bytes([receiver])).digest()

    @staticmethod
    def zero(pairs: Mapping[int, bytes], party: int, parties: Sequence[int], label: str, modulus: Integer) -> Integer:
        """This party's part of a sharing of zero among `parties`; every opening has its own label."""
        size, total = byte_width(modulus.bit_length()) + SLACK_BYTES, mpz(0)
        for other in parties:
            if other != party:
                stream = shake_256(b"tacita/kg/tau-zero" + pairs[other] + label.encode()).digest(size)
                total += (1 if party < other else -1) * int.from_bytes(stream, "big")
        return total % modulus

    # ---- K0 ---------------------------------------------------------------------------------------------------

    def small_share(self, receiver: int) -> bytes:
        """Private message K0: the pair seed, then shares modulo r of p_i+q_i(+2C−2) and of eight ρ_i, then a salt."""
        parameters, writer = self.sharing.parameters, Writer()
        if self.party < receiver:
            writer.fixed(self.pair_seed(receiver), SEED_BYTES)
        for value in self.small_values(receiver):
            writer.unsigned(value, SMALL_BYTES)
        assert parameters.trial_limit < 1 << 8 * SMALL_BYTES
        return writer.fixed(self._salt("K0", receiver), 32).to_bytes()

    def small_values(self, receiver: int) -> list[Integer]:
        """The shares of K0, for each prime one of the sum and eight of masks."""
        parameters, values = self.sharing.parameters, []
        total = self.p + self.q + (2 * parameters.offset - 2 if self.party == 1 else 0)
        for r in self.sharing.primes:
            for k in range(TRIALS + 1):
                label = f"K0/{r}/{k}"
                secret = total % r if k == 0 else self._below(label, mpz(r))
                rest = [self._below(f"{label}/{d}", mpz(r)) for d in range(parameters.threshold)]
                values.append(evaluate([secret, *rest], receiver) % r)
        return values

    def small_opening(self, received: Sequence[Sequence[Integer]], pairs: Mapping[int, bytes]) -> list[Integer]:
        """λ_i·U(i)·ρ(i) + zero share, for each prime and trial."""
        parameters, result = self.sharing.parameters, []
        sums = [sum(column) for column in zip(*received, strict=True)]
        for n, r in enumerate(self.sharing.primes):
            weight = coefficients_at(list(parameters.openers), 0, r)[self.party - 1]
            total, *masks = sums[n * (TRIALS + 1) : (n + 1) * (TRIALS + 1)]
            for k, mask in enumerate(masks):
                zero = self.zero(pairs, self.party, parameters.openers, f"K0/{r}/{k}", mpz(r))
                result.append((weight * total * mask + zero) % r)
        return result

    # ---- K1, K2 -----------------------------------------------------------------------------------------------

    def pair_shares(self, receiver: int) -> tuple[Integer, Integer]:
        """(share of Δ·φ_i, share of Δ·β_i)."""
        parameters, modulus = self.sharing.parameters, self.sharing.modulus
        phi = -(self.p + self.q) + (modulus + 1 - 2 * parameters.offset if self.party == 1 else 0)
        beta = self._below("beta", modulus)
        f = [parameters.delta * phi, *self._coefficients("phi", parameters.phi_bound(self.party))]
        g = [parameters.delta * beta, *self._coefficients("beta", parameters.beta_bound)]
        return evaluate(f, receiver), evaluate(g, receiver)

    def first_share(self, receiver: int) -> bytes:
        """Private message K1."""
        writer = Writer()
        for value in self.pair_shares(receiver):
            writer.signed(value, self.sharing.width)
        return writer.fixed(self._salt("K1", receiver), 32).to_bytes()

    def weight(self, f: Integer, g: Integer) -> Integer:
        """w_i = λ_i·f(i)·g(i)."""
        parameters = self.sharing.parameters
        return lagrange(parameters.openers, self.party, parameters.delta) * f * g

    def theta(self, weight: Integer, pairs: Mapping[int, bytes]) -> Integer:
        """K2: w_i plus a zero share modulo N."""
        parameters, modulus = self.sharing.parameters, self.sharing.modulus
        return (weight + self.zero(pairs, self.party, parameters.openers, "theta", modulus)) % modulus

    # ---- K3, K4 -----------------------------------------------------------------------------------------------

    def long_share(self, weight: Integer, receiver: int) -> Integer:
        """A share of degree t of Δ·w_i."""
        parameters = self.sharing.parameters
        return evaluate([parameters.delta * weight, *self._coefficients("w", parameters.weight_bound)], receiver)

    def second_share(self, weight: Integer, receiver: int) -> bytes:
        """Private message K3."""
        writer = Writer().signed(self.long_share(weight, receiver), self.sharing.long_width)
        return writer.fixed(self._salt("K3", receiver), 32).to_bytes()

    def verification_key(self, share: Integer) -> Integer:
        """v_i = v^{Δ·s_i}."""
        return verification_key(self.sharing.parameters, self.sharing.modulus, share)


def verification_key(parameters: Parameters, modulus: Integer, share: Integer) -> Integer:
    """v^{Δ·s} modulo N²."""
    encryption = encryption_key(int(modulus))
    return secret_power(verification_base(encryption, 1), parameters.delta * share, encryption.square)


def read_small(sharing: Sharing, sender: int, receiver: int, data: bytes) -> tuple[bytes, list[Integer]]:
    """(pair seed or nothing, values) of a K0 message; raises InvalidEncoding."""
    reader, values = Reader(data, "a share of K0"), list[Integer]()
    seed = reader.fixed(SEED_BYTES) if sender < receiver else b""
    for r in sharing.primes:
        for _ in range(TRIALS + 1):
            values.append(mpz(reader.unsigned(SMALL_BYTES)))
            if values[-1] >= r:
                raise InvalidEncoding("a share of K0 is not reduced")
    reader.fixed(32)
    reader.finish()
    return seed, values


def read_shares(width: int, bounds: Sequence[int], data: bytes) -> list[Integer]:
    """The integers of a K1 or K3 message; refuses those above their public bounds (R10)."""
    reader = Reader(data, "a share over the integers")
    values = [mpz(reader.signed(width)) for _ in bounds]
    reader.fixed(32)
    reader.finish()
    if any(abs(value) > bound for value, bound in zip(values, bounds, strict=True)):
        raise InvalidEncoding("a share over the integers is above its public bound")
    return values
