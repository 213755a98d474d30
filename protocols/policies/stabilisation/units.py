"""The scenario problem in units in which every penalty is 1: public constants, and bounds that every party proves.

With u = U·u' (U about a control's largest limit), z' = ζ·x, ψ' = σ·Σ_k z'_k and the whole objective divided by the
control's penalty ρ, scenario i costs ½‖z'‖² + ½R'‖u'‖² for `tracking` and β·ψ'_i for `mean`, and z' = G u' + h:

    G[t, (k, j)] = g_j,t−k   impulse response of control j: g_j,0 = ζ·U_j·b_j, g_j,k+1 = a·g_j,k
    h_t                      free response: h_1 = a·ζx_0 + ζw_0, h_{t+1} = a·h_t + ζw_t
    c = σ·Gᵀ1, d = σ·1ᵀh     so that ψ' = c·u' + d
    Q = ((1 + R')I + GᵀG + ccᵀ)⁻¹   (no GᵀG for `mean`): the y1 step of the paper's (6.45) is, in p = (u', ψ'),

    y = W·r + q,   W = [Q  Qc; cᵀQ  cᵀQc],   q = (−Q·l, d − cᵀQ·l),   l = Gᵀh + d·c + β·c

Q ⪯ I and W ⪯ I, so every entry of W lies in [−1, 1]: the step is a proximal map, and ADMM does not leave the ball
around its limit that it starts on. `radius` is that bound.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tacita.protocols.admm.problem import FRACTION, Vector
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.engine import IntArray, fixed
from tacita.protocols.policies.stabilisation.terms import (
    CONTROL_PENALTY,
    MEAN_PENALTY,
    OBJECTIVE_PENALTY,
    StabilisationTerms,
)

ONE = 1 << FRACTION
SIGMA_BITS = 12
"""σ is a multiple of 2^−12."""
SLACK = 1 / 16
"""Part of a bound on the state that is left for the rounding of all iterations together."""
MAX_RADIUS = 2.0**24


@dataclass(frozen=True)
class Units:
    """Constants of a session with `scenarios` scenarios."""

    terms: StabilisationTerms
    scenarios: int
    """S."""

    # ---- objective --------------------------------------------------------------------------------------------

    @cached_property
    def quadratic(self) -> bool:
        """True if x² stands in the objective: there is a GᵀG."""
        return self.terms.objective == "tracking" and self.terms.weight > 0

    @cached_property
    def spread_weight(self) -> float:
        """λ̃ = (1 − λ)/(S − 1)."""
        return float(1 - self.terms.weight) / (self.scenarios - 1)

    @cached_property
    def _curvature(self) -> tuple[Vector, float]:
        """Per control, what x² and R·u² would weigh at its largest limit and a middling response; Σ_k |a|^k."""
        terms = self.terms
        decay = float(sum(map(abs, terms.persistence)) / 2) ** np.arange(terms.horizon)
        effect = np.array([sum(map(abs, map(float, pair))) / 2 for pair in terms.effects])
        cost = np.array([float(x) for x in terms.control_cost])
        mass = float(np.sum(decay**2 * np.arange(terms.horizon, 0, -1))) / terms.horizon
        return (effect**2 * mass + cost) * self._largest**2, float(np.sum(decay))

    @cached_property
    def _largest(self) -> Vector:
        """The largest limit per control."""
        limits = (self.terms.growth, *((self.terms.ratio_growth,) if self.terms.ratio_growth else ()))
        return np.array([max(abs(float(x)) for x in pair) for pair in limits])

    @cached_property
    def control_unit(self) -> Vector:
        """U per control: the supply's largest limit; a second control is scaled to weigh as much."""
        weight = np.maximum(self._curvature[0], 1e-9 * float(np.max(self._curvature[0])) + 1e-300)
        return np.asarray(self._largest * np.sqrt(weight[0] / weight))

    @cached_property
    def _penalties(self) -> tuple[float, float]:
        """(ρ in units of U², ρ of ψ): given, or of the size of the curvatures at the largest public response."""
        control, objective = self.terms.penalties
        share = 2 * float(self.terms.weight) / self.scenarios
        psi = float(objective) if objective is not None else OBJECTIVE_PENALTY * (2 * self.spread_weight or share)
        curvature, total = self._curvature
        if control is not None:
            own = float(control)
        elif self.quadratic:
            own = CONTROL_PENALTY * share * float(curvature[0])
        else:
            effect = sum(abs(float(b)) for b in self.terms.effects[0]) / 2
            own = MEAN_PENALTY * psi * (effect * float(self._largest[0]) * total) ** 2
        return max(own, 1e-9), psi

    @property
    def penalty(self) -> float:
        """ρ, in units of U²."""
        return self._penalties[0]

    @cached_property
    def state_unit(self) -> float:
        """ζ."""
        rho, psi = self._penalties
        return math.sqrt(2 * float(self.terms.weight) / (self.scenarios * rho) if self.quadratic else psi / rho)

    @cached_property
    def sigma(self) -> int:
        """σ·2^12."""
        rho, psi = self._penalties
        return max(1, round(math.sqrt(psi / rho) / self.state_unit * (1 << SIGMA_BITS)))

    @property
    def objective_unit(self) -> float:
        """ψ' / ψ = σ·ζ."""
        return self.sigma / (1 << SIGMA_BITS) * self.state_unit

    @cached_property
    def keep(self) -> float:
        """κ = ρ_ψ/(ρ_ψ + 2λ̃): what the y2 step keeps of a scenario's distance from the mean."""
        own = self.penalty * self.objective_unit**2
        return own / (own + 2 * self.spread_weight)

    @cached_property
    def linear(self) -> int:
        """β at scale f."""
        if self.terms.objective == "tracking":
            return 0
        return round(float(self.terms.weight) / (self.scenarios * self.penalty * self.objective_unit) * ONE)

    @cached_property
    def ridge(self) -> tuple[int, ...]:
        """1 + R' per control at scale 2f + 2·12, the scale of Q⁻¹."""
        share = 2 * float(self.terms.weight) / (self.scenarios * self.penalty)
        costs = zip(self.terms.control_cost, self.control_unit, strict=True)
        return tuple(round((1 + share * float(r) * float(u) ** 2) * ONE) * ONE << 2 * SIGMA_BITS for r, u in costs)

    # ---- limits of the control --------------------------------------------------------------------------------

    @cached_property
    def limits(self) -> tuple[IntArray, IntArray]:
        """Smallest and largest u' per period and control, flat, at scale f, rounded inwards."""
        lower, upper = self.terms.economy.limits(self.terms.horizon)
        low = np.array([math.ceil(x * ONE) for x in (lower / self.control_unit).reshape(-1)], dtype=object)
        high = np.array([math.floor(x * ONE) for x in (upper / self.control_unit).reshape(-1)], dtype=object)
        return np.minimum(low, high), high

    # ---- bounds -----------------------------------------------------------------------------------------------

    @cached_property
    def start(self) -> int:
        """ζ·x_0 at scale f."""
        return int(fixed(self.state_unit * self.terms.deviation, FRACTION)[0])

    @cached_property
    def persistence(self) -> tuple[int, int]:
        """Range of a at scale f."""
        low, high = (round(x * ONE) for x in self.terms.persistence)
        return low, high

    def effect(self, control: int) -> tuple[int, int]:
        """Range of ζ·U·b at scale f."""
        factor = self.state_unit * float(self.control_unit[control])
        low, high = (round(float(x) * factor * ONE) for x in self.terms.effects[control])
        return low, high

    @cached_property
    def shock(self) -> tuple[int, int]:
        """Range of ζ·w at scale f."""
        low, high = (round(float(x) * self.state_unit * ONE) for x in self.terms.shock)
        return low, high

    @cached_property
    def response_bounds(self) -> list[list[int]]:
        """Per control and lag, the largest |g| at scale f that the relations admit."""
        a = max(map(abs, self.persistence))
        bounds = []
        for j in range(self.terms.controls):
            row = [max(map(abs, self.effect(j)))]
            for _ in range(self.terms.horizon - 1):
                row.append((row[-1] * a >> FRACTION) + 2)
            bounds.append(row)
        return bounds

    @cached_property
    def free_bounds(self) -> list[int]:
        """Per period, the largest |h| at scale f."""
        a, w, last, bounds = max(map(abs, self.persistence)), max(map(abs, self.shock)), abs(self.start), []
        for _ in range(self.terms.horizon):
            last = (last * a >> FRACTION) + w + 2
            bounds.append(last)
        return bounds

    def _lags(self) -> Vector:
        """|G| at most, shape (N, n), in real numbers."""
        terms = self.terms
        largest = np.zeros((terms.horizon, terms.size))
        for j, row in enumerate(self.response_bounds):
            for t in range(terms.horizon):
                for k in range(t + 1):
                    largest[t, k * terms.controls + j] = row[t - k] / ONE
        return largest

    @cached_property
    def sizes(self) -> "Sizes":
        """Norms that the bounds on all iterates follow from."""
        g, h = self._lags(), np.array(self.free_bounds) / ONE
        sigma = self.sigma / (1 << SIGMA_BITS)
        c, d = sigma * g.sum(axis=0), sigma * float(h.sum())
        most = np.max(np.abs(np.array(self.limits, dtype=float)), axis=0) / ONE
        objective = float(c @ most) + d
        pull = g.T @ h + d * c + self.linear / ONE * c
        ridge = max(self.ridge) / (ONE * ONE << 2 * SIGMA_BITS)
        # KKT at the limit: η_ψ = 2λ̃/ρ_ψ·(ψ' − mean), η_u = −((R' + GᵀG)u' + Gᵀh + β·c + η_ψ·c).
        dual_psi = (1 / self.keep - 1) * 2 * objective
        dual = g.T @ (g @ most + h) + (ridge - 1) * most + (self.linear / ONE + dual_psi) * c
        limit = np.append(most + dual, objective + dual_psi)
        return Sizes(g, h, c, d, pull, math.sqrt(self.scenarios) * float(np.linalg.norm(limit)), ridge)

    @cached_property
    def radius(self) -> int:
        """No entry of the ADMM state leaves [−radius, radius], at scale f: the state starts at 0 and no step takes it
        further from the limit than it was, so it stays within 2‖limit‖ but for rounding. Raises CallerMistake."""
        radius = 2 * (1 + SLACK) * self.sizes.limit
        if radius > MAX_RADIUS:
            raise CallerMistake(
                "these bounds let the iterates grow too large; narrow [bounds], shorten the horizon or raise penalties"
            )
        if self.terms.iterations * self._step_error(radius) > 2 * SLACK * self.sizes.limit:
            raise CallerMistake("rounding could add up over so many iterations; lower [solver] iterations")
        return math.ceil(radius * ONE)

    def _step_error(self, radius: float) -> float:
        """Largest error of one iteration in the Euclidean norm: committed entries, then truncations."""
        size, n = self.sizes, self.terms.size
        c = float(np.linalg.norm(size.c))
        inverse = n * self.inverse_error / ONE
        entries = (2 + c) * (inverse + math.sqrt(n) / ONE) * 2
        offset = (1 + c) * (inverse * float(np.linalg.norm(size.pull)) + math.sqrt(n) / ONE)
        truncations = 64 * math.sqrt(self.scenarios * (n + 1)) * (1 + radius) / ONE
        return 2 * (math.sqrt(self.scenarios) * (entries * 3 * radius + offset) + truncations)

    @property
    def inverse_error(self) -> float:
        """Largest entry of Q·Q⁻¹ − I in units of 2^−f: each entry of Q is rounded by half a unit."""
        size = self.sizes
        rows = np.outer(size.c, size.c) + size.ridge * np.eye(len(size.c))
        if self.quadratic:
            rows = rows + size.g.T @ size.g
        return 0.5 * float(np.max(np.sum(rows, axis=0))) * (1 + 1e-9) + 1


@dataclass(frozen=True)
class Sizes:
    """Entrywise bounds of G, h, c, d, l, the Euclidean bound of the limit of the state over all scenarios, 1 + R'."""

    g: Vector
    h: Vector
    c: Vector
    d: float
    pull: Vector
    limit: float
    ridge: float
