"""A primal-dual interior-point method for separable concave maximisation, in float64 and in the clear.

    maximise Σ_j f_j(x_j)   subject to   A x = 0,   G x ≤ h,   0 ≤ x ≤ u,
    f(x) = l·x − c·x²/2 + w·ln(1 + x/s)      (c, w ≥ 0, s > 0; w = 0 for quadratic and linear terms)

with multipliers λ of A, ν ≥ 0 of G, α ≥ 0 of x ≥ 0 and β ≥ 0 of x ≤ u. At the optimum
    −f'(x) + Aᵀλ + Gᵀν − α + β = 0,   x·α = 0,   (u − x)·β = 0,   (h − G x)·ν = 0.
Mehrotra's predictor–corrector method follows the path on which all products equal μ and drives μ to the limit of
floating point. Each step solves one sparse linear system in (dx, dy), dy = (dλ, dν): with R = [A; G] and
D = −f'' + α/x + β/q diagonal,    [D  Rᵀ; R  −diag(0, s/ν)] (dx, dy) = r.
It assumes that a strictly feasible point exists; the caller removes variables that constraints pin down.
Source: S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2 (1992).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from tacita.protocols.admm.problem import Vector

TARGET = 2e-15
"""Relative gap and residuals at which the method stops."""
SMALLEST_MU = 1e-18
"""μ never aims below this: residuals can follow it down to rounding error instead of falling behind."""
ACCEPTED = 1e-10
"""Relative duality gap and residuals of an answer; anything worse is an error."""
MAX_STEPS = 120
PATIENCE = 12
"""Steps without progress after which rounding is taken for the end."""
REFINEMENTS = 1


@dataclass(frozen=True)
class Program:
    """The problem above; matrices are sparse, one column per variable."""

    linear: Vector
    curvature: Vector
    weight: Vector
    shift: Vector
    upper: Vector
    balance: Any
    """A."""
    rows: Any
    """G."""
    limit: Vector
    """h."""

    def slope(self, x: Vector) -> Vector:
        """f'(x)."""
        return self.linear - self.curvature * x + self.weight / (self.shift + x)

    def bend(self, x: Vector) -> Vector:
        """−f''(x) ≥ 0."""
        return self.curvature + self.weight / (self.shift + x) ** 2

    def scaled(self, quantity: float, price: float) -> "Program":
        """The same problem with x counted in units of `quantity` and slopes in units of `price`."""
        return replace(
            self,
            linear=self.linear / price,
            curvature=self.curvature * quantity / price,
            weight=self.weight / (price * quantity),
            shift=self.shift / quantity,
            upper=self.upper / quantity,
            limit=self.limit / quantity,
        )


@dataclass(frozen=True)
class Optimum:
    """x, λ and ν; `gap` is the worst of the relative duality gap and the relative residuals."""

    x: Vector
    price: Vector
    row_price: Vector
    gap: float


@dataclass
class _Point:
    """All unknowns: x, q = u − x, s = h − G x, and their multipliers α, β, ν; λ is free."""

    x: Vector
    q: Vector
    s: Vector
    alpha: Vector
    beta: Vector
    nu: Vector
    lam: Vector

    def slacks(self) -> Vector:
        return np.concatenate([self.x, self.q, self.s])

    def multipliers(self) -> Vector:
        return np.concatenate([self.alpha, self.beta, self.nu])

    def moved(self, step: "_Point", length: float) -> "_Point":
        return _Point(**{name: getattr(self, name) + length * getattr(step, name) for name in vars(self)})


def maximise(program: Program) -> Optimum:
    """Solve to about 1e-14 relative; raises ArithmeticError if not even 1e-10 is reached."""
    quantity = float(program.upper.max())
    marginal = np.abs(program.linear) + program.weight / program.shift
    price = float(marginal.max()) or 1.0
    problem = _Problem(program.scaled(quantity, price))
    point = problem.start()
    best, gap, idle = point, problem.error(point), 0
    for _ in range(MAX_STEPS):
        if gap < TARGET or idle > PATIENCE:
            break
        point = problem.step(point)
        error = problem.error(point)
        best, gap, idle = (point, error, 0) if error < gap else (best, gap, idle + 1)
    point = best
    if not gap <= ACCEPTED:
        raise ArithmeticError(f"the interior-point method stopped at a relative gap of {gap:.1e}; report this problem")
    return Optimum(point.x * quantity, point.lam * price, point.nu * price, gap)


