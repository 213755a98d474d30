"""One slot of an auction in exact rationals, by scanning prices from below: slow, obvious, independent.

A piece is (bidder, b, a, lo, hi): a quadratic bid b·x − a·x²/2 on [lo, hi], or for a = 0 a step of price b.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

ZERO = Fraction(0)


@dataclass(frozen=True)
class Piece:
    bidder: int
    b: Fraction
    a: Fraction
    lo: Fraction
    hi: Fraction

    def worth(self, x: Fraction) -> Fraction:
        return self.b * x - self.a * x * x / 2


@dataclass(frozen=True)
class Slot:
    """Pieces and the supply p·y + k·y²/2, y ≤ cap; `rank` of a bidder decides ties: smaller is served first."""

    pieces: tuple[Piece, ...]
    p: Fraction
    k: Fraction
    cap: Fraction
    rank: tuple[int, ...]

    def demand(self, price: Fraction, above: bool) -> Fraction:
        """Just above the price, or just below it."""
        total = ZERO
        for j in self.pieces:
            if j.a:
                total += min(max((j.b - price) / j.a, j.lo), j.hi)
            elif j.b > price or (j.b == price and not above):
                total += j.hi
        return total

    def supply(self, price: Fraction, above: bool) -> Fraction:
        if self.k:
            return min(max((price - self.p) / self.k, ZERO), self.cap)
        return self.cap if price > self.p or (price == self.p and above) else ZERO

    def price(self) -> Fraction:
        """The smallest λ ≥ 0 with D(λ+) ≤ Y(λ+): the lower end if a whole interval clears."""
        ends = {ZERO, self.p, self.p + self.k * self.cap}
        ends |= {j.b - j.a * x for j in self.pieces for x in (j.lo, j.hi)}
        previous = None
        for g in sorted(e for e in ends if e >= 0):
            if self.demand(g, True) <= self.supply(g, True):
                left = self.demand(g, False) - self.supply(g, False)
                if previous is None or left >= 0:
                    return g
                before = self.demand(previous, True) - self.supply(previous, True)
                return previous + (g - previous) * before / (before - left)
            previous = g
        raise AssertionError("nobody wants anything above the highest price")

    def allocation(self) -> list[Fraction]:
        """x per piece at the lowest price: divisible bids by their demand, steps in order of price, then of rank.

        A step whose price equals a constant marginal cost is served: it costs nobody anything.
        """
        price, x = self.price(), [ZERO] * len(self.pieces)
        left = self.supply(price, True)
        order = sorted(range(len(x)), key=lambda j: (-self.pieces[j].b, self.rank[self.pieces[j].bidder], j))
        for j in order:
            piece = self.pieces[j]
            if piece.a:
                x[j] = min(max((piece.b - price) / piece.a, piece.lo), piece.hi)
            elif piece.b >= price:
                x[j] = min(piece.hi, left)
                left -= x[j]
        return x

    def welfare(self, x: Sequence[Fraction]) -> Fraction:
        y = sum(x, ZERO)
        worth = sum((j.worth(q) for j, q in zip(self.pieces, x, strict=True)), ZERO)
        return worth - self.p * y - self.k * y * y / 2

    def without(self, bidder: int) -> "Slot":
        return Slot(tuple(j for j in self.pieces if j.bidder != bidder), self.p, self.k, self.cap, self.rank)

    def clarke(self, bidder: int) -> Fraction:
        """W_{−i} − (W − v_i)."""
        x, others = self.allocation(), self.without(bidder)
        own = sum((j.worth(q) for j, q in zip(self.pieces, x, strict=True) if j.bidder == bidder), ZERO)
        return others.welfare(others.allocation()) - self.welfare(x) + own
