"""The biprimality test in square-root form (R3), sound against every prover, even one who knows the factors.

v_i = g^{e_i/8} with e_1 = p_1 + q_1 + 2C − 6 and e_i = p_i + q_i, so ∏ v_i = g^{(p+q−6)/8}. With y = g^{(N−1)/8}/∏ v_i
accept iff y² = ±g mod N. For p = q = 7 mod 8 that holds, because y² = g^{(φ(N)+4)/4} = ±g. Otherwise ±g would have to
be a square modulo every prime factor, which fails for half of the g unless N has at most two prime factors and −1 is
a non-residue for both. 128 rounds over g drawn after the commitments leave an error of 2^−127.
"""

from collections.abc import Iterable, Sequence
from hashlib import shake_256

import gmpy2
from gmpy2 import mpz

from tacita.crypto.integers import Integer, power, secret_power
from tacita.crypto.transcript import digest
from tacita.protocols.keygen.parameters import Parameters


def base(modulus: Integer, coin: bytes, counter: int) -> Integer:
    """g = H(coin, N, counter) with (g/N) = 1."""
    size = (modulus.bit_length() + 128 + 7) // 8
    seed = digest("keygen-base", ("coin", coin), ("modulus", modulus), ("counter", counter))
    attempt = 0
    while True:
        stream = shake_256(seed + attempt.to_bytes(4, "big")).digest(size)
        g = mpz(int.from_bytes(stream, "big")) % modulus
        if g > 1 and gmpy2.jacobi(g, modulus) == 1:
            return g
        attempt += 1


def exponent(parameters: Parameters, party: int, p: Integer, q: Integer) -> Integer:
    """e_i/8, a whole number because party 1 alone is −1 modulo 8 and C is a multiple of 8."""
    e = p + q + (2 * parameters.offset - 6 if party == 1 else 0)
    assert e % 8 == 0
    return e // 8


def secret_factor(g: Integer, e: Integer, modulus: Integer) -> Integer:
    """v_i = g^{e_i/8}."""
    return secret_power(g, e, modulus)


def public_factor(g: Integer, modulus: Integer) -> Integer:
    """g^{(N−1)/8}, made by one party per candidate and checked by all for the one that is kept."""
    return power(g, (modulus - 1) // 8, modulus)


def passes(modulus: Integer, g: Integer, factors: Iterable[Integer], public: Integer) -> bool:
    """y² = ±g without an inverse: public² = ±g·(∏ v_i)²."""
    product = mpz(1)
    for v in factors:
        product = product * v % modulus
    expected = product * product % modulus * g % modulus
    square = public * public % modulus
    return bool(square == expected or square == modulus - expected)


def proper(modulus: Integer, values: Sequence[Integer]) -> bool:
    """0 < v < N and gcd(v, N) = 1 for all; one gcd with the product finds any common factor.

    v = 1 is proper: who chooses all of N can choose it such that an honest node's factors are 1, because e_i is a
    multiple of 3·5·…·47 for all i but the first. The test is sound with any v.
    """
    if any(not 0 < v < modulus for v in values):
        return False
    product = mpz(1)
    for v in values:
        product = product * v % modulus
    return bool(gmpy2.gcd(product, modulus) == 1)


def two_factors_at_least(modulus: Integer) -> bool:
    """What the test itself does not exclude: a prime, or a power of one."""
    return not gmpy2.is_prime(modulus, 5) and not gmpy2.is_power(modulus)


def fermat(candidate: Integer) -> bool:
    """2^{p−1} = 1 mod p, the audit's quick look at a discarded candidate."""
    return bool(power(2, candidate - 1, candidate) == 1)
