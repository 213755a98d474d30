"""What a party commits to for every scenario, and what its proof shows of it.

    a            persistence, in its public range
    g_j,0 …      impulse responses: g_j,0 in its range, |a·g_j,k − g_j,k+1| ≤ half a unit
    h_1 …        free responses: h_{t+1} − a·h_t = ζ·w_t with w_t in its range, h_0 = ζ·x_0 public
    W            upper triangle, in [−1, 1]: Q·((1 + R')I + GᵀG + ccᵀ) = I up to the rounding of Q, then Qc and cᵀQc
    q            offset of the step: −Q·l and d − cᵀQ·l

Every rounding is shown to be at most half a unit 2^−32 of what is committed. So the whole chain from (a, b, w) to the
matrix that the engine multiplies with is proven; what is not proven is that the scenario is what the party believes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tacita.crypto.proofs.quadratic import Quadratic
from tacita.crypto.proofs.range import Linear, Relations, constant
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.engine import IntArray
from tacita.protocols.policies.stabilisation.inputs import PartyInputs, Scenario
from tacita.protocols.policies.stabilisation.units import ONE, SIGMA_BITS, Units

BLOCKS = ("persistence", "response", "free", "matrix", "offset")
PRODUCT = 2 * FRACTION + 2 * SIGMA_BITS
"""Scale of Q⁻¹."""


@dataclass(frozen=True)
class Field:
    """One committed integer: its engine block and public range."""

    label: str
    lo: int
    hi: int


@dataclass(frozen=True)
class FieldPlan:
    """The fields of a scenario; the same for all scenarios of a session."""

    units: Units

    @cached_property
    def size(self) -> int:
        """n: controls over the horizon."""
        return self.units.terms.size

    @cached_property
    def corners(self) -> list[tuple[int, int]]:
        """(row, column) of the committed entries of W: its upper triangle."""
        return [(j, k) for j in range(self.size + 1) for k in range(j, self.size + 1)]

    @cached_property
    def fields(self) -> list[Field]:
        """In commitment order."""
        units = self.units
        fields = [Field("persistence", *units.persistence)]
        for j, bounds in enumerate(units.response_bounds):
            fields.append(Field("response", *units.effect(j)))
            fields += [Field("response", -b, b) for b in bounds[1:]]
        fields += [Field("free", -b, b) for b in units.free_bounds]
        fields += [Field("matrix", -ONE - 1, ONE + 1) for _ in self.corners]
        # ‖Q·[Gᵀ c β]‖ is at most one half and ‖cᵀQ·[Gᵀ c β]‖ at most one, in units of what they multiply.
        sizes = units.sizes
        reach = float(np.linalg.norm([*sizes.h, sizes.d + units.linear / ONE])) + sizes.d + 1
        limit = int(reach * ONE)
        return fields + [Field("offset", -limit, limit) for _ in range(self.size + 1)]

    # ---- values -----------------------------------------------------------------------------------------------

    def values(self, inputs: PartyInputs) -> list[int]:
        """All scenarios of a party, one after the other."""
        return [v for scenario in inputs.scenarios.values() for v in self.scenario_values(scenario)]

    def scenario_values(self, scenario: Scenario) -> list[int]:
        """The integers of one scenario, in the order of `fields`."""
        units, terms = self.units, self.units.terms
        a = _clamp(round(scenario.persistence * ONE), units.persistence)
        response: list[list[int]] = []
        for j, effect in enumerate(scenario.effects):
            factor = units.state_unit * float(units.control_unit[j])
            row = [_clamp(round(float(effect) * factor * ONE), units.effect(j))]
            for _ in range(terms.horizon - 1):
                row.append(_nearest(a * row[-1], FRACTION))
            response.append(row)
        free, last = [], units.start
        for w in scenario.shocks:
            last = _nearest(a * last, FRACTION) + _clamp(round(float(w) * units.state_unit * ONE), units.shock)
            free.append(last)
        matrix, offset = self._step(response, free)
        return [a, *(g for row in response for g in row), *free, *matrix, *offset]

    def _step(self, response: Sequence[Sequence[int]], free: Sequence[int]) -> tuple[list[int], list[int]]:
        """Committed entries of W and q for the committed responses, each rounded to the nearest unit."""
        units, n = self.units, self.size
        g = np.zeros((units.terms.horizon, n), dtype=object)
        for t, k, j in self._lags():
            g[t, k * units.terms.controls + j] = response[j][t - k]
        h = np.array(free, dtype=object)
        c, d = units.sigma * g.sum(axis=0), units.sigma * sum(free)
        inverse = np.outer(c, c) + np.diag(np.array(units.ridge * units.terms.horizon, dtype=object))
        pull = d * c + units.linear * c * (1 << SIGMA_BITS)
        if units.quadratic:
            inverse, pull = inverse + (g.T.dot(g) << 2 * SIGMA_BITS), pull + (g.T.dot(h) << 2 * SIGMA_BITS)
        q = _inverse(inverse)
        v = [_nearest(int(q[j].dot(c)), FRACTION + SIGMA_BITS) for j in range(n)]
        corner = _nearest(sum(int(x) * y for x, y in zip(c, v, strict=True)), FRACTION + SIGMA_BITS)
        full = {(j, k): int(q[j, k]) for j in range(n) for k in range(n)}
        full |= {(j, n): v[j] for j in range(n)} | {(n, n): corner}
        own = [_nearest(-int(q[j].dot(pull)), PRODUCT) for j in range(n)]
        last = sum(int(x) * y for x, y in zip(c, own, strict=True)) + (d << FRACTION)
        return [full[at] for at in self.corners], [*own, _nearest(last, FRACTION + SIGMA_BITS)]

    def _lags(self) -> list[tuple[int, int, int]]:
        """(period, period of the control, control) of every entry of G that is not 0."""
        terms = self.units.terms
        return [(t, k, j) for t in range(terms.horizon) for k in range(t + 1) for j in range(terms.controls)]

    # ---- relations --------------------------------------------------------------------------------------------

    def relations(self, scenarios: int) -> Relations:
        """What a party's proof shows; witness i is committed integer i."""
        relations, committed = Relations(), []
        for _ in range(scenarios):
            committed.append([relations.integer(max(abs(f.lo), abs(f.hi))) for f in self.fields])
        for variables in committed:
            self._relate(relations, variables)
        return relations

    def _relate(self, relations: Relations, variables: Sequence[Linear]) -> None:
        units, n, horizon = self.units, self.size, self.units.terms.horizon
        blocks = {label: [v for v, f in self._labelled(variables) if f.label == label] for label in BLOCKS}
        for v, f in self._labelled(variables):
            if f.label not in ("response", "free"):
                relations.in_range(v, f.lo, f.hi)
        (a,), free = blocks["persistence"], blocks["free"]
        response = [blocks["response"][j * horizon : (j + 1) * horizon] for j in range(units.terms.controls)]
        # 1. a·g_k = g_{k+1} and h_{t+1} − a·h_t = ζ·w_t.
        for j, row in enumerate(response):
            relations.in_range(row[0], *units.effect(j))
            for now, after in zip(row, row[1:], strict=False):
                _rounds_to(relations, a.times(now), after, FRACTION)
        low, high = ((w << FRACTION) + s * (ONE >> 1) for w, s in zip(units.shock, (-1, 1), strict=True))
        for before, after in zip([constant(units.start), *free], free, strict=False):
            shock = _sum(_scaled(a.times(before), -1), _linear(after, ONE))
            relations.in_range(relations.derived(shock, max(abs(low), abs(high))), low, high)
        # 2. Q·((1 + R')I + GᵀG + ccᵀ) = I.
        g = {(t, k * units.terms.controls + j): response[j][t - k] for t, k, j in self._lags()}
        c = [_total([g[t, k] for t in range(horizon) if (t, k) in g], units.sigma) for k in range(n)]
        d = _total(free, units.sigma)
        inverse = {}
        for j in range(n):
            for k in range(j, n):
                entry = [c[j].times(c[k]), Quadratic(constant=self.units.ridge[j % units.terms.controls] * (j == k))]
                if units.quadratic:
                    both = [t for t in range(horizon) if (t, j) in g and (t, k) in g]
                    entry += [_scaled(g[t, j].times(g[t, k]), 1 << 2 * SIGMA_BITS) for t in both]
                inverse[j, k] = inverse[k, j] = relations.derived(_sum(*entry), self._most(j, k))
        w = dict(zip(self.corners, blocks["matrix"], strict=True))
        w |= {(k, j): v for (j, k), v in w.items()}
        error = int(units.inverse_error * 2**PRODUCT)
        for j in range(n):
            for k in range(n):
                dots = [w[j, i].times(inverse[i, k]) for i in range(n)]
                identity = Quadratic(constant=-(1 << FRACTION + PRODUCT) * (j == k))
                relations.in_range(relations.derived(_sum(*dots, identity), error), -error, error)
        # 3. The border of W: Qc and cᵀ(Qc).
        for j in range(n + 1):
            product = _sum(*(c[k].times(w[j, k]) for k in range(n)))
            _rounds_to(relations, product, w[j, n], FRACTION + SIGMA_BITS)
        # 4. q = (−Q·l, d − cᵀQ·l).
        offset, largest = blocks["offset"], np.max(self.units.sizes.pull) * 2.0**PRODUCT
        pulls = []
        for k in range(n):
            parts = [d.times(c[k]), _linear(c[k], units.linear << SIGMA_BITS)]
            if units.quadratic:
                rows = [t for t in range(horizon) if (t, k) in g]
                parts += [_scaled(g[t, k].times(free[t]), 1 << 2 * SIGMA_BITS) for t in rows]
            pulls.append(relations.derived(_sum(*parts), int(largest * 1.01) + ONE))
        for j in range(n):
            product = _scaled(_sum(*(w[j, k].times(pulls[k]) for k in range(n))), -1)
            _rounds_to(relations, product, offset[j], PRODUCT)
        product = _sum(*(c[k].times(offset[k]) for k in range(n)), _linear(d, ONE))
        _rounds_to(relations, product, offset[n], FRACTION + SIGMA_BITS)

    def _labelled(self, variables: Sequence[Linear]) -> list[tuple[Linear, Field]]:
        return list(zip(variables, self.fields, strict=True))

    def _most(self, j: int, k: int) -> int:
        """Largest entry of Q⁻¹ at its scale."""
        sizes = self.units.sizes
        real = float(sizes.c[j] * sizes.c[k] + sizes.g[:, j] @ sizes.g[:, k]) + sizes.ridge
        return int(real * 1.01 * 2.0**PRODUCT)


