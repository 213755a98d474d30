"""Ties and flat pieces in the bid-breakpoint table, exhaustively on small grids, against exact rationals.

Every slot of one auction is one case, so a few runs of the program with truncation noise cover thousands.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tests.economics.exact import ZERO, Piece, Slot
from tests.economics.generator import Files, run_clear

BATCH = 192
NAMES = ("alice", "bob", "carol")
UNIT = {3: 5e-8, 4: 1e-7, 5: 2e-7, 7: 5e-7}
"""Tolerance in the caller's units, by number of parties: C(m, t) units of 2^-32 of the bounds, a few times."""
Number = Fraction | int


def quadratic(bidder: int, b: Number, a: Number, hi: Number, lo: Number = 0) -> Piece:
    return Piece(bidder, Fraction(b), Fraction(a), Fraction(lo), Fraction(hi))


def step(bidder: int, price: Number, width: Number) -> Piece:
    return Piece(bidder, Fraction(price), ZERO, ZERO, Fraction(width))


def slot(pieces: Sequence[Piece], p: Number, k: Number, cap: Number, rank: Sequence[int]) -> Slot:
    return Slot(tuple(pieces), Fraction(p), Fraction(k), Fraction(cap), tuple(rank))


def check(slots: Sequence[Slot], noise: int | None, minimum: int = 0, parties: int = 3) -> None:
    """Run all slots as one auction with method "table" and compare price, allocation, welfare and payments."""
    rank = slots[0].rank
    bidders = sorted({j.bidder for s in slots for j in s.pieces})
    steps = not any(j.a for s in slots for j in s.pieces)
    rows = ["bidder,slot,price,quantity" if steps else "bidder,slot,value,slope,min,max"]
    for t, s in enumerate(slots):
        for j in s.pieces:
            numbers = (j.b, j.hi) if steps else (j.b, j.a, j.lo, j.hi)
            rows.append(",".join([NAMES[j.bidder], str(t + 1), *(str(float(x)) for x in numbers)]))
    section = {
        "slots": len(slots),
        "cost": {"linear": [float(s.p) for s in slots], "quadratic": [float(s.k) for s in slots]},
        "supply_max": [float(s.cap) for s in slots],
    }
    bounds = {"value": [0, 4], "quantity": [0, 8]}
    bounds |= {} if steps else {"slope": [0.5, 2], "minimum": [0, minimum]}
    tree = {"policy": "auction", "auction": section, "bounds": bounds, "solver": {"method": "table"}}
    order = [NAMES[i] for i in sorted(bidders, key=lambda i: rank[i])]
    auction, inputs = Files(tree, "\n".join(rows)).read()
    outcome, _ = run_clear(auction, inputs, noise, order, parties)

    total, payment, unit = ZERO, np.zeros(3), UNIT[parties]
    for t, s in enumerate(slots):
        x = s.allocation()
        total += s.welfare(x)
        about = f"noise seed {noise}, slot {t + 1}: {s}"
        assert outcome["price"][t] == pytest.approx(float(s.price()), abs=unit), about
        for i in bidders:
            mine = sum((q for j, q in zip(s.pieces, x, strict=True) if j.bidder == i), ZERO)
            assert outcome["allocation"][NAMES[i]][t] == pytest.approx(float(mine), abs=5 * unit), (
                f"{NAMES[i]}, {about}"
            )
            payment[i] += float(s.clarke(i))
    assert outcome["welfare"] == pytest.approx(float(total), abs=unit * len(slots))
    for i in bidders:
        worth = sum(
            float(j.worth(q)) for s in slots for j, q in zip(s.pieces, s.allocation(), strict=True) if j.bidder == i
        )
        expected = min(max(payment[i], 0), worth)
        # The guard that nobody pays more than its bid takes off the largest rounding error of every entry.
        assert outcome["payment"][NAMES[i]] == pytest.approx(expected, abs=4 * unit * len(slots)), NAMES[i]


def in_batches(slots: list[Slot], noise: int | None, minimum: int = 0) -> None:
    for start in range(0, len(slots), BATCH):
        check(slots[start : start + BATCH], noise, minimum)


