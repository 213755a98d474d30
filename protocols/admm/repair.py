"""Exact repair: from a nearly feasible x to one that satisfies every constraint in the integers.

On x' = x − lo: trim each bidder to its budget in slot order, set the supply of each slot to what its cap and the
cumulative cap leave, and trim each slot to its supply in the public order of the auction coin:
    x_i ← diff_t(min(prefix_t x_i, d_i));   y_t = min(Σ x_t, cap_t, C_t − Σ_{τ<t} y_τ);
    x_t ← diff_i(min(prefix_i x_t, y_t))
Then Σ_i x = y, boxes, budgets and caps hold exactly in Z.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.mpc.engine import Engine, Index, Secret


@dataclass(frozen=True)
class Feasible:
    """x per entry and y per slot, exactly feasible integers at scale f."""

    allocation: Secret
    supply: Secret


async def repair(engine: Engine, market: Market, bids: Bids, x: Secret, order: Sequence[int]) -> Feasible:
    """Trim x (each entry already inside its box). `order` lists bidders by rank: the last are trimmed first."""
    lower = bids.minimum or engine.zeros(market.entries, FRACTION)
    free = x - lower
    owners, slots = market.owners, market.slot_of
    if bids.budget:
        left = bids.budget - engine.group_sum(lower, owners, market.bidders)
        free = await _trim(engine, free, owners, left)
    reserved = engine.group_sum(lower, slots, market.slots)
    y = await _supply(engine, market, engine.group_sum(free, slots, market.slots), reserved)
    rank = np.argsort(np.argsort(np.array(order)))
    by_slot = np.lexsort((rank[owners], slots))
    trimmed = await _trim(engine, free[by_slot], slots[by_slot], y)
    free = trimmed[np.argsort(by_slot)]
    bound = market.largest
    allocation = engine.within(free + lower, min(0, lower.lo), bound)
    return Feasible(allocation, engine.within(y + reserved, 0, int(max(market.cap))))


async def _trim(engine: Engine, x: Secret, group: Index, limit: Secret) -> Secret:
    """diff(min(prefix(x), limit)) within contiguous groups: the running sum never exceeds the limit."""
    capped = await engine.minimum(engine.prefix_sum(x, group), limit[group])
    first = np.searchsorted(group, group) == np.arange(len(group))
    previous = np.where(first, len(group), np.arange(len(group)) - 1)
    padded = engine.concat([capped, engine.zeros(1, x.scale)])
    # 0 ≤ new x ≤ old x, because prefix sums of a non-negative vector rise and limits are non-negative.
    return engine.within(capped - padded[previous], 0, max(x.hi, 0))


async def _supply(engine: Engine, market: Market, wanted: Secret, reserved: Secret) -> Secret:
    """y' = y − Σ lo per slot: the wanted amount, cut to the slot's cap and to what the cumulative caps leave."""
    most = await engine.minimum(wanted, engine.public(market.caps, FRACTION) - reserved)
    most = engine.within(most, 0, wanted.hi)
    if market.cumulative is None:
        return most
    # Y'_t may not exceed C_s − R_s for any s ≥ t, with R the running sum of the minimums.
    together = np.zeros(market.slots, dtype=np.int64)
    limit = engine.public(np.array(market.cumulative, dtype=object), FRACTION)
    limit = limit - engine.prefix_sum(reserved, together)
    for t in reversed(range(market.slots - 1)):
        lower = await engine.minimum(limit[[t]], limit[[t + 1]])
        limit = engine.concat([limit[:t], lower, limit[t + 1 :]]) if t else engine.concat([lower, limit[1:]])
    used, supplies = engine.zeros(1, FRACTION), []
    for t in range(market.slots):
        y = engine.within(await engine.minimum(most[[t]], limit[[t]] - used), 0, most.hi)
        supplies.append(y)
        used = used + y
    return engine.concat(supplies)
