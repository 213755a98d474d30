"""What the iteration needs of the public matrices, in numbers that are the same on every machine.

    H(λ)/σ + I = (H_0/σ + I) + λ·H_1/σ  with step size σ;  V'(H_0/σ + I)V = I,  V'(H_1/σ)V = diag(μ)
    ⇒ (H(λ)/σ + I)^{-1} = V·diag(1/(1 + λ·μ_k))·V'

so a member's private inverse is m private reciprocals. μ enters the members' proofs, where nodes must agree on its
last bit: everything here is Python's own floating point (IEEE +, −, ×, /, √), never a linear-algebra library.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from tacita.protocols.policies.interest_rate.control import Controller, Exact

Matrix = list[list[float]]
SWEEPS = 30
"""Jacobi sweeps; six are enough for eight rows."""
STEP_BITS = 12
"""The step size is rounded to this many fractional bits."""


@dataclass(frozen=True)
class Spectrum:
    """Of a controller and the public range of preferences."""

    step: Fraction
    """σ, near √(least·most): the best for the contraction below."""
    least: float
    """Smallest eigenvalue of H(λ) over the range."""
    most: float
    """Largest."""
    basis: tuple[tuple[float, ...], ...]
    """V, row by row."""
    slopes: tuple[float, ...]
    """μ."""

    @property
    def contraction(self) -> float:
        """Each iteration brings the state nearer to its limit by at least this factor (Giselsson and Boyd 2017)."""
        step = float(self.step)
        return max((self.most - step) / (self.most + step), (step - self.least) / (step + self.least))


def spectrum(controller: Controller, lowest: Fraction, highest: Fraction) -> Spectrum:
    """For preferences in [lowest, highest]; the extreme eigenvalues of H_0 + λ·H_1 lie at the ends of the range."""
    ends = [eigen(_floats(controller.curvature(value)))[0] for value in (lowest, highest)]
    least, most = min(min(e) for e in ends), max(max(e) for e in ends)
    if least <= 0 or most / least > 1e8:
        return Spectrum(Fraction(1), least, most, (), ())
    step = Fraction(max(1, round(math.sqrt(least * most) * (1 << STEP_BITS))), 1 << STEP_BITS)
    size, base = controller.moves, controller.curvature(Fraction(0))
    shifted = [[base[i, j] / step + (i == j) for j in range(size)] for i in range(size)]
    tilt = (controller.curvature(Fraction(1)) - base) / step
    factor = _cholesky([[float(x) for x in row] for row in shifted])
    inner = _transpose(_forward(factor, _transpose(_forward(factor, _floats(tilt)))))
    symmetric = [[(inner[i][j] + inner[j][i]) / 2 for j in range(size)] for i in range(size)]
    slopes, vectors = eigen(symmetric)
    basis = _backward(factor, vectors)
    return Spectrum(step, least, most, tuple(map(tuple, basis)), tuple(slopes))


def eigen(matrix: Matrix) -> tuple[list[float], Matrix]:
    """Eigenvalues and eigenvectors (columns) of a symmetric matrix by cyclic Jacobi rotations."""
    size = len(matrix)
    a = [list(row) for row in matrix]
    vectors = [[float(i == j) for j in range(size)] for i in range(size)]
    for _ in range(SWEEPS):
        for p in range(size - 1):
            for q in range(p + 1, size):
                if a[p][q] == 0:
                    continue
                theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                t = (1 if theta >= 0 else -1) / (abs(theta) + math.sqrt(theta * theta + 1))
                c = 1 / math.sqrt(t * t + 1)
                s = t * c
                for k in range(size):
                    a[k][p], a[k][q] = c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]
                for k in range(size):
                    a[p][k], a[q][k] = c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]
                for row in vectors:
                    row[p], row[q] = c * row[p] - s * row[q], s * row[p] + c * row[q]
    return [a[i][i] for i in range(size)], vectors


def _floats(matrix: Exact) -> Matrix:
    return [[float(x) for x in row] for row in matrix]


def _transpose(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _cholesky(matrix: Matrix) -> Matrix:
    """Lower triangular L with L·L' = matrix."""
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j]
            for k in range(j):
                rest -= lower[i][k] * lower[j][k]
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return lower


def _forward(lower: Matrix, right: Matrix) -> Matrix:
    """L^{-1}·right."""
    result = [list(row) for row in right]
    for i, row in enumerate(result):
        for c in range(len(row)):
            for k in range(i):
                row[c] -= lower[i][k] * result[k][c]
            row[c] /= lower[i][i]
    return result


def _backward(lower: Matrix, right: Matrix) -> Matrix:
    """L'^{-1}·right."""
    size, result = len(lower), [list(row) for row in right]
    for i in reversed(range(size)):
        for c in range(len(result[i])):
            for k in range(i + 1, size):
                result[i][c] -= lower[k][i] * result[k][c]
            result[i][c] /= lower[i][i]
    return result
