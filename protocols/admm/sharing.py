"""Sharing ADMM with over-relaxation, for bids that are separable over slots (boxes and slot caps only).

    V_i = x_i − (x̄ − ȳ + u)          x_i ← argmax v_i(x) − ρ/2 (x − V_i)² on the bidder's box
    x̂ = α·x̄ + (1 − α)·ȳ              ȳ ← clip((ρ(u + x̂) − p)/(ρ + N·k), 0, cap/N)
    u ← u + x̂ − ȳ                     price λ = ρ·u

x̄ and ȳ are means over the N entries of a slot. Quadratic bids: x = clip((b/ρ + V)·ρ/(a + ρ), lo, hi). Step bids:
x = Σ_j clip(V + s_j/ρ − X_j, 0, w_j) with X_j the sum of the widths before step j. All but the last iteration
compare coarsely, early ones more so; the last one compares at full precision, so x ends inside its box exactly.
Source: main paper section 8 with Algorithm 3 replaced by its sharing form (Boyd et al. 2011, 7.3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.mpc.engine import Engine, Index, Secret

RELAXATION = 1.6
COARSE_BITS = (26, 24, 20, 16)
"""Low bits that comparisons ignore with three and four nodes, by quarters of the iterations; the last iteration ignores
none."""

Report = Callable[[int, int], None]
"""Called with (iteration, iterations); both are public."""


@dataclass(frozen=True)
class Solution:
    """x per entry (not yet repaired) and the price per slot, at scale f."""

    allocation: Secret
    price: Secret


def coarse_bits(done: int, iterations: int, ulp: int, fewer: int = 0) -> int:
    """How coarsely the iteration after `done` others compares: ADMM contracts what early ones are off, and the last
    one compares exactly. More nodes are off by more (`coarse_error`) and ignore fewer bits, so that nobody is off by
    more than four nodes: 2 fewer bits with five and six, 4 with seven. `fewer`: of a method that contracts slowly."""
    fewer += ((ulp - 1) // 4).bit_length()
    return 0 if done + 1 == iterations else COARSE_BITS[4 * done // iterations] - fewer


async def solve(engine: Engine, market: Market, bids: Bids, iterations: int, report: Report) -> Solution:
    """Run a fixed, public number of iterations; nothing is opened."""
    slot, rho, members = market.slot_of, market.penalty, market.members
    cost_quadratic = np.array(market.cost_quadratic)
    gain = rho / (rho + members * cost_quadratic)  # ρ/(ρ + N·k)
    step = _StepBids(engine, market, bids) if market.steps else None
    quadratic = None if step else _QuadraticBids(engine, market, bids)
    local = step or quadratic
    assert local is not None
    await local.prepare()
    zero, cap = engine.zeros(market.slots, FRACTION), engine.public(market.caps // members, FRACTION)
    x = engine.zeros(market.entries, FRACTION)
    x_mean, y_mean, u = zero, zero, zero
    offset = market.constant(np.array(market.cost_linear) * gain / rho)  # p/(ρ + N·k)

    def times(vector: Secret, real: object) -> Secret:
        return vector.times(np.resize(market.constant(real), vector.size), FRACTION)

    for k in range(iterations):
        coarse = coarse_bits(k, iterations, engine.info.ulp)
        # 1. every bidder's proximal step
        centre = x - (x_mean - y_mean + u)[slot]
        x = await local.proximal(centre, coarse)
        # 2. means, relaxation, supply and scaled price; one truncation for all public multiplications, and for x if
        # its bidders' product has not been truncated
        total, held, dual = engine.group_sum(x, slot, market.slots), y_mean.rescaled(x.scale), u.rescaled(x.scale)
        mean = times(total, 1 / members)
        relaxed = times(total, RELAXATION / members) + times(held, 1 - RELAXATION)
        supply = times(dual, gain) + times(total, RELAXATION * gain / members)
        supply = supply + times(held, (1 - RELAXATION) * gain)
        exact = [] if x.scale == FRACTION else [x.rescaled(x.scale + FRACTION)]
        x_mean, relaxed, supply, *rounded = await engine.trunc_each([mean, relaxed, supply, *exact], x.scale)
        x = rounded[0] if rounded else x
        y_mean = await engine.clip(supply - offset, zero, cap, coarse)
        u = u + relaxed - y_mean
        report(k + 1, iterations)
    price = await engine.trunc(times(u, rho), FRACTION)
    return Solution(x, await engine.positive_part(price))


class _QuadraticBids:
    def __init__(self, engine: Engine, market: Market, bids: Bids) -> None:
        assert bids.value and bids.maximum and bids.share_inverse
        self._engine, self._market, self._value = engine, market, bids.value
        self._inverse, self._maximum = bids.share_inverse, bids.maximum
        self._minimum = bids.minimum or engine.zeros(market.entries, FRACTION)

    async def prepare(self) -> None:
        """b/ρ."""
        scaled = self._value.times(self._market.constant(1 / self._market.penalty)[0], FRACTION)
        self._value = await self._engine.trunc(scaled, FRACTION)

    async def proximal(self, centre: Secret, coarse: int) -> Secret:
        """clip((b/ρ + V)·ρ/(a + ρ), lo, hi); after a coarse comparison at scale 2f, to be truncated with the means."""
        product = await self._engine.mul(self._value + centre, self._inverse)
        if coarse:
            lower, upper = (bound.rescaled(2 * FRACTION) for bound in (self._minimum, self._maximum))
            return await self._engine.clip(product, lower, upper, FRACTION + coarse)
        inner = await self._engine.trunc(product, FRACTION)
        return await self._engine.clip(inner, self._minimum, self._maximum)


class _StepBids:
    def __init__(self, engine: Engine, market: Market, bids: Bids) -> None:
        assert bids.price and bids.width
        self._engine, self._market, self._price, self._width = engine, market, bids.price, bids.width
        self._entry: Index = np.repeat(np.arange(market.entries), market.steps)
        self._zero = engine.zeros(len(self._entry), FRACTION)

    async def prepare(self) -> None:
        """s_j/ρ − X_j."""
        before = self._engine.prefix_sum(self._width, self._entry) - self._width
        scaled = self._price.times(self._market.constant(1 / self._market.penalty)[0], FRACTION)
        self._offset = (await self._engine.trunc(scaled, FRACTION)) - before

    async def proximal(self, centre: Secret, coarse: int) -> Secret:
        """Σ_j clip(V + s_j/ρ − X_j, 0, w_j)."""
        filled = await self._engine.clip(centre[self._entry] + self._offset, self._zero, self._width, coarse)
        return self._engine.group_sum(filled, self._entry, self._market.entries)
