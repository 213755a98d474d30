"""Linear systems over the integers, solved exactly: every node and every verifier gets the same bits."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from gmpy2 import mpz


def solve(matrix: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """X with matrix·X = right, for a positive definite integer matrix (d × d) and right sides (d × r).

    Fraction-free Gauss–Jordan elimination (Bareiss): every division is exact and every diagonal element ends as the
    determinant. Raises ArithmeticError if the matrix is singular.
    """
    size = len(matrix)
    rows = [[mpz(x) for x in (*left, *r)] for left, r in zip(matrix, right, strict=True)]
    previous = mpz(1)
    for k in range(size):
        pivot = rows[k]
        if pivot[k] == 0:
            raise ArithmeticError("a positive definite matrix has no zero pivot")
        for i, row in enumerate(rows):
            if i != k:
                rows[i] = [(pivot[k] * x - row[k] * y) // previous for x, y in zip(row, pivot, strict=True)]
        previous = pivot[k]
    return [[Fraction(int(x), int(row[i])) for x in row[size:]] for i, row in enumerate(rows)]


def ridge(
    matrix: Sequence[Sequence[int]], right: Sequence[Sequence[int]], penalty: Sequence[Fraction]
) -> list[list[Fraction]]:
    """X with (matrix + diag(penalty))·X = right."""
    scale = lcm(*(p.denominator for p in penalty))
    left = [[scale * x for x in row] for row in matrix]
    for i, p in enumerate(penalty):
        left[i][i] += int(p * scale)
    return solve(left, [[scale * x for x in row] for row in right])
