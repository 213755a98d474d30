"""Exact ranges and other inequalities as IntQuad relations.

F(w) ≥ 0 for a quadratic F iff 4·F(w) + 1 is a sum of three squares of integers: below zero it is negative, from
zero on it is 1 mod 4. lo ≤ x ≤ hi is (x − lo)(hi − x) ≥ 0. `Relations` is built identically by prover and
verifier; the prover then calls `witness` with the values and gets the squares filled in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gmpy2
from gmpy2 import mpz

from tacita.crypto.entropy import Entropy, random_below
from tacita.crypto.errors import RangeViolation
from tacita.crypto.integers import Integer
from tacita.crypto.proofs.quadratic import CommitmentLink, PaillierLink, Quadratic, Statement, Witness


@dataclass(frozen=True)
class Linear:
    """constant + Σ k·w_i."""

    terms: tuple[tuple[int, int], ...]
    constant: int = 0

    def times(self, other: "Linear") -> Quadratic:
        """The product as a quadratic in the witness."""
        products = tuple((i, j, a * b) for i, a in self.terms for j, b in other.terms)
        linear = tuple((i, a * other.constant) for i, a in self.terms)
        linear += tuple((j, b * self.constant) for j, b in other.terms)
        return Quadratic(products, tuple(t for t in linear if t[1]), self.constant * other.constant)

    def plus(self, other: "Linear", factor: int = 1) -> "Linear":
        """self + factor·other."""
        return Linear(
            self.terms + tuple((i, factor * k) for i, k in other.terms), self.constant + factor * other.constant
        )

    def value(self, w: Sequence[Integer]) -> Integer:
        """The value at a witness."""
        return self.constant + sum(k * w[i] for i, k in self.terms)


def variable(index: int) -> Linear:
    """w_index."""
    return Linear(((index, 1),))


def constant(value: int) -> Linear:
    """A public integer."""
    return Linear((), value)


class Relations:
    """Collects witness integers and relations; both sides of a proof build the same one."""

    def __init__(self) -> None:
        self._bits: list[int] = []
        self._quadratics: list[Quadratic] = []
        self._derived: list[tuple[Quadratic, int]] = []
        self._squares: list[tuple[Quadratic, int]] = []

    def integer(self, magnitude: int) -> Linear:
        """Add a witness integer with |w| ≤ magnitude (a bound for masking, not shown by itself)."""
        self._bits.append(int(magnitude).bit_length())
        return variable(len(self._bits) - 1)

    def equal_zero(self, quadratic: Quadratic) -> None:
        """Require F(w) = 0."""
        self._quadratics.append(quadratic)

    def derived(self, quadratic: Quadratic, magnitude: int) -> Linear:
        """Add a witness integer that equals F(w), so that F can stand inside another quadratic."""
        result = self.integer(magnitude)
        linear = (*quadratic.linear, (len(self._bits) - 1, -1))
        self._quadratics.append(Quadratic(quadratic.products, linear, quadratic.constant))
        self._derived.append((quadratic, len(self._bits) - 1))
        return result

    def nonnegative(self, quadratic: Quadratic, maximum: int) -> None:
        """Require F(w) ≥ 0, where F(w) ≤ maximum for an honest witness."""
        first = len(self._bits)
        self._bits += [int(gmpy2.isqrt(4 * mpz(maximum) + 1)).bit_length()] * 3
        scaled = tuple((i, j, 4 * k) for i, j, k in quadratic.products)
        squares = tuple((first + n, first + n, -1) for n in range(3))
        linear = tuple((i, 4 * k) for i, k in quadratic.linear)
        self._quadratics.append(Quadratic(scaled + squares, linear, 4 * quadratic.constant + 1))
        self._squares.append((quadratic, first))

    def in_range(self, expression: Linear, lo: int, hi: int) -> None:
        """Require lo ≤ expression ≤ hi, exactly."""
        if lo > hi:
            raise RangeViolation(f"the range [{lo}, {hi}] is reversed")
        below, above = expression.plus(constant(-lo)), Linear((), hi).plus(expression, -1)
        self.nonnegative(below.times(above), ((hi - lo + 1) // 2) ** 2 + 1)

    def statement(self, paillier: Sequence[PaillierLink], commitments: Sequence[CommitmentLink] = ()) -> Statement:
        """The statement with its links."""
        return Statement(tuple(self._bits), tuple(self._quadratics), tuple(paillier), tuple(commitments))

    def witness(
        self,
        values: Mapping[int, Integer],
        paillier: Sequence[Integer],
        commitments: Sequence[Integer],
        entropy: Entropy,
    ) -> Witness:
        """Complete {index: value} with the derived integers and the three squares of every inequality.

        Raises RangeViolation if an inequality does not hold for these values: nothing can be proven then.
        """
        w: list[Integer] = [mpz(0)] * len(self._bits)
        for index, value in values.items():
            w[index] = mpz(value)
        for quadratic, index in self._derived:
            w[index] = quadratic.value(w)
        for quadratic, first in self._squares:
            value = quadratic.value(w)
            if value < 0:
                raise RangeViolation("an input is outside the range that the terms allow")
            w[first : first + 3] = three_squares(4 * value + 1, entropy)
        return Witness(tuple(w), tuple(paillier), tuple(commitments))


def link(ciphertext: Integer, expression: Linear, randomness_bits: int) -> PaillierLink:
    """Dec(ciphertext) = expression mod N."""
    return PaillierLink(ciphertext, expression.terms, expression.constant, randomness_bits)


def three_squares(n: Integer, entropy: Entropy) -> tuple[Integer, Integer, Integer]:
    """a² + b² + c² = n for n = 1 mod 4 (Rabin–Shallit). Its running time depends on n: prove ahead of deadlines.

    Perfect squares come first: n = 4y(B−y)+1 is one at y = (B±1)/2, where n − a² need never be prime.
    """
    n, root = mpz(n), gmpy2.isqrt(mpz(n))
    if root * root == n:
        return root, mpz(0), mpz(0)
    if n < 200_000:
        for a in range(0, int(root) + 1, 2):
            for b in range(int(gmpy2.isqrt(n - a * a)) + 1):
                c = n - a * a - b * b
                if gmpy2.is_square(c):
                    return mpz(a), mpz(b), gmpy2.isqrt(c)
    half = int(root) // 2
    for _ in range(100_000):
        a = 2 * mpz(random_below(entropy, half + 1))
        p = n - a * a
        if p == 1:
            return a, mpz(1), mpz(0)
        if gmpy2.is_prime(p, 25):
            b, c = _two_squares(p, entropy)
            return a, b, c
    raise ArithmeticError("no sum of three squares was found; this does not happen for n = 1 mod 4")


def _two_squares(p: Integer, entropy: Entropy) -> tuple[Integer, Integer]:
    """b² + c² = p for a prime p = 1 mod 4 (Hermite–Serret)."""
    while True:
        root = gmpy2.powmod(mpz(random_below(entropy, int(p) - 2)) + 1, (p - 1) // 4, p)
        if root * root % p == p - 1:
            break
    a, b, limit = p, root, gmpy2.isqrt(p)
    while b > limit:
        a, b = b, a % b
    return b, gmpy2.isqrt(p - b * b)
