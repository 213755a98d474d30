"""Modular arithmetic below the protocols: powers, fixed-base tables, multi-exponentiation, units.

gmpy2 does the work. Secret exponents go through `secret_power` (gmpy2.powmod_sec, constant sequence of
operations); table look-ups and multi-exponentiations are not constant-time and SECURITY.md says so.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import gmpy2
from gmpy2 import mpz

Integer = Any
"""An int or a gmpy2.mpz: gmpy2 ships no usable type stubs."""


def power(base: Integer, exponent: Integer, modulus: Integer) -> Integer:
    """base^exponent mod modulus for public exponents of either sign."""
    return gmpy2.powmod(base, exponent, modulus)


def secret_power(base: Integer, exponent: Integer, modulus: Integer) -> Integer:
    """base^exponent mod an odd modulus; the sequence of operations does not depend on the exponent's bits."""
    if exponent == 0:
        return mpz(1)
    if exponent < 0:
        return gmpy2.powmod_sec(gmpy2.invert(base, modulus), -exponent, modulus)
    return gmpy2.powmod_sec(mpz(base), mpz(exponent), mpz(modulus))


def inverse(value: Integer, modulus: Integer) -> Integer:
    """The inverse of a unit; raises ZeroDivisionError for a non-unit."""
    return gmpy2.invert(value, modulus)


def is_unit_of_symbol_one(value: Integer, modulus: Integer) -> bool:
    """True iff the Jacobi symbol (value/modulus) is +1, which implies that value is a unit."""
    return bool(gmpy2.jacobi(value % modulus, modulus) == 1)


def centered(value: Integer, modulus: Integer) -> Integer:
    """The representative of value mod an odd modulus in (−modulus/2, modulus/2)."""
    value %= modulus
    return value if 2 * value < modulus else value - modulus


def canonical(value: Integer, modulus: Integer) -> Integer:
    """The representative of ±value mod modulus in (0, modulus/2): one encoding per element of Z*/{±1}."""
    value %= modulus
    return min(value, modulus - value)


class FixedBase:
    """Powers of one base by windows of `window` bits and no squarings; rows are built when first needed.

    A row holds base^(digit·2^(window·row)) for every digit, so a power costs one multiplication per window.
    """

    def __init__(self, base: Integer, modulus: Integer, window: int = 7) -> None:
        self.base, self.modulus, self.window = mpz(base), mpz(modulus), window
        self._rows: list[list[Integer]] = []
        self._next = self.base
        self._lock = threading.Lock()

    def _extend(self, rows: int) -> None:
        size, modulus = 1 << self.window, self.modulus
        if len(self._rows) >= rows:
            return
        with self._lock:
            while len(self._rows) < rows:
                row = [mpz(1), self._next]
                for _ in range(size - 2):
                    row.append(row[-1] * self._next % modulus)
                self._next = row[-1] * self._next % modulus
                self._rows.append(row)

    def power(self, exponent: Integer) -> Integer:
        """base^exponent mod modulus, exponent of either sign."""
        if exponent < 0:
            return gmpy2.invert(self.power(-exponent), self.modulus)
        exponent = int(exponent)
        digits = -(-exponent.bit_length() // self.window)
        self._extend(digits)
        mask, modulus, result = (1 << self.window) - 1, self.modulus, mpz(1)
        for row in self._rows[:digits]:
            digit = exponent & mask
            exponent >>= self.window
            if digit:
                result = result * row[digit] % modulus
        return result


def product(factors: Iterable[Integer], modulus: Integer) -> Integer:
    """The product of the factors mod modulus."""
    result = mpz(1)
    for factor in factors:
        result = result * factor % modulus
    return result


def multi_power(bases: Sequence[Integer], exponents: Sequence[Integer], modulus: Integer) -> Integer:
    """∏ bases[i]^exponents[i] mod modulus by Pippenger's buckets; exponents of either sign."""
    positive = [(base, int(e)) for base, e in zip(bases, exponents, strict=True) if e > 0]
    negative = [(base, -int(e)) for base, e in zip(bases, exponents, strict=True) if e < 0]
    result = _buckets(positive, mpz(modulus))
    if negative:
        result = result * gmpy2.invert(_buckets(negative, mpz(modulus)), modulus) % modulus
    return result


def _buckets(pairs: list[tuple[Integer, int]], modulus: Integer) -> Integer:
    if len(pairs) <= 2:
        return product((gmpy2.powmod(base, e, modulus) for base, e in pairs), modulus)
    bits, count = max(e.bit_length() for _, e in pairs), len(pairs)
    window = min(range(2, 13), key=lambda w: -(-bits // w) * (count + (2 << w)))
    mask, result = (1 << window) - 1, mpz(1)
    for shift in range((-(-bits // window) - 1) * window, -1, -window):
        if result != 1:
            result = gmpy2.powmod(result, 1 << window, modulus)
        buckets: list[Integer] = [None] * (1 << window)
        for base, exponent in pairs:
            digit = (exponent >> shift) & mask
            if digit:
                held = buckets[digit]
                buckets[digit] = base if held is None else held * base % modulus
        running = total = None
        for held in reversed(buckets[1:]):
            if held is not None:
                running = held if running is None else running * held % modulus
            if running is not None:
                total = running if total is None else total * running % modulus
        if total is not None:
            result = result * total % modulus
    return result
