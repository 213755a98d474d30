"""The controller: the quadratic program of one member or of a committee, exactly, and its exact solution.

    min_v Σ_{k<N} β^k (R²·u_k² + S²·(u_k − u_{k−1})²) + Σ_{k=1..N} β^k ((1−λ)·y_k² + λ·π_k²)
    u_k = v_k for k < m, u_k = v_{m−1} from then on (move blocking);  u_k ≥ −i* (zero lower bound)

As ½·v'H v + f'v:  H = (1−λ)·H_y + λ·H_π + H_r  and  f = F_y·(1−λ)x + F_π·λx + F_u·u_{−1}. Both are linear in
(λ, y, π, λy, λπ, u_{−1}), so a committee's program needs only the sums of these. Source: main paper (4.46)–(4.54);
its last term δu_{t+N} is left out because u_{t+N} = u_{t+N−1}, and Q̄ = Q.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tacita.protocols.policies.interest_rate.economy import Economy

Exact = Any
"""numpy array of dtype object that holds Fractions."""


@dataclass(frozen=True)
class Views:
    """What a program is made of: of one member, or means over a committee; deviations from target."""

    preference: Any
    """λ."""
    gap: Any
    """y."""
    inflation: Any
    """π."""
    weighted_gap: Any
    """λ·y."""
    weighted_inflation: Any
    """λ·π."""

    @staticmethod
    def of(preference: Any, gap: Any, inflation: Any) -> "Views":
        """One member's."""
        return Views(preference, gap, inflation, preference * gap, preference * inflation)

    @staticmethod
    def mean(views: "Sequence[Views]") -> "Views":
        """The committee's: five means."""
        columns = zip(*((v.preference, v.gap, v.inflation, v.weighted_gap, v.weighted_inflation) for v in views))  # noqa: B905
        return Views(*(sum(column) / len(views) for column in columns))

    @property
    def state(self) -> Exact:
        """((1−λ)y, (1−λ)π, λy, λπ): what f is linear in."""
        lower = self.gap - self.weighted_gap, self.inflation - self.weighted_inflation
        return np.array([*lower, self.weighted_gap, self.weighted_inflation], dtype=object)


@dataclass(frozen=True)
class Controller:
    """Everything public about the program."""

    economy: Economy
    horizon: int
    """N."""
    moves: int
    """m: how many rates are chosen; the last one is kept."""
    discount: Fraction
    """β."""
    rate_weight: Fraction
    """R²."""
    move_weight: Fraction
    """S²."""

    @cached_property
    def _powers(self) -> list[Exact]:
        e = self.economy
        a = np.array([[e.persistence, e.sensitivity], [e.slope, Fraction(1)]], dtype=object)
        powers = [np.array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]], dtype=object)]
        for _ in range(self.horizon):
            powers.append(powers[-1].dot(a))
        return powers

    @cached_property
    def _responses(self) -> list[Exact]:
        """dx_k/dv for k = 1 … N, each 2×m."""
        b = np.array([-self.economy.sensitivity, Fraction(0)], dtype=object)
        responses = []
        for k in range(1, self.horizon + 1):
            g = np.full((2, self.moves), Fraction(0), dtype=object)
            for s in range(k):
                g[:, min(s, self.moves - 1)] += self._powers[k - 1 - s].dot(b)
            responses.append(g)
        return responses

    def _track(self, row: int) -> tuple[Exact, Exact]:
        """(H, F) of Σ β^k x_k[row]², x_k = response·v + A^k·x."""
        h = np.full((self.moves, self.moves), Fraction(0), dtype=object)
        f = np.full((self.moves, 2), Fraction(0), dtype=object)
        for k, g in enumerate(self._responses, start=1):
            weight = 2 * self.discount**k
            h += weight * np.outer(g[row], g[row])
            f += weight * np.outer(g[row], self._powers[k][row])
        return h, f

    @cached_property
    def output(self) -> tuple[Exact, Exact]:
        """(H_y, F_y)."""
        return self._track(0)

    @cached_property
    def inflation(self) -> tuple[Exact, Exact]:
        """(H_π, F_π)."""
        return self._track(1)

    @cached_property
    def rate(self) -> tuple[Exact, Exact]:
        """(H_r, F_u): the cost of rates and moves."""
        m = self.moves
        h = np.full((m, m), Fraction(0), dtype=object)
        h[0, 0] += self.move_weight
        for k in range(self.horizon):
            here, weight = min(k, m - 1), self.discount**k
            h[here, here] += weight * self.rate_weight
            if 0 < k < m:
                move = np.full(m, Fraction(0), dtype=object)
                move[k], move[k - 1] = Fraction(1), Fraction(-1)
                h += weight * self.move_weight * np.outer(move, move)
        f = np.full(m, Fraction(0), dtype=object)
        f[0] = -2 * self.move_weight
        return 2 * h, f

    @cached_property
    def gain(self) -> Exact:
        """(F_y, F_π) side by side, m×4: f = gain·state + F_u·u_{−1}."""
        return np.hstack([self.output[1], self.inflation[1]])

    def curvature(self, preference: Any) -> Exact:
        """H(λ)."""
        return self.rate[0] + (1 - preference) * self.output[0] + preference * self.inflation[0]

    def linear(self, views: Views, previous: Any) -> Exact:
        """f, with u_{−1} = previous."""
        return self.gain.dot(views.state) + self.rate[1] * previous

    def program(self, views: Views, previous: Any) -> tuple[Exact, Exact]:
        """(H, f)."""
        return self.curvature(views.preference), self.linear(views, previous)


def minimise(h: Exact, f: Exact, lowest: Fraction) -> list[Fraction]:
    """argmin ½v'Hv + f'v over v ≥ lowest, in exact arithmetic, so that every machine finds the same numbers.

    Murty's least-index principal pivoting: flip the first entry that is out of place. Finite because H is positive
    definite (Murty 1974, Bard-type algorithm for P-matrices).
    """
    size = len(f)
    held: list[bool] = [False] * size
    while True:
        free = [i for i in range(size) if not held[i]]
        v = [lowest] * size
        right = [-f[i] - sum((h[i, j] * lowest for j in range(size) if held[j]), Fraction(0)) for i in free]
        for i, value in zip(free, _solve([[h[i, j] for j in free] for i in free], right), strict=True):
            v[i] = value
        slope = [sum((h[i, j] * v[j] for j in range(size)), f[i]) for i in range(size)]
        wrong = [i for i in range(size) if (slope[i] < 0 if held[i] else v[i] < lowest)]
        if not wrong:
            return v
        held[wrong[0]] = not held[wrong[0]]


def _solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Gauss elimination; the matrix is positive definite, so no pivot is zero."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i, pivot in enumerate(rows):
        rows[i] = [x / pivot[i] for x in pivot]
        for k in range(len(rows)):
            if k != i:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]