COSTS = [(p, k) for p in (0, 1, 2) for k in (0, 1)]


@pytest.mark.parametrize("rank", [(0, 1), (1, 0)], ids=["alice-first", "bob-first"])
def test_two_single_steps_with_every_tie(rank: tuple[int, int]) -> None:
    """Equal prices, price equal to cost, zero widths, k = 0, cap 0 and cap exactly met."""
    cases = [
        slot([step(0, s, v), step(1, r, w)], p, k, cap, rank)
        for s, r, v, w, cap in product((0, 1, 2), (1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2, 3))
        for p, k in COSTS
    ]
    in_batches(cases, noise=1)


@pytest.mark.parametrize("rank", [(0, 1, 2), (2, 0, 1)], ids=["as-named", "bob-first"])
def test_three_bidders_at_one_price_are_served_in_the_order_of_the_coin(rank: tuple[int, ...]) -> None:
    pieces = [step(0, 2, 1), step(0, 1, 1), step(1, 2, 2), step(1, 1, 1), step(2, 2, 1), step(2, 2, 1)]
    caps = [Fraction(c, 2) for c in range(17)]
    in_batches([slot(pieces, p, k, cap, rank) for cap in caps for p, k in COSTS], noise=2)


def test_two_quadratic_bids_with_every_tie() -> None:
    """Equal bids, value equal to cost, zero width, k = 0, and caps that make the price flat."""
    bids = list(product((0, 1, 2), (1, 2), (0, 1)))
    cases = [
        slot([quadratic(0, *one), quadratic(1, *two)], p, k, cap, (1, 0))
        for one, two, cap in product(bids, bids, (0, 1, 2))
        for p, k in COSTS
    ]
    in_batches(cases, noise=3)


def test_minimums_that_equal_maxima_or_fill_the_cap() -> None:
    boxes = [(lo, hi) for lo in (0, 1) for hi in (0, 1, 2) if lo <= hi]
    cases = [
        slot([quadratic(0, b, 1, one[1], one[0]), quadratic(1, 2, 1, two[1], two[0])], p, k, cap, (0, 1))
        for b, one, two, cap in product((1, 2), boxes, boxes, (2, 3))
        for p, k in COSTS
    ]
    in_batches(cases, noise=4, minimum=1)


@pytest.mark.parametrize(("parties", "noise"), [(3, None), (3, 5), (3, 6), (3, 7), (4, 8), (5, 9), (7, 10), (7, 11)])
def test_a_flat_price_interval_is_published_by_its_lower_end_whatever_the_rounding(
    parties: int, noise: int | None
) -> None:
    """Demand equals the cap between a bid that is full and one that is out: every price between clears."""
    steps = [
        slot([step(0, 3, 2), step(1, low, 2)], 1, k, 2, (0, 1))
        for low in (Fraction(1, 2), 1, Fraction(3, 2), 2)
        for k in (0, Fraction(1, 4), Fraction(1, 2))
    ]
    check(steps, noise, parties=parties)
    smooth = [
        slot([quadratic(0, 4, 1, hi), quadratic(1, b, 1, 1)], p, k, hi, (0, 1))
        for hi, b, p, k in product((1, 2), (1, Fraction(5, 4)), (0, 1), (0, Fraction(1, 4)))
    ]
    check(smooth, noise, parties=parties)


@pytest.mark.parametrize("noise", [None, 9, 10])
def test_nobody_wants_anything(noise: int | None) -> None:
    """Zero demand: the price is the best bid below cost, or zero."""
    steps = [slot([step(0, s, 0), step(1, 0, 1)], 1, k, cap, (0, 1)) for s in (0, 1) for k in (0, 1) for cap in (0, 2)]
    check(steps, noise)
    smooth = [
        slot([quadratic(0, b, 1, hi), quadratic(1, 0, 2, 1)], 2, k, cap, (0, 1))
        for b, hi, k, cap in product((0, 1), (0, 1), (0, 1), (0, 2))
    ]
    check(smooth, noise)
