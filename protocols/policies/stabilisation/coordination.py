"""Consensus ADMM over the scenarios, on shares: every party's step with its own matrix, then two means and a clip.

    z = (u, ψ) from the state s     u_k ← clip(mean_i s_u,k) for k < M,  each scenario's own clip for k ≥ M
                                    ψ_i ← κ·s_ψ,i + (1 − κ)·mean s_ψ
    y_i ← W_i·(2z_i − s_i) + q_i    the party's committed matrix and offset
    s ← s + α·(y − z)               over-relaxation α = 1.6

s is the paper's (6.45)–(6.49) with s = z + η: η ← η + α·y + (1 − α)·z_old − z_new. U stands in the y2 step (without it
the problem is unbounded), ψ = φ holds with equality, and the steps k = 0 … M−1 are shared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.engine import Engine, Index, IntArray, Secret, fixed

RELAXATION = 1638
"""α·2^10, the multiple of 2^−10 next to 1.6."""
RELAXATION_BITS = 10

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Coordination:
    """What is public about the problem, in normalised units."""

    scenarios: int
    """S."""
    size: int
    """n: controls of a scenario over the horizon."""
    shared: int
    """How many of them, from the first, are common to all scenarios."""
    lower: IntArray
    upper: IntArray
    """Limits per control, at scale f."""
    keep: float
    """κ."""
    radius: int
    """Bound on the state, at scale f."""

    @cached_property
    def shared_places(self) -> Index:
        """Positions in the state of the shared controls, scenario by scenario."""
        return self._grid(np.arange(self.shared)).reshape(-1)

    @cached_property
    def own_places(self) -> Index:
        """Positions of the scenarios' own controls."""
        return self._grid(np.arange(self.shared, self.size)).reshape(-1)

    @cached_property
    def objective_places(self) -> Index:
        """Positions of ψ."""
        return self._grid(np.array([self.size])).reshape(-1)

    @cached_property
    def spread(self) -> Index:
        """Where each entry of z stands in (shared, own, ψ) one after the other."""
        own, s, n = self.size - self.shared, np.arange(self.scenarios)[:, None], np.arange(self.size)[None, :]
        controls = np.where(n < self.shared, n, self.shared + s * own + n - self.shared)
        return np.hstack([controls, self.shared + self.scenarios * own + s]).reshape(-1).astype(np.int64)

    @cached_property
    def rows(self) -> Index:
        """For the products of W with a state: which entry of the result each belongs to."""
        width = self.size + 1
        return np.repeat(np.arange(self.scenarios * width), width)

    @cached_property
    def columns(self) -> Index:
        """For the same products: the entry of the state."""
        width = self.size + 1
        own = np.tile(np.arange(width), self.scenarios * width)
        return own + self.rows // width * width

    @cached_property
    def entries(self) -> Index:
        """For the same products: the entry of the committed upper triangles."""
        width = self.size + 1
        one = np.array([_triangle(width, min(j, k), max(j, k)) for j in range(width) for k in range(width)])
        return (one[None, :] + width * (width + 1) // 2 * np.arange(self.scenarios)[:, None]).reshape(-1)

    def repeated(self, limits: IntArray) -> IntArray:
        """Limits of the shared controls, then those of every scenario's own ones."""
        return np.concatenate([limits[: self.shared], np.tile(limits[self.shared :], self.scenarios)])

    def _grid(self, inside: Index) -> Index:
        return np.arange(self.scenarios)[:, None] * (self.size + 1) + inside[None, :]


def _triangle(width: int, j: int, k: int) -> int:
    """Position of (j, k), j ≤ k, in the upper triangle row by row."""
    return j * width - j * (j - 1) // 2 + k - j


@dataclass(frozen=True)
class Agreed:
    """The shared controls u' inside their limits exactly, and ψ' per scenario, at scale f."""

    control: Secret
    objective: Secret


async def agree(
    engine: Engine, problem: Coordination, matrix: Secret, offset: Secret, iterations: int, report: Report
) -> Agreed:
    """Run a fixed, public number of iterations; nothing is opened. `matrix` holds upper triangles, `offset` q."""
    width, own = problem.size + 1, problem.size - problem.shared
    full = matrix[problem.entries]
    radius = problem.radius
    lower, upper = (engine.public(problem.repeated(limits), FRACTION) for limits in (problem.lower, problem.upper))
    members: Index = np.tile(np.arange(problem.shared), problem.scenarios)
    everything: Index = np.zeros(problem.scenarios, dtype=np.int64)
    part = int(fixed(1 / problem.scenarios, FRACTION)[0])
    rest = int(fixed((1 - problem.keep) / problem.scenarios, FRACTION)[0])
    keep = (1 << FRACTION) - rest * problem.scenarios

    async def common(state: Secret) -> tuple[Secret, Secret]:
        """Controls (shared, then own) inside their limits, and ψ."""
        mean = engine.group_sum(state[problem.shared_places], members, problem.shared).times(part, FRACTION)
        objective = state[problem.objective_places]
        total = engine.group_sum(objective, everything, 1)[everything]
        mean, mixed = await engine.trunc_each(
            [mean, objective.times(keep, FRACTION) + total.times(rest, FRACTION)], FRACTION
        )
        free = engine.concat([mean, state[problem.own_places]]) if own else mean
        return await engine.clip(free, lower, upper), mixed

    state = engine.zeros(problem.scenarios * width, FRACTION)
    for k in range(iterations):
        controls, objective = await common(state)
        z = engine.concat([controls, objective])[problem.spread]
        reflected = z * 2 - state
        product = await engine.dot(full, reflected[problem.columns], problem.rows, problem.scenarios * width)
        step = (product + (offset - z).rescaled(2 * FRACTION)).times(RELAXATION, RELAXATION_BITS)
        state = state + await engine.trunc(step, FRACTION + RELAXATION_BITS)
        # W is proven to be a proximal map up to rounding, so the state does not leave its ball: see units.radius.
        state = engine.within(state, -radius, radius)
        report(k + 1, iterations)
    controls, objective = await common(state)
    return Agreed(controls[: problem.shared], objective)
