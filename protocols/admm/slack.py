"""ADMM in slack form, for budgets and cumulative supply caps: only clips and one public linear map.

Variables z = (x, y, s, q) with slacks s_i = d_i − Σ_t x_it and q_t = C_t − Σ_{τ≤t} y_τ. Block 1 is separable:
    x = clip((b/ρ + r)·ρ/(a + ρ), lo, hi)   y = clip((ρ_y r − p)/(ρ_y + k), 0, cap)   s, q = clip(r, 0, maximum)
at r = z − u. Block 2 projects on A z = c: Σ_i x = y, Σ_t x + s = d, Σ_{τ≤t} y + q = C, with weights ρ_y = 4ρ/N,
ρ_s = ρ/4, ρ_q = ρ_y/4. Every iterate z is feasible, so the multipliers μ' = μ/ρ move by
    Δμ' = α·(A W⁻¹ Aᵀ)⁻¹ (A z₁ − c)/ρ,   u += W⁻¹ Aᵀ Δμ,   z ← α z₁ + (1 − α) z − W⁻¹ Aᵀ Δμ,
which keeps every value within public bounds that grow linearly with the iterations. The price is λ = ρ·μ'_slot.

Several copies of the problem, each without one bidder, run in the same batches: that is how Clarke payments of
coupled bids are computed. Step bids are J virtual bidders without slope.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.admm.sharing import RELAXATION, Report, coarse_bits
from tacita.protocols.mpc.engine import Engine, Index, IntArray, Secret, fixed

FEWER_COARSE_BITS = 4
"""Than for slots without coupling: errors of early iterations fade more slowly here."""
SLACK_WEIGHT = 0.25
"""ρ_s/ρ = ρ_q/ρ_y; with it every factor between μ' and u is a multiple of 1/4."""


@dataclass(frozen=True)
class State:
    """z = (x, y, s, q) and μ' = (slots, budgets, caps) of all copies; absent parts are empty."""

    x: Secret
    y: Secret
    s: Secret
    q: Secret
    slots: Secret
    budgets: Secret
    caps: Secret


@dataclass(frozen=True)
class Pieces:
    """One variable per entry (quadratic bids) or per entry and step."""

    owner: Index
    slot: Index
    value: Secret
    """b or s_j."""
    inverse: Secret | None
    """ρ/(a + ρ), or None for 1."""
    minimum: Secret
    maximum: Secret


def pieces(engine: Engine, market: Market, bids: Bids) -> Pieces:
    """The market's variables."""
    if market.steps:
        assert bids.price and bids.width
        entry = np.repeat(np.arange(market.entries), market.steps)
        zero = engine.zeros(len(entry), FRACTION)
        return Pieces(market.owners[entry], market.slot_of[entry], bids.price, None, zero, bids.width)
    assert bids.value and bids.maximum and bids.share_inverse
    minimum = bids.minimum or engine.zeros(market.entries, FRACTION)
    return Pieces(market.owners, market.slot_of, bids.value, bids.share_inverse, minimum, bids.maximum)


