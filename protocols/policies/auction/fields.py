"""What a bidder commits to: the list of integers, their public ranges, and the relations that its proof shows.

Field i of a bidder is generator g_i of its commitment C_bid and witness w_i of its proof. Relations: every field in
its range, max − min in [0, Q], every reciprocal within one unit of its denominator's, step prices in merit order,
Σ widths ≤ Q, budget at least the sum of minimums. Ciphertexts and shares are of the same fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tacita.crypto.proofs.quadratic import Quadratic
from tacita.crypto.proofs.range import Linear, Relations, constant
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.terms import AuctionTerms

ONE = 1 << FRACTION


@dataclass(frozen=True)
class Field:
    """One committed integer: which engine block it belongs to, and its public range."""

    label: str
    slot: int
    lo: int
    hi: int


@dataclass(frozen=True)
class FieldPlan:
    """Which fields every bid has, from public facts."""

    terms: AuctionTerms
    admm: bool
    """share_inverse is needed."""
    table: bool
    """slope_inverse is needed."""

    @property
    def penalty(self) -> int:
        """ρ at scale f."""
        return round(self.terms.penalty * ONE)

    def price_bounds(self, slot: int) -> tuple[int, int]:
        """Range of a price or value in a slot."""
        low, high = self.terms.value_range(slot)
        return round(self.terms.price_units(low)), round(self.terms.price_units(high))

    def slope_bounds(self) -> tuple[int, int]:
        """Range of a slope; at least one unit."""
        assert self.terms.slope is not None
        low, high = (round(self.terms.slope_units(x)) for x in self.terms.slope)
        return max(1, low), max(1, high)

    def quantity(self, value: Fraction) -> int:
        """A quantity in units."""
        return round(self.terms.quantity_units(value))

    def inverse_bounds(self, penalty: int | None) -> tuple[int, int]:
        """Range of ρ/(a + ρ), or of 1/a for penalty = None."""
        low, high = self.slope_bounds()
        numerator, shift = (ONE * ONE, 0) if penalty is None else (penalty * ONE, penalty)
        return numerator // (high + shift) - 1, -(-numerator // (low + shift)) + 1

    def budget_limit(self) -> int:
        """A budget above everything a bidder could buy never binds."""
        return self.quantity(self.terms.quantity[1]) * self.terms.slots

    def fields(self, slots: Sequence[int]) -> list[Field]:
        """The fields of a bidder that bids in these slots, in commitment order."""
        terms, fields = self.terms, []
        largest = self.quantity(terms.quantity[1])
        for t in slots:
            low, high = self.price_bounds(t)
            if terms.bids == "steps":
                fields += [Field("price", t, low, high) for _ in range(terms.steps)]
                fields += [Field("width", t, 0, largest) for _ in range(terms.steps)]
                continue
            fields += [Field("value", t, low, high), Field("slope", t, *self.slope_bounds())]
            fields.append(Field("maximum", t, self.quantity(terms.quantity[0]), largest))
            if terms.minimum[1] > 0:
                fields.append(Field("minimum", t, self.quantity(terms.minimum[0]), self.quantity(terms.minimum[1])))
            if self.admm:
                fields.append(Field("share_inverse", t, *self.inverse_bounds(self.penalty)))
            if self.table:
                fields.append(Field("slope_inverse", t, *self.inverse_bounds(None)))
        if terms.budgets:
            fields.append(Field("budget", -1, 0, self.budget_limit()))
        return fields

    def values(self, inputs: BidderInputs) -> list[int]:
        """The integers of a bidder, in the order of `fields`."""
        terms, values = self.terms, []
        for _, bid in sorted(inputs.slots.items()):
            if terms.bids == "steps":
                values += self._step_values(bid.numbers)
                continue
            value, slope, least, most = bid.numbers
            a = min(max(round(terms.slope_units(slope)), self.slope_bounds()[0]), self.slope_bounds()[1])
            values += [round(terms.price_units(value)), a, self.quantity(most)]
            if terms.minimum[1] > 0:
                values.append(self.quantity(least))
            if self.admm:
                values.append(_nearest(self.penalty * ONE, a + self.penalty))
            if self.table:
                values.append(_nearest(ONE * ONE, a))
        if terms.budgets:
            limit = self.budget_limit()
            values.append(limit if inputs.budget is None else min(limit, self.quantity(inputs.budget)))
        return values

    def _step_values(self, numbers: Sequence[Fraction]) -> list[int]:
        """Steps padded with empty ones at the last price; rounded widths never exceed the largest quantity."""
        prices = [round(self.terms.price_units(p)) for p in numbers[0::2]]
        edges, total = [0], Fraction(0)
        for width in numbers[1::2]:
            total += width
            edges.append(self.quantity(total))
        widths = [b - a for a, b in zip(edges, edges[1:], strict=False)]
        missing = self.terms.steps - len(prices)
        return prices + [prices[-1]] * missing + widths + [0] * missing

    def relations(self, slots: Sequence[int]) -> Relations:
        """What the bidder's proof shows; witness i is field i."""
        relations, fields = Relations(), self.fields(slots)
        variables = [relations.integer(max(abs(f.lo), abs(f.hi))) for f in fields]
        by_slot: dict[int, dict[str, list[Linear]]] = {}
        for f, variable in zip(fields, variables, strict=True):
            by_slot.setdefault(f.slot, {}).setdefault(f.label, []).append(variable)
            if f.label not in ("share_inverse", "slope_inverse"):
                relations.in_range(variable, f.lo, f.hi)
        largest = self.quantity(self.terms.quantity[1])
        for t in slots:
            group = by_slot[t]
            if self.terms.bids == "steps":
                self._merit_order(relations, t, group["price"])
                total = group["width"][0]
                for width in group["width"][1:]:
                    total = total.plus(width)
                if self.terms.steps > 1 or self.terms.quantity[0] > 0:
                    relations.in_range(total, self.quantity(self.terms.quantity[0]), largest)
                continue
            (slope,) = group["slope"]
            if "minimum" in group:
                relations.in_range(group["maximum"][0].plus(group["minimum"][0], -1), 0, largest)
            if "share_inverse" in group:
                denominator = slope.plus(constant(self.penalty))
                self._reciprocal(relations, group["share_inverse"][0], denominator, self.penalty * ONE)
            if "slope_inverse" in group:
                self._reciprocal(relations, group["slope_inverse"][0], slope, ONE * ONE)
        if self.terms.budgets and self.terms.minimum[1] > 0:
            left = by_slot[-1]["budget"][0]
            for t in slots:
                left = left.plus(by_slot[t]["minimum"][0], -1)
            relations.in_range(left, 0, self.budget_limit())
        return relations

    def _merit_order(self, relations: Relations, slot: int, prices: Sequence[Linear]) -> None:
        low, high = self.price_bounds(slot)
        for first, second in zip(prices, prices[1:], strict=False):
            better, worse = (second, first) if self.terms.direction == "reverse" else (first, second)
            relations.in_range(better.plus(worse, -1), 0, high - low)

    def _reciprocal(self, relations: Relations, inverse: Linear, denominator: Linear, numerator: int) -> None:
        """|inverse·M − numerator| ≤ M with M > 0: (M − e)(M + e) ≥ 0 for the rounding error e."""
        most = self.slope_bounds()[1] + self.penalty
        product = inverse.times(denominator)
        error = relations.derived(Quadratic(product.products, product.linear, product.constant - numerator), most)
        relations.nonnegative(denominator.plus(error, -1).times(denominator.plus(error)), most * most)


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
