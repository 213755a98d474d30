"""The plain oracle: the scenario problem solved in the clear by an interior-point method, and ADMM in floating point.

The oracle shares nothing with the secure path but the terms: no normalisation, no consensus, no ADMM. Variables are
the shared controls and every scenario's own later ones; states and ψ are eliminated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.stabilisation.inputs import PartyInputs, Scenario
from tacita.protocols.policies.stabilisation.instance import outcome_of
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms

ACCEPTED = 1e-9
"""Largest complementarity product and residual of an answer, relative to the size of the problem."""


@dataclass(frozen=True)
class Problem:
    """z_i = G_i u_i + h_i per scenario: `response` of shape (S, N, n), `free` of shape (S, N)."""

    response: Vector
    free: Vector
    lower: Vector
    upper: Vector
    """Limits per control, flat, n entries."""
    shared: int
    """Controls that are common, of n."""
    weight: float
    control_cost: Vector
    """R per control, flat."""
    tracking: bool

    @property
    def scenarios(self) -> int:
        """S."""
        return len(self.free)

    @property
    def spread_weight(self) -> float:
        """λ̃ = (1 − λ)/(S − 1)."""
        return (1 - self.weight) / (self.scenarios - 1)

    def objective(self, controls: Vector) -> float:
        """The cost of controls of shape (S, n)."""
        z = self.states(controls)
        psi = z.sum(axis=1)
        spread = self.spread_weight * float(np.sum((psi - psi.mean()) ** 2))
        if not self.tracking:
            return self.weight * float(psi.mean()) + spread
        cost = float(np.sum(z**2) + np.sum(self.control_cost * controls**2))
        return self.weight / self.scenarios * cost + spread

    def states(self, controls: Vector) -> Vector:
        """z, shape (S, N)."""
        return np.asarray(np.einsum("stk,sk->st", self.response, controls) + self.free)


@dataclass(frozen=True)
class Optimum:
    """The best controls (S, n), ψ per scenario, and the cost."""

    controls: Vector
    psi: Vector
    cost: float

    @property
    def mean(self) -> float:
        """μ."""
        return float(self.psi.mean())

    @property
    def variance(self) -> float:
        """s², with S − 1."""
        return float(self.psi.var(ddof=1))


def problem_of(terms: StabilisationTerms, scenarios: Sequence[Scenario]) -> Problem:
    """The problem in the caller's units."""
    n, count = terms.horizon, terms.controls
    response, free = np.zeros((len(scenarios), n, n * count)), np.zeros((len(scenarios), n))
    for i, scenario in enumerate(scenarios):
        x, rows = terms.deviation, np.zeros(n * count)
        for k in range(n):
            a = float(scenario.persistence)
            rows = a * rows
            for j, effect in enumerate(scenario.effects):
                rows[k * count + j] += float(effect)
            x = a * x + float(scenario.shocks[k])
            response[i, k], free[i, k] = rows, x
    lower, upper = terms.economy.limits(n)
    return Problem(
        response,
        free,
        lower.reshape(-1),
        upper.reshape(-1),
        terms.shared * count,
        float(terms.weight),
        np.tile([float(r) for r in terms.control_cost], n),
        terms.objective == "tracking",
    )


def optimum(problem: Problem) -> Optimum:
    """The optimum by an interior-point method; raises ArithmeticError if it does not reach its accuracy."""
    count, n, m = problem.scenarios, problem.response.shape[2], problem.shared
    size = m + count * (n - m)
    spread = np.zeros((count, n, size))  # u_i = spread_i · variables
    for i in range(count):
        spread[i, range(m), range(m)] = 1
        spread[i, range(m, n), range(m + i * (n - m), m + (i + 1) * (n - m))] = 1
    rows = np.einsum("stk,skv->stv", problem.response, spread)
    sums, level = rows.sum(axis=1), problem.free.sum(axis=1)
    gaps, gap_levels = sums - sums.mean(axis=0), level - level.mean()
    share = problem.weight / count
    h = 2 * problem.spread_weight * gaps.T @ gaps
    f = 2 * problem.spread_weight * gaps.T @ gap_levels
    if problem.tracking:
        flat = rows.reshape(-1, size)
        h = h + 2 * share * (flat.T @ flat + np.einsum("skv,k,skw->vw", spread, problem.control_cost, spread))
        f = f + 2 * share * flat.T @ problem.free.reshape(-1)
    else:
        f = f + share * sums.sum(axis=0)
    lower = np.concatenate([problem.lower[:m], np.tile(problem.lower[m:], count)])
    upper = np.concatenate([problem.upper[:m], np.tile(problem.upper[m:], count)])
    controls = np.einsum("skv,v->sk", spread, box_quadratic(h, f, lower, upper))
    return Optimum(controls, problem.states(controls).sum(axis=1), problem.objective(controls))


