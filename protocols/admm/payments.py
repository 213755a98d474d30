"""Values, welfare and payments of a feasible allocation.

Clarke: p_i = W_{−i} − (W − v_i(x_i)), where W, W_{−i} and x come from one and the same exact solution. Paper
(eq. 7.8): p_i = Σ_{j≠i} max_{X_j} v_j − Σ_{j≠i} v_j(x_j) + c(y), truthful but not individually rational. Uniform:
p_i = Σ_t λ_t x_it. Clarke payments are finally clipped to [0, v_i(x_i)] at the published x. Corrections to the
paper's section 7: docs/corrections.md.
"""

from collections.abc import Sequence

import numpy as np

from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.admm.repair import repair
from tacita.protocols.admm.sharing import Report
from tacita.protocols.admm.slack import Stack, State
from tacita.protocols.admm.table import Table
from tacita.protocols.mpc.engine import Engine, Secret


async def values(engine: Engine, market: Market, bids: Bids, x: Secret) -> Secret:
    """v_e(x_e) per entry at scale f, for x inside its box."""
    if market.steps:
        assert bids.price and bids.width
        entry = np.repeat(np.arange(market.entries), market.steps)
        before = engine.prefix_sum(bids.width, entry) - bids.width
        filled = await engine.clip(x[entry] - before, engine.zeros(len(entry), FRACTION), bids.width)
        worth = await engine.dot(bids.price, filled, entry, market.entries)
        return await engine.trunc(worth, FRACTION)
    assert bids.value and bids.slope
    # The average value of a unit first: its rounding error is multiplied by x, of less than a unit, not by the slope.
    fall = await engine.trunc((await engine.mul(bids.slope, x)).halved(), FRACTION + 1)
    return await engine.trunc(await engine.mul(bids.value - fall, x), FRACTION)


async def cost(engine: Engine, market: Market, supply: Secret) -> Secret:
    """c_t(y_t) = p·y + k·y²/2 per slot at scale f."""
    square = await engine.trunc(await engine.mul(supply, supply), FRACTION)
    twice = supply.times(2 * market.constant(market.cost_linear), FRACTION)
    twice = twice + square.times(market.constant(market.cost_quadratic), FRACTION)
    return await engine.trunc(twice.halved(), FRACTION + 1)


async def welfare(engine: Engine, market: Market, worth: Secret, supply: Secret) -> Secret:
    """Σ v − Σ c as one number."""
    slots = await cost(engine, market, supply)
    total = engine.group_sum(worth, np.zeros(worth.size, dtype=np.int64), 1)
    return total - engine.group_sum(slots, np.zeros(slots.size, dtype=np.int64), 1)


async def clarke_separable(engine: Engine, market: Market, bids: Bids, table: Table, worth: Secret) -> Secret:
    """Payments per bidder from the table's own W, W_{−i} and x; `worth` is v at the published allocation."""
    own = await values(engine, market, bids, table.allocation)
    payment = engine.group_sum(table.loss + own, market.owners, market.bidders)
    total = engine.group_sum(worth, market.owners, market.bidders)
    return await _guard(engine, market, bids, payment, total)


async def clarke_coupled(
    engine: Engine,
    market: Market,
    bids: Bids,
    order: Sequence[int],
    main: State,
    worth: Secret,
    total: Secret,
    iterations: int,
    report: Report,
) -> Secret:
    """Payments from one warm-started copy per bidder, W_{−i} evaluated at the copy's repaired allocation."""
    stack = Stack(engine, market, bids, list(range(market.bidders)))
    await stack.prepare()
    _, x = await stack.run(await stack.warm(main), iterations, report)
    others = []
    entry = np.repeat(np.arange(market.entries), max(1, market.steps))
    owner = market.owners[entry]
    start = 0
    for i in range(market.bidders):
        kept = np.flatnonzero(owner != i)
        part = x[start : start + len(kept)]
        start += len(kept)
        full = engine.group_sum(part, entry[kept], market.entries)
        others.append(await _welfare_without(engine, market, bids, order, full, i))
    own = engine.group_sum(worth, market.owners, market.bidders)
    payment = engine.concat(others) + own - total[np.zeros(market.bidders, dtype=np.int64)]
    return await _guard(engine, market, bids, payment, own)


async def _welfare_without(
    engine: Engine, market: Market, bids: Bids, order: Sequence[int], x: Secret, excluded: int
) -> Secret:
    """W_{−i} at the exactly feasible allocation nearest to x; the excluded bidder's minimum counts as zero."""
    keep = (market.owners != excluded).astype(int).astype(object)
    quiet = Bids(
        value=bids.value,
        slope=bids.slope,
        maximum=bids.maximum,
        minimum=bids.minimum * keep if bids.minimum else None,
        budget=bids.budget,
        price=bids.price,
        width=bids.width,
    )
    bounded = engine.within(x, min(0, x.lo), market.largest)
    feasible = await repair(engine, market, quiet, bounded, order)
    worth = await values(engine, market, quiet, feasible.allocation)
    return await welfare(engine, market, worth * keep, feasible.supply)


async def paper(engine: Engine, market: Market, bids: Bids, worth: Secret, supply: Secret) -> Secret:
    """Equation (7.8) as printed, for slot-separable bids: every bidder's free optimum is a clip."""
    if market.steps:
        assert bids.width
        entry = np.repeat(np.arange(market.entries), market.steps)
        best = await values(engine, market, bids, engine.group_sum(bids.width, entry, market.entries))
    else:
        assert bids.value and bids.slope_inverse and bids.maximum
        free = await engine.trunc(await engine.mul(bids.value, bids.slope_inverse), FRACTION)
        minimum = bids.minimum or engine.zeros(market.entries, FRACTION)
        best = await values(engine, market, bids, await engine.clip(free, minimum, bids.maximum))
    gain = engine.group_sum(best - worth, market.owners, market.bidders)
    everybody = np.zeros(market.bidders, dtype=np.int64)
    slots = await cost(engine, market, supply)
    shared = engine.group_sum(gain, everybody, 1) + engine.group_sum(slots, np.zeros(slots.size, dtype=np.int64), 1)
    return shared[everybody] - gain


async def uniform(engine: Engine, market: Market, price: Secret, x: Secret) -> Secret:
    """Σ_t λ_t x_it."""
    paid = await engine.dot(price[market.slot_of], x, market.owners, market.bidders)
    return await engine.trunc(paid, FRACTION)


async def _guard(engine: Engine, market: Market, bids: Bids, payment: Secret, worth: Secret) -> Secret:
    """max(min(p, v), 0), with v lowered by its largest rounding error: nobody pays more than its bid, or is paid.

    Per entry `values` is off by at most one truncation, and for quadratic bids by another one times the quantity.
    """
    truncations = 1 if bids.slope is None else 1 + -(-market.largest >> FRACTION)
    error = engine.info.ulp * truncations * np.bincount(market.owners, minlength=market.bidders).astype(object)
    return await engine.positive_part(await engine.minimum(payment, worth - error))
