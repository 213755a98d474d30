"""Public trial division of N to 2^20: gcds with products of primes, by a remainder tree over the whole batch.

Everybody divides by the primes to 2000. The rest is split round robin: the node whose turn a candidate is broadcasts
its rejects with a witness, a divisor below 2^64. A good N has none (its primes have k bits), so nobody can reject one.
"""

from collections.abc import Sequence
from functools import lru_cache

import gmpy2
from gmpy2 import gcd, mpz

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.integers import Integer
from tacita.protocols.keygen.parameters import SMALL_PRIMES_TO, Parameters, primes_between

WITNESS_BYTES = 8


@lru_cache(maxsize=4)
def primorials(limit: int) -> tuple[Integer, Integer]:
    """∏ of the primes to 2000, and of those from there to the limit."""
    small = gmpy2.primorial(min(SMALL_PRIMES_TO, limit))
    return small, gmpy2.primorial(limit) // small


def common_divisors(numbers: Sequence[Integer], product: Integer) -> list[Integer]:
    """gcd(number, product) for each: the product is reduced down a tree of the numbers' products."""
    if not numbers:
        return []
    levels = [list(numbers)]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([a * b for a, b in zip(level[::2], level[1::2], strict=False)] + level[len(level) & ~1 :])
    remainders = [product % levels[-1][0]]
    for level in reversed(levels[:-1]):
        remainders = [remainders[i // 2] % number for i, number in enumerate(level)]
    return [gcd(a, b) for a, b in zip(remainders, numbers, strict=True)]


def without_small_factors(parameters: Parameters, moduli: Sequence[Integer]) -> list[int]:
    """The candidates whose N no prime to 2000 divides."""
    small, _ = primorials(parameters.trial_limit)
    return [c for c, divisor in enumerate(common_divisors(moduli, small)) if divisor == 1]


def turn(parameters: Parameters, candidates: Sequence[int], party: int) -> list[int]:
    """The party's part of a list of candidates."""
    return list(candidates[party - 1 :: parameters.parties])


def rejects(parameters: Parameters, moduli: Sequence[Integer], mine: Sequence[int]) -> list[tuple[int, int]]:
    """(candidate, witness) for every candidate of this party's turn that has a divisor."""
    _, large = primorials(parameters.trial_limit)
    divisors = common_divisors([moduli[c] for c in mine], large)
    return [(c, _witness(parameters, d)) for c, d in zip(mine, divisors, strict=True) if d != 1]


def _witness(parameters: Parameters, divisor: Integer) -> int:
    if divisor.bit_length() > 8 * WITNESS_BYTES:
        primes = primes_between(SMALL_PRIMES_TO, parameters.trial_limit)
        return next(prime for prime in primes if divisor % prime == 0)
    return int(divisor)


def encode(found: Sequence[tuple[int, int]]) -> bytes:
    """S5."""
    writer = Writer().unsigned(len(found), 4)
    for candidate, witness in found:
        writer.unsigned(candidate, 4).unsigned(witness, WITNESS_BYTES)
    return writer.to_bytes()


def decode(data: bytes, moduli: Sequence[Integer], turn_of_sender: Sequence[int]) -> set[int]:
    """The candidates that a node rejects with good witnesses; raises InvalidEncoding."""
    reader = Reader(data, "a list of rejected candidates")
    allowed, gone = set(turn_of_sender), set()
    for _ in range(min(reader.unsigned(4), len(allowed) + 1)):
        candidate, witness = reader.unsigned(4), mpz(reader.unsigned(WITNESS_BYTES))
        if candidate not in allowed or candidate in gone:
            raise InvalidEncoding("a candidate is rejected out of turn or twice")
        if witness < 2 or moduli[candidate] % witness or 2 * witness.bit_length() > moduli[candidate].bit_length() - 4:
            raise InvalidEncoding("a candidate is rejected with a number that does not divide it")
        gone.add(candidate)
    reader.finish()
    return gone