def box_quadratic(h: Vector, f: Vector, lower: Vector, upper: Vector) -> Vector:
    """argmin ½x'Hx + f'x on lower ≤ x ≤ upper, H ⪰ 0, by Mehrotra's method; entries without room stay fixed."""
    free = upper - lower > 1e-13
    x = np.where(free, (lower + upper) / 2, lower)
    if not free.any():
        return np.asarray(x)
    g = f[free] + h[np.ix_(free, ~free)] @ x[~free]
    width = (upper - lower)[free]
    # In units of each entry's room: 0 ≤ t ≤ 1.
    hh, g = h[np.ix_(free, free)] * np.outer(width, width), (g + h[np.ix_(free, free)] @ lower[free]) * width
    scale = max(float(np.abs(hh).max()), float(np.abs(g).max()), 1e-300)
    hh, g = hh / scale, g / scale
    t = np.full(len(g), 0.5)
    low = high = np.ones(len(g))
    for _ in range(100):
        residual = hh @ t + g - low + high
        gap = float(low @ t + high @ (1 - t)) / (2 * len(g))
        if max(gap, float(np.abs(residual).max())) < 1e-15:
            break
        system = hh + np.diag(low / t + high / (1 - t))

        def direction(target_low: Vector, target_high: Vector) -> tuple[Vector, Vector, Vector]:
            right = -residual + target_low / t - low - target_high / (1 - t) + high  # noqa: B023 - used at once
            dt = np.linalg.solve(system, right)  # noqa: B023
            return dt, (target_low - low * dt) / t - low, (target_high + high * dt) / (1 - t) - high  # noqa: B023

        dt, dl, dh = direction(np.zeros(len(g)), np.zeros(len(g)))
        step = _step(t, dt, low, dl, high, dh)
        ahead = float((low + step * dl) @ (t + step * dt) + (high + step * dh) @ (1 - t - step * dt)) / (2 * len(g))
        target = gap * (ahead / gap) ** 3
        dt, dl, dh = direction(target - dt * dl, target + dt * dh)
        step = min(1.0, 0.995 * _step(t, dt, low, dl, high, dh))
        if step < 1e-12:
            break
        t, low, high = t + step * dt, low + step * dl, high + step * dh
    residual = hh @ t + g - low + high
    if max(float(np.max(low * t)), float(np.max(high * (1 - t))), float(np.abs(residual).max())) > ACCEPTED:
        raise ArithmeticError("the plain solver did not reach its accuracy")
    x[free] = lower[free] + width * t
    return np.asarray(x)


def _step(t: Vector, dt: Vector, low: Vector, dl: Vector, high: Vector, dh: Vector) -> float:
    """The longest step that keeps t, 1 − t and both multipliers positive."""
    longest = 1.0 / 0.995
    for value, change in ((t, dt), (1 - t, -dt), (low, dl), (high, dh)):
        falling = change < 0
        if falling.any():
            longest = min(longest, float(np.min(-value[falling] / change[falling])))
    return longest


Watch = Callable[[Vector, Vector], None]


def consensus(
    problem: Problem, penalty: float, objective_penalty: float, relaxation: float, iterations: int, watch: Watch
) -> tuple[Vector, Vector]:
    """The ADMM of coordination.py in floating point and the caller's units; `watch` sees (controls, ψ) of the y2 step.

    Returns the last controls (S, n) and ψ.
    """
    count, n = problem.scenarios, problem.response.shape[2]
    share = 2 * problem.weight / count
    keep = objective_penalty / (objective_penalty + 2 * problem.spread_weight)
    sums, level = problem.response.sum(axis=1), problem.free.sum(axis=1)
    inverse, pull = [], []
    for i in range(count):
        g, c = problem.response[i], sums[i]
        own = penalty * np.eye(n) + objective_penalty * np.outer(c, c)
        if problem.tracking:
            own = own + share * (g.T @ g + np.diag(problem.control_cost))
            pull.append(share * g.T @ problem.free[i] + objective_penalty * level[i] * c)
        else:
            pull.append((problem.weight / count + objective_penalty * level[i]) * c)
        inverse.append(np.linalg.inv(own))
    s_u, s_psi = np.zeros((count, n)), np.zeros(count)
    u, psi = s_u, s_psi
    for _ in range(iterations):
        u = _clipped(s_u, problem)
        psi = s_psi.mean() + keep * (s_psi - s_psi.mean())
        watch(u, psi)
        right = penalty * (2 * u - s_u) + objective_penalty * (2 * psi - s_psi)[:, None] * sums - np.array(pull)
        y = np.einsum("skl,sl->sk", np.array(inverse), right)
        y_psi = np.einsum("sk,sk->s", sums, y) + level
        s_u, s_psi = s_u + relaxation * (y - u), s_psi + relaxation * (y_psi - psi)
    return _clipped(s_u, problem), s_psi.mean() + keep * (s_psi - s_psi.mean())


def _clipped(state: Vector, problem: Problem) -> Vector:
    """Shared controls are the mean, then every control is brought inside its limits."""
    u, m = state.copy(), problem.shared
    u[:, :m] = u[:, :m].mean(axis=0)
    return np.clip(u, problem.lower, problem.upper)


@dataclass(frozen=True)
class PlainOutcome:
    """The optimum and what it means in coins."""

    optimum: Optimum
    outcome: Mapping[str, Any]


def all_scenarios(inputs: Mapping[str, PartyInputs]) -> list[Scenario]:
    """Every party's scenarios, party by party."""
    return [s for name in sorted(inputs) for s in inputs[name].scenarios.values()]


def solve_plain(terms: StabilisationTerms, inputs: Mapping[str, PartyInputs]) -> PlainOutcome:
    """Solve one session in the clear."""
    best = optimum(problem_of(terms, all_scenarios(inputs)))
    control = best.controls[0][: terms.shared * terms.controls].reshape(terms.shared, terms.controls)
    return PlainOutcome(best, {**outcome_of(terms, control.tolist()), "mean": best.mean, "variance": best.variance})


def gap(plain: PlainOutcome, outcome: Mapping[str, Any]) -> dict[str, float]:
    """Largest absolute difference of every published quantity; amounts of coins relative to what is outstanding."""
    result = {}
    for name in ("growth", "ratio_growth", "mean", "variance"):
        if name in outcome:
            mine, theirs = np.atleast_1d(plain.outcome[name]), np.atleast_1d(outcome[name])
            result[name] = float(np.max(np.abs(mine - theirs)))
    coins = float(plain.outcome["auction_size"]) - float(outcome["auction_size"])
    return {**result, "auction_size": abs(coins) / float(outcome["outstanding"])}
