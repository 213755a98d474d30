"""Vectors of field elements as one long integer: linear algebra with public coefficients, many elements at a time.

A vector (v_0, v_1, …) is Σ v_i·2^(s·i) with slots of s bits. A sum of products c·v with coefficients below the prime
stays inside its slots, so one multiplication of long integers replaces one per element, and only the reduction
modulo the prime looks at every element.
"""

from collections.abc import Iterable, Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz

from tacita.crypto.integers import Integer
from tacita.protocols.mpc.engine import IntArray


class Slots:
    """Slots wide enough for a sum of `terms` products of two field elements."""

    def __init__(self, prime: int, terms: int) -> None:
        self.prime = mpz(prime)
        self.bits = 2 * prime.bit_length() + terms.bit_length()

    def join(self, values: IntArray) -> Integer:
        """One integer from a vector of elements in [0, p)."""
        return gmpy2.pack(list(values), self.bits) if len(values) else mpz(0)

    def split(self, joined: Integer, count: int) -> IntArray:
        """The vector of `count` elements, reduced modulo p."""
        prime = self.prime
        return objects([x % prime for x in unpack(joined, self.bits, count)])

    def combine(self, coefficients: Iterable[int], vectors: Iterable[Integer]) -> Integer:
        """Σ c·v for coefficients modulo p, not reduced."""
        prime = self.prime
        return sum((c % prime * v for c, v in zip(coefficients, vectors, strict=True)), mpz(0))


def unpack(data: Integer, bits: int, count: int) -> list[Integer]:
    """The `count` lowest slots of `bits` bits."""
    values: list[Integer] = gmpy2.unpack(data, bits)[:count]
    return values + [mpz(0)] * (count - len(values))  # leading zeros of the whole are not unpacked


def objects(values: Sequence[Integer]) -> IntArray:
    """A vector of big integers; np.array would inspect every element and takes five times as long."""
    return np.fromiter(values, dtype=object, count=len(values))