class _Problem:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.both = sparse.vstack([program.balance, program.rows]).tocsc()
        self.equalities = program.balance.shape[0]

    def start(self) -> _Point:
        """The middle of the box; residuals need not be zero."""
        program, n = self.program, len(self.program.upper)
        x = program.upper / 2
        s = np.maximum(program.limit - program.rows @ x, 0.1 * program.limit)
        ones = np.ones(n)
        return _Point(x, program.upper - x, s, ones, ones.copy(), np.ones(len(s)), np.zeros(self.equalities))

    def residuals(self, point: _Point) -> tuple[Vector, Vector, Vector, Vector]:
        """Stationarity, A x, G x + s − h and x + q − u."""
        program = self.program
        dual = program.balance.T @ point.lam + program.rows.T @ point.nu - program.slope(point.x)
        dual = dual - point.alpha + point.beta
        inequality = program.rows @ point.x + point.s - program.limit
        return dual, program.balance @ point.x, inequality, point.x + point.q - program.upper

    def error(self, point: _Point) -> float:
        """Everything relative: quantities are below 1 and slopes about 1, so is their product's sum."""
        total = float(point.slacks() @ point.multipliers())
        value = float(np.abs(self.program.slope(point.x)) @ point.x)
        worst = max(float(np.abs(r).max(initial=0.0)) for r in self.residuals(point))
        return max(total / (1e-3 + value), worst)

    def step(self, point: _Point) -> _Point:
        """Predictor, centring, corrector; one common step length because stationarity couples x and multipliers."""
        residuals = self.residuals(point)
        diagonal = self.program.bend(point.x) + point.alpha / point.x + point.beta / point.q
        solve = self._factor(point, diagonal)
        slacks, multipliers = point.slacks(), point.multipliers()
        mu = float(slacks @ multipliers) / len(slacks)
        # 1. predictor: aim at μ = 0
        affine = self._direction(point, residuals, diagonal, solve, -slacks * multipliers)
        length = _longest(point, affine)
        ahead = point.moved(affine, length)
        after = float(ahead.slacks() @ ahead.multipliers()) / len(slacks)
        # 2. corrector: aim at σμ and take the predictor's second-order term along
        centre = max((after / mu) ** 3 * mu, SMALLEST_MU)
        target = centre - affine.slacks() * affine.multipliers() - slacks * multipliers
        direction = self._direction(point, residuals, diagonal, solve, target)
        length = _longest(point, direction) * min(max(0.99, 1 - mu), 1 - 1e-6)
        return point.moved(direction, length)

    def _factor(self, point: _Point, diagonal: Vector) -> Any:
        """Factors of [D Rᵀ; R −diag(0, s/ν)]; forming R D⁻¹ Rᵀ would lose all digits where D is small."""
        relaxed = np.concatenate([np.zeros(self.equalities), -point.s / point.nu])
        blocks = [[sparse.diags(diagonal), self.both.T], [self.both, sparse.diags(relaxed)]]
        matrix = sparse.bmat(blocks).tocsc()
        factors = splu(matrix)

        def solve(right: Vector) -> Vector:
            y = factors.solve(right)
            for _ in range(REFINEMENTS):
                y = y + factors.solve(right - matrix @ y)
            return np.asarray(y)

        return solve

    def _direction(
        self, point: _Point, residuals: tuple[Vector, Vector, Vector, Vector], diagonal: Vector, solve: Any, aim: Vector
    ) -> _Point:
        """Newton's direction; `aim` is the wanted change of the products xα, qβ, sν to first order."""
        dual, equality, inequality, box = residuals
        n = len(point.x)
        aim_x, aim_q, aim_s = aim[:n], aim[n : 2 * n], aim[2 * n :]
        # Eliminated: dα = (aim_x − α dx)/x, dq = −box − dx, dβ = (aim_q − β dq)/q, ds = −inequality − G dx.
        right = -dual + aim_x / point.x - (aim_q + point.beta * box) / point.q
        target = -np.concatenate([equality, inequality + aim_s / point.nu])
        solution = solve(np.concatenate([right, target]))
        dx, dy = solution[:n], solution[n:]
        dq, ds = -box - dx, -inequality - self.program.rows @ dx
        return _Point(
            dx,
            dq,
            ds,
            (aim_x - point.alpha * dx) / point.x,
            (aim_q - point.beta * dq) / point.q,
            (aim_s - point.nu * ds) / point.s,
            dy[: self.equalities],
        )


def _longest(point: _Point, step: _Point) -> float:
    """The largest step ≤ 1 that keeps slacks and multipliers non-negative."""
    values = np.concatenate([point.slacks(), point.multipliers()])
    change = np.concatenate([step.slacks(), step.multipliers()])
    shrinking = change < 0
    return float(min(1.0, (values[shrinking] / -change[shrinking]).min(initial=1.0)))