class Stack:
    """The market, or copies of it without one bidder each, as one batch."""

    def __init__(self, engine: Engine, market: Market, bids: Bids, excluded: Sequence[int | None]) -> None:
        self.engine, self.market, self.copies = engine, market, len(excluded)
        everything = pieces(engine, market, bids)
        keep = [np.flatnonzero(everything.owner != (-1 if i is None else i)) for i in excluded]
        self.piece = np.concatenate(keep)
        copy = np.repeat(np.arange(self.copies), [len(k) for k in keep])
        owner, slot = everything.owner[self.piece], everything.slot[self.piece]
        self.slot_row, self.owner_row = copy * market.slots + slot, copy * market.bidders + owner
        self.value, self.minimum = everything.value[self.piece], everything.minimum[self.piece]
        self.maximum = everything.maximum[self.piece]
        self.inverse = everything.inverse[self.piece] if everything.inverse else None
        self.slot_copy = np.repeat(np.arange(self.copies), market.slots)
        self.active = [max(1, len(set(everything.owner[k].tolist()))) for k in keep]
        self.has_budgets, self.has_caps = bids.budget is not None, market.cumulative is not None
        empty = engine.zeros(0, FRACTION)
        copies_of_bidders = np.tile(np.arange(market.bidders), self.copies)
        self.budget = bids.budget[copies_of_bidders] if bids.budget else empty
        caps = np.tile(np.array(market.cumulative or (), dtype=object), self.copies)
        self.cumulative = engine.public(caps, FRACTION) if self.has_caps else empty
        self.maps = [self._map(everything, k, n) for k, n in zip(keep, self.active, strict=True)]

    def _map(self, everything: Pieces, keep: Index, active: int) -> IntArray:
        """(A W⁻¹ Aᵀ)⁻¹/ρ of one copy at scale f; rows in the order slots, budgets, cumulative caps."""
        slots, count = self.market.slots, len(keep)
        budgets, caps = (self.market.bidders if self.has_budgets else 0), (slots if self.has_caps else 0)
        a: NDArray[np.float64] = np.zeros((slots + budgets + caps, count + slots + budgets + caps))
        a[everything.slot[keep], np.arange(count)] = 1
        a[np.arange(slots), count + np.arange(slots)] = -1
        if budgets:
            a[slots + everything.owner[keep], np.arange(count)] = 1
            a[slots + np.arange(budgets), count + slots + np.arange(budgets)] = 1
        if caps:
            a[slots + budgets :, count : count + slots] = np.tril(np.ones((slots, slots)))
            a[slots + budgets + np.arange(caps), count + slots + budgets + np.arange(caps)] = 1
        weights = np.ones(a.shape[1])
        weights[count : count + slots] = 4 / active
        weights[count + slots : count + slots + budgets] = SLACK_WEIGHT
        weights[count + slots + budgets :] = SLACK_WEIGHT * 4 / active
        # μ' = μ/ρ and W = ρ·weights, so (A W⁻¹ Aᵀ)⁻¹/ρ = (A diag(1/weights) Aᵀ)⁻¹.
        inverse = np.linalg.inv((a / weights) @ a.T)
        return fixed(inverse.reshape(-1), FRACTION).reshape(inverse.shape)

    async def prepare(self) -> None:
        """b/ρ."""
        scaled = self.value.times(self.market.constant(1 / self.market.penalty)[0], FRACTION)
        self.value = await self.engine.trunc(scaled, FRACTION)

    def start(self) -> State:
        """x = y = 0, s = d, q = C is feasible for A z = c."""
        engine, rows = self.engine, self.copies * self.market.slots
        none = engine.zeros(self.budget.size, FRACTION)
        zero = engine.zeros(rows, FRACTION)
        x = engine.zeros(len(self.piece), FRACTION)
        return State(x, zero, self.budget, self.cumulative, zero, none, zero if self.has_caps else none[:0])

    async def warm(self, main: State) -> State:
        """The single problem's state, repeated without the excluded bidders and projected back on A z = c."""
        slots = np.tile(np.arange(self.market.slots), self.copies)
        bidders = np.tile(np.arange(self.market.bidders), self.copies)[: self.budget.size]
        z = State(
            main.x[self.piece],
            main.y[slots],
            main.s[bidders],
            main.q[slots[: self.cumulative.size]],
            main.slots[slots],
            main.budgets[bidders],
            main.caps[slots[: self.cumulative.size]],
        )
        correction = self._multipliers(z)
        return await self._move(z, [part.rescaled(2 * FRACTION) for part in (z.x, z.y, z.s, z.q)], correction, False)

    async def iterate(self, z: State, coarse: int) -> tuple[State, Secret]:
        """One iteration; returns the new state and block 1's x."""
        engine, market, rho = self.engine, self.market, self.market.penalty
        # 1. block 1 at r = z − u
        spread = self._spread(z.slots, z.budgets, z.caps)
        r = [part.rescaled(FRACTION + 2) - u for part, u in zip((z.x, z.y, z.s, z.q), spread, strict=True)]
        argument = self.value.rescaled(FRACTION + 2) + r[0]
        x = await engine.mul(argument, self.inverse) if self.inverse else argument.rescaled(2 * FRACTION + 2)
        supply = rho * 4 / np.repeat(self.active, market.slots)  # ρ_y
        k = np.tile(np.array(market.cost_quadratic), self.copies)
        p = np.tile(np.array(market.cost_linear), self.copies)
        y = r[1].times(market.constant(supply / (supply + k)), FRACTION) - fixed(p / (supply + k), 2 * FRACTION + 2)
        arguments = [x, y, *(part.rescaled(2 * FRACTION + 2) for part in r[2:])]
        inner = await engine.trunc_each(arguments, FRACTION + 2)
        zeros = [engine.zeros(part.size, FRACTION) for part in arguments[1:]]
        first = await engine.clip_each(inner, [self.minimum, *zeros], [self.maximum, *self._public_maxima()], coarse)
        # 2. block 2: multipliers and projection
        block1 = State(first[0], first[1], first[2], first[3], z.slots, z.budgets, z.caps)
        change = self._multipliers(block1)
        # (1 − α)·z + α·z₁, written so that the interval of z shrinks by |1 − α| in every iteration.
        alpha = market.constant(RELAXATION)[0]
        change = [part.times(alpha, FRACTION) for part in change]
        moved = [
            a.times((1 << FRACTION) - alpha, FRACTION) + b.times(alpha, FRACTION)
            for a, b in zip((z.x, z.y, z.s, z.q), first, strict=True)
        ]
        return await self._move(z, [m.rescaled(3 * FRACTION) for m in moved], change, True), first[0]

    def _public_maxima(self) -> list[Secret]:
        """Upper ends of y, s and q."""
        market, copies = self.market, self.copies
        budgets = np.full(self.budget.size, market.largest * market.slots, dtype=object)
        rows = [np.tile(market.caps, copies), budgets]
        rows.append(np.tile(np.array(market.cumulative or (), dtype=object), copies))
        empty = self.engine.zeros(0, FRACTION)
        return [self.engine.public(row, FRACTION) if len(row) else empty for row in rows]

    def _multipliers(self, z: State) -> list[Secret]:
        """(A W⁻¹ Aᵀ)⁻¹ (A z − c)/ρ at scale 2f: parts slots, budgets, caps over all copies."""
        engine, slots, bidders = self.engine, self.market.slots, self.market.bidders
        rows = [engine.group_sum(z.x, self.slot_row, self.copies * slots) - z.y]
        sizes = [slots]
        if self.has_budgets:
            rows.append(engine.group_sum(z.x, self.owner_row, self.copies * bidders) + z.s - self.budget)
            sizes.append(bidders)
        if self.has_caps:
            rows.append(engine.prefix_sum(z.y, self.slot_copy) + z.q - self.cumulative)
            sizes.append(slots)
        results: list[list[Secret]] = [[] for _ in sizes]
        ends = np.cumsum([0, *sizes])
        for c, matrix in enumerate(self.maps):
            residual = engine.concat([row[c * n : (c + 1) * n] for row, n in zip(rows, sizes, strict=True)])
            product = engine.matvec(matrix, residual, FRACTION)
            for part, a, b in zip(results, ends, ends[1:], strict=False):
                part.append(product[int(a) : int(b)])
        joined = [engine.concat(part) for part in results]
        empty = engine.zeros(0, 2 * FRACTION)
        budgets = joined[1] if self.has_budgets else empty
        return [joined[0], budgets, joined[-1] if self.has_caps else empty]

    def _spread(self, slots: Secret, budgets: Secret, caps: Secret) -> list[Secret]:
        """W⁻¹ Aᵀ μ for (x, y, s, q), as integers at the scale of μ' plus 2 bits: every factor is k/4."""
        engine, active = self.engine, np.repeat(np.array(self.active, dtype=object), self.market.slots)
        x = slots[self.slot_row] + budgets[self.owner_row] if self.has_budgets else slots[self.slot_row]
        y = -slots
        if self.has_caps:
            backwards = np.arange(self.copies * self.market.slots).reshape(self.copies, -1)[:, ::-1].reshape(-1)
            y = y + engine.prefix_sum(caps[backwards], self.slot_copy)[backwards]  # Σ over later slots
        q = caps * (4 * active) if self.has_caps else caps
        scale = slots.scale + 2
        return [
            (x * 4).as_scale(scale),
            (y * active).as_scale(scale),
            (budgets * 16).as_scale(scale),
            q.as_scale(scale),
        ]

    async def _move(self, z: State, target: list[Secret], change: list[Secret], update: bool) -> State:
        """z ← target − W⁻¹ Aᵀ Δμ and, if `update`, μ' ← μ' + Δμ': one truncation for everything."""
        engine, scale = self.engine, target[0].scale + 2
        moved = [t.rescaled(scale) - u for t, u in zip(target, self._spread(*change), strict=True)]
        steps = [part.rescaled(scale) for part in change] if update else []
        x, y, s, q, *steps = await engine.trunc_each([*moved, *steps], scale - FRACTION)
        slots, budgets, caps = (
            (a + b for a, b in zip((z.slots, z.budgets, z.caps), steps, strict=True))
            if update
            else (z.slots, z.budgets, z.caps)
        )
        return State(x, y, s, q, slots, budgets, caps)

    async def run(self, z: State, iterations: int, report: Report) -> tuple[State, Secret]:
        """A fixed number of iterations; the last one compares at full precision. Returns the state and x."""
        x = z.x
        for k in range(iterations):
            z, x = await self.iterate(z, coarse_bits(k, iterations, self.engine.info.ulp, FEWER_COARSE_BITS))
            report(k + 1, iterations)
        return z, x

    async def price(self, z: State) -> Secret:
        """λ = max(0, ρ·μ'_slot)."""
        scaled = z.slots.times(self.market.constant(self.market.penalty)[0], FRACTION)
        return await self.engine.positive_part(await self.engine.trunc(scaled, FRACTION))