def _rounds_to(relations: Relations, product: Quadratic, result: Linear, bits: int) -> None:
    """|product − result·2^bits| ≤ 2^(bits − 1): the result is the product, rounded."""
    half = 1 << bits - 1
    error = relations.derived(_sum(product, _linear(result, -(1 << bits))), half)
    relations.in_range(error, -half, half)


def _total(parts: Sequence[Linear], factor: int) -> Linear:
    """factor · Σ parts."""
    total = constant(0)
    for part in parts:
        total = total.plus(part, factor)
    return total


def _linear(expression: Linear, factor: int) -> Quadratic:
    return Quadratic((), tuple((i, factor * k) for i, k in expression.terms), factor * expression.constant)


def _scaled(q: Quadratic, factor: int) -> Quadratic:
    products = tuple((i, j, factor * k) for i, j, k in q.products)
    return Quadratic(products, tuple((i, factor * k) for i, k in q.linear), factor * q.constant)


def _sum(*parts: Quadratic) -> Quadratic:
    """The sum, with one term per product and per variable."""
    products: dict[tuple[int, int], int] = {}
    linear: dict[int, int] = {}
    for part in parts:
        for i, j, k in part.products:
            at = (min(i, j), max(i, j))
            products[at] = products.get(at, 0) + k
        for i, k in part.linear:
            linear[i] = linear.get(i, 0) + k
    return Quadratic(
        tuple((i, j, k) for (i, j), k in products.items() if k),
        tuple((i, k) for i, k in linear.items() if k),
        sum(part.constant for part in parts),
    )


