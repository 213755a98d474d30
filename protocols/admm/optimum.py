"""The market in the clear, in the caller's units: its optimum and its clearing price. Part of the plain oracle.

One piece per quadratic entry, or per step of a step bid, valued b·x − a·x²/2 + w·ln(1 + x/s) on [lo, hi]:
    W = max Σ v(x) − Σ_t (p_t·y_t + k_t·y_t²/2)
    over lo ≤ x ≤ hi,  Σ_slot x = y_t ≤ cap_t,  Σ_owner x ≤ d_i,  Σ_{τ≤t} y_τ ≤ C_t.
Numbers stay the Fractions that were written until the interior-point method starts, so variables that caps, budgets
or minimums pin down are recognised exactly and a strictly feasible point is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tacita.protocols.admm.interior import Program, maximise
from tacita.protocols.admm.problem import Vector
from tacita.protocols.faults import CallerMistake

Exact = Any
"""A numpy vector of dtype object that holds Fractions (or a float infinity)."""
Group = NDArray[np.int64]
ZERO = Fraction(0)
UNLIMITED = float("inf")


def exact(values: Sequence[Any]) -> Exact:
    """A vector of dtype object."""
    return np.fromiter(values, dtype=object, count=len(values))


def real(values: Exact) -> Vector:
    """The same in float64."""
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True)
class PlainMarket:
    """The forward problem; the first eight vectors have one element per piece."""

    owner: Group
    slot: Group
    linear: Exact
    """b, or the step's price."""
    curvature: Exact
    """a, or 0."""
    lower: Exact
    upper: Exact
    weight: Vector
    """w, or 0."""
    shift: Vector
    """s, or 1."""
    cost_linear: Exact
    cost_quadratic: Exact
    cap: Exact
    cumulative: Exact
    budget: Exact

    @property
    def coupled(self) -> bool:
        """True if budgets or cumulative caps tie slots together."""
        return bool(min(*self.cumulative, *self.budget) < UNLIMITED)

    def worth(self, x: Vector) -> Vector:
        """v of each piece."""
        return real(self.linear) * x - real(self.curvature) * x**2 / 2 + self.weight * np.log1p(x / self.shift)

    def cost(self, y: Vector) -> float:
        """Σ_t p·y + k·y²/2."""
        return float(np.sum(real(self.cost_linear) * y + real(self.cost_quadratic) * y**2 / 2))


@dataclass(frozen=True)
class Solution:
    """x per piece, y and λ per slot, W."""

    x: Vector
    y: Vector
    price: Vector
    welfare: float


