"""The bid-breakpoint table: exact clearing of slot-separable bids and all counterfactual welfares, no iterations.

In each slot the grid is the secret set of bid breakpoints (for a quadratic bid its prices b − a·lo and b − a·hi,
for step bids the step prices) and the public supply breakpoints p, p + k·cap and 0. One comparison per pair of grid
points gives their order ≺; equal points are ordered by public position, in which tied bids follow the auction coin.
At every grid point g follow, by products with those bits, demand D, active slopes and indirect values, hence for the
market and for the market without bidder i the excess demand r(g), the slope S left of g and the dual value
    q(g) = Σ_j max_x (v_j(x) − g·x) + max_y (g·y − c(y)),        W = min_g q(g).
The clearing point m is the smallest grid point with r ≤ 0 just right of it: found by counting the points with r > 0
and comparing the count with m's rank. With r⁻ = min(0, r just left of m):
    λ = g_m + r⁻/S,      W = q(g_m) − (r⁻)²/(2S),      x_j = D_j(m) − slope_j·r⁻/S  (quadratic)
For steps everything above m is full and the step at m itself takes what supply leaves. λ is the lower end of a flat
price interval. No rank, sign or index is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.mpc.engine import Engine, Index, IntArray, Secret
from tacita.protocols.mpc.reciprocal import reciprocal

_NONE = -1


@dataclass(frozen=True)
class Table:
    """Results per slot (price, welfare), per entry (allocation), and W_{−i} − W per entry."""

    price: Secret
    allocation: Secret
    loss: Secret
    """Σ over a bidder's entries gives W_{−i} − W ≤ 0; scale f."""


@dataclass(frozen=True)
class _Layout:
    """Public positions: grid points of all slots in one vector, slot after slot."""

    slot: Index
    """Slot of each grid point."""
    private: Index
    """Index of the grid point into the vector of bid breakpoints, or −1 for a public one."""
    public: Index
    """0: price 0, 1: p, 2: p + k·cap; −1 for a bid's breakpoint."""

    @staticmethod
    def of(market: Market, pieces_slot: Index, rank: Index, kinds: int) -> "_Layout":
        """`kinds` breakpoints per piece (bottom then top); ties follow position: public first, then by rank."""
        slots, private, public = [], [], []
        for t in range(market.slots):
            members = np.flatnonzero(pieces_slot == t)
            # A smaller position is a smaller price among equals, so the coin's first bidder comes last.
            members = members[np.argsort(-rank[members], kind="stable")].tolist()
            breakpoints = [kind * len(pieces_slot) + j for kind in range(kinds) for j in members]
            slots += [t] * (3 + len(breakpoints))
            public += [0, 1, 2] + [_NONE] * len(breakpoints)
            private += [_NONE] * 3 + breakpoints
        return _Layout(*(np.array(a, dtype=np.int64) for a in (slots, private, public)))


class _Order:
    """The bits [a ≺ b] for ordered pairs of grid points of one slot, from one comparison per unordered pair."""

    def __init__(self, engine: Engine, layout: _Layout) -> None:
        self._engine, self.layout = engine, layout
        pairs = []
        for t in range(int(layout.slot.max()) + 1):
            points = np.flatnonzero(layout.slot == t)
            first, second = np.triu_indices(len(points), 1)
            pairs.append(np.stack([points[first], points[second]]))
        self._pairs = np.concatenate(pairs, axis=1)
        size = len(layout.slot)
        self._position = np.full((size, size), _NONE, dtype=np.int64)
        self._position[self._pairs[0], self._pairs[1]] = np.arange(self._pairs.shape[1])
        self._fixed = (layout.public[self._pairs[0]] >= 0) & (layout.public[self._pairs[1]] >= 0)

    async def compare(self, grid: Secret, public_grid: IntArray) -> None:
        """Fill the table: [second < first] is secret unless both points are public."""
        first, second = self._pairs
        secret = np.flatnonzero(~self._fixed)
        bits = await self._engine.less(grid[second[secret]], grid[first[secret]])
        known = np.flatnonzero(self._fixed)
        values = public_grid[second[known]] < public_grid[first[known]]
        joined = self._engine.concat([bits, self._engine.public(values.astype(int).astype(object), 0)])
        place = np.empty(len(self._fixed), dtype=np.int64)
        place[np.concatenate([secret, known])] = np.arange(len(self._fixed))
        self._reversed = joined[place]

    def precedes(self, a: Index, b: Index) -> Secret:
        """[a ≺ b] for vectors of grid points of equal slots; a point never precedes itself."""
        forward, backward = self._position[a, b], self._position[b, a]
        same = a == b
        index = np.where(forward != _NONE, forward, np.where(backward != _NONE, backward, 0))
        sign = np.where(same, 0, np.where(forward != _NONE, -1, 1)).astype(object)
        constant = np.where(~same & (forward != _NONE), 1, 0).astype(object)
        bits = self._reversed[index] * sign + constant
        return self._engine.within(bits, 0, 1)