def _nearest(value: int, bits: int) -> int:
    """value / 2^bits, rounded to the nearest integer."""
    return (value + (1 << bits - 1)) >> bits


def _clamp(value: int, limits: tuple[int, int]) -> int:
    """Rounding may leave the range by a unit."""
    return min(max(value, limits[0]), limits[1])


def _inverse(matrix: IntArray) -> IntArray:
    """The inverse of a symmetric matrix at scale PRODUCT, entries rounded to scale f.

    The inverse in floating point, then Newton's X ← X(2I − M·X) on integers with 64 guard bits until it stands.
    """
    n, guard = len(matrix), FRACTION + 64
    real = np.array([[float(x) / 2.0**PRODUCT for x in row] for row in matrix])
    x = np.array([[int(v * 2.0**52) << guard - 52 for v in row] for row in np.linalg.inv(real)], dtype=object)
    two = np.array(np.diag([2 << guard + PRODUCT] * n), dtype=object) if n else x
    for _ in range(6):
        step = x.dot(two - matrix.dot(x)) >> guard + PRODUCT
        if np.max(np.abs(step - x)) <= 4 * n:
            break
        x = step
    half = 1 << 63
    return np.array([[(int(x[min(j, k), max(j, k)]) + half) >> 64 for k in range(n)] for j in range(n)], dtype=object)