def optimum(market: PlainMarket, keep: NDArray[np.bool_]) -> Solution:
    """The best allocation to the pieces in `keep`; the others get 0, whatever their minimum."""
    slots, bidders = len(market.cost_linear), len(market.budget)
    # On x − lo: what caps, later cumulative caps and budgets leave. Where nothing is left, x = lo.
    lower, width = _only(keep, market.lower), market.upper - market.lower
    reserved = _sums(lower, market.slot, slots)
    room, total = market.cap - reserved, market.cumulative - np.cumsum(reserved)
    left = market.budget - _sums(lower, market.owner, bidders)
    latest = np.minimum(room, np.minimum.accumulate(total[::-1])[::-1])
    if min(latest) < 0 or min(left) < 0:
        raise CallerMistake("the minimums exceed supply_max, cumulative_max or a budget; lower the minimums")
    wanted = keep & np.asarray(width > 0) & np.asarray(left > 0)[market.owner]
    free = wanted & np.asarray(latest > 0)[market.slot]
    x, start = real(lower), real(lower)
    marginal = real(market.linear - market.curvature * lower) + market.weight / (market.shift + start)  # v'(lo)
    first_cost = real(market.cost_linear + market.cost_quadratic * reserved)  # c'(Σ lo)
    price, budget_price, cap_price = np.zeros(slots), np.zeros(bidders), np.zeros(slots)
    if free.any():
        piece = np.flatnonzero(free)
        demand = real(_sums(_only(free, width), market.slot, slots))
        opened = np.flatnonzero(demand)
        limited = np.flatnonzero(np.bincount(market.owner[free], minlength=bidders) * (real(left) < UNLIMITED))
        capped = np.flatnonzero((real(total) < UNLIMITED) & (np.cumsum(demand) > 0))
        by_slot = _indicator(market.slot[piece], slots)[opened]
        by_owner = _indicator(market.owner[piece], bidders)[limited]
        running = sparse.csr_matrix((opened[None, :] <= capped[:, None]).astype(np.float64))
        columns = len(opened)
        best = maximise(
            Program(
                linear=np.concatenate([real(market.linear - market.curvature * lower)[piece], -first_cost[opened]]),
                curvature=np.concatenate([real(market.curvature)[piece], real(market.cost_quadratic)[opened]]),
                weight=np.concatenate([market.weight[piece], np.zeros(columns)]),
                shift=np.concatenate([(market.shift + start)[piece], np.ones(columns)]),
                # A supply limit of twice the demand never binds, so it leaves the price alone.
                upper=np.concatenate([real(width)[piece], np.minimum(real(room), 2 * demand)[opened]]),
                balance=sparse.hstack([by_slot, -sparse.identity(columns)]).tocsr(),
                rows=sparse.block_diag([by_owner, running]).tocsr(),
                limit=np.concatenate([real(left)[limited], real(total)[capped]]),
            )
        )
        x[piece] += best.x[: len(piece)]
        price[opened] = best.price
        budget_price[limited], cap_price[capped] = np.split(best.row_price, [len(limited)])
    # Where minimums are all that is sold, y > 0 still needs λ ≥ c'(y) + Σ_{s≥t} η_s.
    sold = np.asarray(reserved > 0)
    price[sold] = np.maximum(price, first_cost + np.cumsum(cap_price[::-1])[::-1])[sold]
    # Where nothing is left, the lowest clearing price is the best marginal value that is turned away.
    away = wanted & ~free
    np.maximum.at(price, market.slot[away], (marginal - budget_price[market.owner])[away])
    y = real(np.bincount(market.slot, weights=x, minlength=slots))
    welfare = float(market.worth(x).sum()) - market.cost(y)
    return Solution(x, y, np.maximum(price, 0), welfare)


def _only(chosen: NDArray[np.bool_], values: Exact) -> Exact:
    """The chosen values, 0 elsewhere."""
    result = np.full(len(values), ZERO, dtype=object)
    result[chosen] = values[chosen]
    return result


def _sums(values: Exact, group: Group, count: int) -> Exact:
    result = np.full(count, ZERO, dtype=object)
    np.add.at(result, group, values)
    return result


def _indicator(group: Group, count: int) -> Any:
    return sparse.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))), shape=(count, len(group)))


# ---- the clearing price of one slot ---------------------------------------------------------------------------


def lowest_price(market: PlainMarket, slot: int) -> Fraction:
    """The smallest λ ≥ 0 at which demand just right of λ does not exceed supply, for bids without ln, exactly.

    r(λ) = D(λ) − Y(λ) falls and is linear between breakpoints: b − a·lo and b − a·hi (the price of a step), p and
    p + k·cap. The first breakpoint g with r(g+) ≤ 0 is found by bisection; left of g, r may cross zero earlier.
    """
    of_slot = np.flatnonzero(market.slot == slot)
    bids = [tuple(getattr(market, n)[j] for n in ("linear", "curvature", "lower", "upper")) for j in of_slot]
    p, k, cap = market.cost_linear[slot], market.cost_quadratic[slot], market.cap[slot]
    if cap == UNLIMITED:
        cap = sum((hi for _, _, _, hi in bids), ZERO) + 1
    grid = {ZERO, p, p + k * cap} | {b - a * q for b, a, lo, hi in bids for q in (lo, hi)}
    points: list[Fraction] = sorted(g for g in grid if g >= 0)

    def excess(g: Fraction, right: bool) -> Fraction:
        total: Fraction = ZERO
        for b, a, lo, hi in bids:
            if a:
                total += min(max((b - g) / a, lo), hi)
            else:
                total += hi if b > g or (b == g and not right) else lo
        vertical = cap if g > p or (g == p and right) else ZERO
        return total - Fraction(min(max((g - p) / k, ZERO), cap) if k else vertical)

    low, high = -1, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(points[middle], True) <= 0 else (middle, high)
    at_left = excess(points[high], False)
    if high == 0 or at_left >= 0:
        return points[high]
    start, before = points[high - 1], excess(points[high - 1], True)
    return start + (points[high] - start) * before / (before - at_left)