async def clear(
    engine: Engine, market: Market, bids: Bids, order: Sequence[int], counterfactuals: bool = True
) -> Table:
    """Clear the market from the table; `order` lists bidders by the auction coin."""
    table = _Clearing(engine, market, bids, np.argsort(np.array(order)))
    await table.prepare()
    return await table.solve(counterfactuals)


class _Clearing:
    def __init__(self, engine: Engine, market: Market, bids: Bids, rank: Index) -> None:
        self.engine, self.market, self.bids = engine, market, bids
        self.entry = np.repeat(np.arange(market.entries), max(1, market.steps))  # entry of each piece
        self.piece_slot, self.piece_owner = market.slot_of[self.entry], market.owners[self.entry]
        self.layout = _Layout.of(market, self.piece_slot, rank[self.piece_owner], 1 if market.steps else 2)
        # Every (grid point, piece) combination of a slot.
        points, pieces = [], []
        for t in range(market.slots):
            grid, members = np.flatnonzero(self.layout.slot == t), np.flatnonzero(self.piece_slot == t)
            points.append(np.repeat(grid, len(members)))
            pieces.append(np.tile(members, len(grid)))
        self.point, self.piece = np.concatenate(points), np.concatenate(pieces)
        place = np.empty(max(1, int(self.layout.private.max()) + 1), dtype=np.int64)
        place[self.layout.private[self.layout.private >= 0]] = np.flatnonzero(self.layout.private >= 0)
        self.own = place  # grid position of each breakpoint

    async def prepare(self) -> None:
        """Grid values, their order and ranks."""
        engine, market, layout = self.engine, self.market, self.layout
        p = market.constant(market.cost_linear)
        top = market.constant(
            np.array(market.cost_linear) + np.array(market.cost_quadratic) * market.caps / 2**FRACTION
        )
        public = np.stack([np.zeros(market.slots, dtype=object), p, top])
        self.public_grid = np.where(layout.public >= 0, public[layout.public, layout.slot], 0)
        breakpoints = await self._breakpoints()
        padded = engine.concat([breakpoints, engine.zeros(1, FRACTION)])
        index = np.where(layout.private >= 0, layout.private, breakpoints.size)
        self.grid = padded[index] + self.public_grid
        self.order = _Order(engine, layout)
        await self.order.compare(self.grid, self.public_grid)
        size = len(layout.slot)
        a, b = np.nonzero((layout.slot[:, None] == layout.slot[None, :]) & ~np.eye(size, dtype=bool))
        before = engine.group_sum(self.order.precedes(a, b), b, size)
        largest = int(np.bincount(layout.slot).max())
        self.rank = engine.within(before, 0, largest - 1)  # number of points before this one

    async def _breakpoints(self) -> Secret:
        """Step prices, or b − a·hi for all entries and then b − a·lo."""
        bids, engine = self.bids, self.engine
        if self.market.steps:
            assert bids.price
            return bids.price
        assert bids.value and bids.slope and bids.maximum
        ends = [bids.maximum] + ([bids.minimum] if bids.minimum else [])
        n = self.market.entries
        products = await engine.mul(bids.slope[np.tile(np.arange(n), len(ends))], engine.concat(ends))
        drop = await engine.trunc(products, FRACTION)
        top = bids.value - drop[n:] if bids.minimum else bids.value
        # Rounded up, so that demand never exceeds hi on the way down; never above the top, even if lo = hi.
        ulp = engine.info.ulp
        bottom = await engine.minimum(bids.value - drop[:n] + (ulp - ulp // 2), top)
        return engine.concat([bottom, top])

    async def solve(self, counterfactuals: bool) -> Table:
        """Evaluate the grid, find the clearing points, read price, welfare and allocation off them."""
        engine, market, layout = self.engine, self.market, self.layout
        size = len(layout.slot)
        demand, jump, slope, surplus = await self._demand()
        supply, supply_jump, supply_slope, profit = await self._supply()
        # Totals per grid point: r just right of it, r just left of it, slope to the left, dual value.
        right = engine.group_sum(demand, self.point, size) - supply
        left_extra = engine.group_sum(jump, self.point, size) + supply_jump if jump else supply_jump
        value = engine.group_sum(surplus, self.point, size) + profit
        steepness = engine.group_sum(slope, self.point, size) + supply_slope if slope else supply_slope
        point, columns = np.arange(size), [right, left_extra, steepness, value]
        if counterfactuals:
            others, without = self._without([demand, jump, slope, surplus], columns)
            point = np.concatenate([point, others])
            columns = [engine.concat([a, b]) for a, b in zip(columns, without, strict=True)]
        right, left_extra, steepness, value = columns
        # One problem per slot, then one per (bidder, slot) that has entries.
        problem_of = np.concatenate([layout.slot, *([self._problem_of] if counterfactuals else [])])
        count = market.slots + (market.entries if counterfactuals else 0)
        chosen = await self._choose(right, point, problem_of, count)
        picked = await self._pick(chosen, [self.grid[point], right + left_extra, steepness, value], problem_of, count)
        price, left, slopes, dual = picked
        back, correction = await self._inside_cell(left, slopes)
        lam = price - back
        welfare = dual - correction
        own = market.slots + np.arange(market.entries)
        loss = welfare[own] - welfare[market.slot_of] if counterfactuals else engine.zeros(market.entries, FRACTION)
        main = chosen[:size]
        if market.steps:
            allocation = await self._fill_steps(main, right[:size])
        else:
            allocation = await self._fill_quadratic(main, demand, slope, back[: market.slots])
        # λ ≥ 0 because 0 is on the grid; rounding of the correction can fall below it.
        return Table(await engine.positive_part(lam[: market.slots]), allocation, loss)

    # ---- the grid ---------------------------------------------------------------------------------------------

    async def _demand(self) -> tuple[Secret, Secret | None, Secret | None, Secret]:
        """Per (point g, piece): demand right of g, its jump at g, −slope left of g, indirect value max v(x) − g·x."""
        engine, bids, market = self.engine, self.bids, self.market
        gap_to = self.grid[self.point]
        if market.steps:
            assert bids.price and bids.width
            width = bids.width[self.piece]
            above = self.order.precedes(self.point, self.own[self.piece])
            demand = engine.within(await engine.mul(above, width), 0, width.hi)
            surplus = await engine.trunc(await engine.mul(bids.price[self.piece] - gap_to, demand), FRACTION)
            itself = np.flatnonzero(self.own[self.piece] == self.point)
            jump = engine.group_sum(width[itself], itself, len(self.point))
            return demand, jump, None, surplus
        assert bids.value and bids.slope and bids.maximum and bids.slope_inverse
        n = market.entries
        bottom, top = self.own[self.piece], self.own[n + self.piece]
        past_bottom, passed = self.order.precedes(bottom, self.point), self.order.precedes(top, self.point)
        # Right of its own top a bid takes its minimum exactly, so that no rounding hides a flat price interval.
        past_top = engine.within(passed + (top == self.point).astype(int).astype(object), 0, 1)
        inside = engine.within(past_bottom - past_top, 0, 1)
        distance = bids.value[self.piece] - gap_to  # b − g
        inverse = bids.slope_inverse[self.piece]
        middle = await engine.trunc(await engine.mul(distance, inverse), FRACTION)
        # Demand is rounded down and supply up: r > 0 then holds nowhere above a flat interval on which r = 0.
        middle = middle - (engine.info.ulp - engine.info.ulp // 2 + 1)
        full = bids.maximum[self.piece]
        parts = [await engine.mul(inside, middle - full), -(await engine.mul(past_top, full))]
        if bids.minimum:
            parts.append(await engine.mul(past_top, bids.minimum[self.piece]))
        demand = full
        for part in parts:
            demand = demand + part
        # Rounding of b − a·hi moves a kink by a few units, which 1/a magnifies.
        slack = (3 * engine.info.ulp + 8) * ((inverse.hi >> FRACTION) + 1)
        demand = engine.within(demand, -slack, market.largest + slack)
        steep = engine.within(past_bottom - passed, 0, 1)
        slope = engine.within(await engine.mul(steep, inverse), 0, inverse.hi)
        square = await engine.trunc(await engine.mul(demand, demand), FRACTION)
        twice = (await engine.mul(distance, demand)) * 2 - await engine.mul(bids.slope[self.piece], square)
        surplus = await engine.trunc(twice.halved(), FRACTION + 1)
        return demand, None, slope, surplus

    async def _supply(self) -> tuple[Secret, Secret, Secret, Secret]:
        """Per grid point: supply right of g, its jump at g, its slope left of g, profit max g·y − c(y)."""
        engine, market, slot = self.engine, self.market, self.layout.slot
        size = len(slot)
        first = np.zeros(market.slots, dtype=np.int64)
        first[slot[::-1]] = np.arange(size)[::-1]
        everything = np.arange(size)
        at_start, at_end = first[slot] + 1, first[slot] + 2  # the points p and p + k·cap
        k = np.array(market.cost_quadratic)[slot]
        cap = market.caps[slot]
        started, passed = self.order.precedes(at_start, everything), self.order.precedes(at_end, everything)
        # Right of its own end the supply is cap exactly, so that no rounding hides a flat price interval.
        ended = engine.within(passed + (at_end == everything).astype(int).astype(object), 0, 1)
        flat = (k == 0).astype(int).astype(object)
        curved = 1 - flat
        # k = 0: everything is offered from p on, including p itself; the jump is at the point p.
        at_p = (at_start == everything).astype(int).astype(object)
        jump = engine.public(flat * at_p * cap, FRACTION)
        vertical = (started + at_p).times(flat * cap, FRACTION)
        running = engine.within(started - ended, 0, 1)
        steep = engine.within(started - passed, 0, 1)
        inverse = market.constant(np.where(k > 0, 1 / np.where(k > 0, k, 1), 0))
        above_p = self.grid - market.constant(market.cost_linear)[slot]
        # Truncate first: a factor 0 then leaves exactly 0.
        sloped = (await engine.trunc(above_p.times(inverse, FRACTION), FRACTION)) + (engine.info.ulp // 2 + 2)
        sloped = await engine.mul(running, sloped * curved)
        # Rounding p + k·cap and 1/k moves the ends of the sloped part by a few units of price over k.
        slack = 64 + 4 * (int(max(inverse)) >> FRACTION) + 4 * (self.grid.hi >> FRACTION)
        sloped = engine.within(sloped, -slack, int(max(cap)) + slack)
        supply = sloped + ended.times(curved * cap, FRACTION) + vertical
        slope = steep.times(inverse * curved, FRACTION)
        square = await engine.trunc(await engine.mul(supply, supply), FRACTION)
        twice = (await engine.mul(above_p, supply)) * 2 - square.times(market.constant(k), FRACTION)
        profit = await engine.trunc(twice.halved(), FRACTION + 1)
        return supply, jump, slope, profit

    def _without(self, parts: Sequence[Secret | None], totals: Sequence[Secret]) -> tuple[Index, list[Secret]]:
        """The same totals for every (entry's bidder, slot): one grid per entry, its own pieces subtracted."""
        engine, market = self.engine, self.market
        points, problems, rows = [], [], []
        where = {(int(a), int(b)): i for i, (a, b) in enumerate(zip(self.point, self.piece, strict=True))}
        per_entry = max(1, market.steps)
        for e in range(market.entries):
            for g in np.flatnonzero(self.layout.slot == market.slot_of[e]):
                points.append(int(g))
                problems.append(market.slots + e)
                rows.append([where[int(g), e * per_entry + j] for j in range(per_entry)])
        self._problem_of = np.array(problems, dtype=np.int64)
        point, index = np.array(points, dtype=np.int64), np.array(rows, dtype=np.int64)
        group = np.repeat(np.arange(len(points)), per_entry)
        remaining = [
            total[point] - engine.group_sum(part[index.reshape(-1)], group, len(points)) if part else total[point]
            for part, total in zip(parts, totals, strict=True)
        ]
        return point, remaining

    # ---- the clearing point -----------------------------------------------------------------------------------

    async def _choose(self, right: Secret, point: Index, problem: Index, count: int) -> Secret:
        """One-hot of the clearing point of each problem: the point whose rank is the number of points with r > 0."""
        engine = self.engine
        positive = await engine.negative(-right)
        number = engine.group_sum(positive, problem, count)
        difference = self.rank[point] - number[problem]
        limit = int(np.bincount(self.layout.slot).max())
        return await engine.is_zero(engine.within(difference, -limit, limit))

    async def _pick(self, chosen: Secret, columns: list[Secret], problem: Index, count: int) -> list[Secret]:
        """Σ chosen·column per problem; exactly one point is chosen, so the bounds are the column's."""
        picked = []
        for column in columns:
            value = await self.engine.dot(chosen, column, problem, count)
            picked.append(self.engine.within(value, min(0, column.lo), max(0, column.hi)))
        return picked

    async def _inside_cell(self, left: Secret, slope: Secret) -> tuple[Secret, Secret]:
        """With r⁻ = min(0, left): (−r⁻/S, (r⁻)²/2S). Where r⁻ < 0, S is at least the smallest possible slope."""
        engine, market = self.engine, self.market
        shortfall = await engine.positive_part(-left)
        k = [c for c in market.cost_quadratic if c > 0]
        candidates = [1 / max(k)] if k else []
        if self.bids.slope_inverse:
            candidates.append(self.bids.slope_inverse.lo / 2**FRACTION)
        if not candidates:  # step bids and constant cost: r jumps only at grid points
            zero = engine.zeros(left.size, FRACTION)
            return zero, zero
        least = int(min(candidates) * 2**FRACTION) - 8
        flat = await engine.negative(slope - least // 2)
        guarded = engine.within(slope + flat.times(least, FRACTION), least // 2, slope.hi + least)
        inverse = await reciprocal(engine, guarded, FRACTION)
        back = await engine.trunc(await engine.mul(shortfall, inverse), FRACTION)
        back = await engine.minimum(back, engine.public(np.full(left.size, self._price_span(), dtype=object), FRACTION))
        half = await engine.trunc((await engine.mul(shortfall, back)).halved(), FRACTION + 1)
        return back, half

    def _price_span(self) -> int:
        """No two grid points are further apart than this."""
        return self.grid.hi - self.grid.lo

    # ---- allocation -------------------------------------------------------------------------------------------

    async def _fill_quadratic(self, chosen: Secret, demand: Secret, slope: Secret | None, back: Secret) -> Secret:
        assert slope and self.bids.maximum
        engine, market = self.engine, self.market
        at_point, steep = await self._pick(chosen[self.point], [demand, slope], self.piece, market.entries)
        extra = await engine.trunc(await engine.mul(steep, back[market.slot_of]), FRACTION)
        minimum = self.bids.minimum or engine.zeros(market.entries, FRACTION)
        return await engine.clip(at_point + extra, minimum, self.bids.maximum)

    async def _fill_steps(self, chosen: Secret, right: Secret) -> Secret:
        """Pieces above the clearing point are full; the piece at it takes min(width, supply − demand right of it)."""
        assert self.bids.width
        engine, market = self.engine, self.market
        above = self.order.precedes(self.point, self.own[self.piece])
        full = engine.within(await engine.mul(above, self.bids.width[self.piece]), 0, self.bids.width.hi)
        (full,) = await self._pick(chosen[self.point], [full], self.piece, len(self.entry))
        (left,) = await self._pick(chosen, [-right], self.layout.slot, market.slots)
        marginal = chosen[self.own[: len(self.entry)]]
        width = engine.within(await engine.mul(marginal, self.bids.width), 0, self.bids.width.hi)
        part = await engine.minimum(width, engine.within(left, left.lo, left.hi)[self.piece_slot])
        # Only the marginal piece has a width here; elsewhere min(0, left) = 0 because left ≥ 0 at the clearing point.
        filled = engine.group_sum(full + part, self.entry, market.entries)
        return engine.within(filled, 0, market.largest)
