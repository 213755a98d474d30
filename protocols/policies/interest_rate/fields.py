"""What a member commits to: the list of integers, their public ranges, and the relations that its proof shows.

Field i of a member is generator g_i of its commitment and witness w_i of its proof. Shown besides the ranges:
weighted_gap = λ·y and weighted_inflation = λ·π as integers, exactly (IntQuad equalities at scale 2f), and every
reciprocal 1/(1 + λ·μ_k) within one unit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from tacita.crypto.proofs.quadratic import Quadratic
from tacita.crypto.proofs.range import Linear, Relations, constant
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.policies.interest_rate.control import Views, minimise
from tacita.protocols.policies.interest_rate.inputs import MemberInputs, deviations
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

ONE = 1 << FRACTION
PRODUCTS = {"weighted_gap": "gap", "weighted_inflation": "inflation"}
"""Product field → what the preference is multiplied with; at scale 2f."""


@dataclass(frozen=True)
class Field:
    """One committed integer: its engine block and its public range."""

    label: str
    lo: int
    hi: int


@dataclass(frozen=True)
class FieldPlan:
    """Which fields every member has, from the terms alone."""

    terms: CommitteeTerms

    @cached_property
    def fields(self) -> list[Field]:
        """In commitment order."""
        terms = self.terms
        gap, inflation = (self._range(i) for i in (terms.output_gap, terms.gap_from_target))
        readings = [Field("gap", *gap), Field("inflation", *inflation)]
        if terms.statistic == "median_rate":
            reach = math.ceil(terms.reach * ONE)
            return readings + [Field("ideal", terms.floor, reach) for _ in range(terms.controller.moves)]
        preference = (round(terms.preference[0] * ONE), round(terms.preference[1] * ONE))
        fields = [Field("preference", *preference), *readings]
        if terms.statistic == "median":
            return fields
        for label, (lo, hi) in (("weighted_gap", gap), ("weighted_inflation", inflation)):
            ends = [p * x for p in preference for x in (lo, hi)]
            fields.append(Field(label, min(ends), max(ends)))
        if terms.limits is not None:
            for slope in self.slopes:
                ends = [_nearest(ONE**3, ONE * ONE + p * slope) for p in preference]
                fields.append(Field("reciprocal", min(ends) - 1, max(ends) + 1))
            least, most, move = terms.limits
            fields.append(Field("least", *(terms.least_units(x) for x in least)))
            fields.append(Field("most", *(terms.most_units(x) for x in most)))
            fields.append(Field("move", *(math.floor(terms.units(x)) for x in move)))
        return fields

    @cached_property
    def slopes(self) -> list[int]:
        """μ at scale f."""
        return [round(Fraction(slope) * ONE) for slope in self.terms.spectrum.slopes]

    def _range(self, interval: tuple[Fraction, Fraction]) -> tuple[int, int]:
        return round(self.terms.units(interval[0])), round(self.terms.units(interval[1]))

    def values(self, inputs: MemberInputs) -> list[int]:
        """The integers of a member, in the order of `fields`."""
        terms = self.terms
        y, inflation = (round(terms.units(x)) for x in deviations(terms, inputs))
        if terms.statistic == "median_rate":
            return [y, inflation, *self._ideal(inputs)]
        preference = round(inputs.preference * ONE)
        values = [preference, y, inflation]
        if terms.statistic == "median":
            return values
        values += [preference * y, preference * inflation]
        if inputs.limits is not None:
            values += [_nearest(ONE**3, ONE * ONE + preference * slope) for slope in self.slopes]
            least, most, move = inputs.limits
            values += [terms.least_units(least), terms.most_units(most), math.floor(terms.units(move))]
        return values

    def _ideal(self, inputs: MemberInputs) -> list[int]:
        """The path that the member would choose alone."""
        terms = self.terms
        views = Views.of(inputs.preference, *deviations(terms, inputs))
        path = minimise(*terms.controller.program(views, terms.previous), -terms.economy.neutral)
        return [max(terms.floor, round(terms.units(v))) for v in path]

    def relations(self) -> Relations:
        """What the member's proof shows; witness i is field i."""
        relations = Relations()
        variables = [(f, relations.integer(max(abs(f.lo), abs(f.hi)))) for f in self.fields]
        single = {f.label: variable for f, variable in variables}
        for f, variable in variables:
            if f.label in PRODUCTS:
                product = single["preference"].times(single[PRODUCTS[f.label]])
                ((index, _),) = variable.terms
                relations.equal_zero(Quadratic(product.products, (*product.linear, (index, -1)), product.constant))
            elif f.label != "reciprocal":
                relations.in_range(variable, f.lo, f.hi)
        self._reciprocals(relations, [v for f, v in variables if f.label == "reciprocal"], single)
        return relations

    def _reciprocals(self, relations: Relations, inverses: Sequence[Linear], single: dict[str, Linear]) -> None:
        """|d·D − 2^{3f}| ≤ D for D = 2^{2f} + λ·μ > 0: (D − e)(D + e) ≥ 0 for the rounding error e."""
        for inverse, slope in zip(inverses, self.slopes, strict=False):
            denominator = Linear(tuple((i, slope * k) for i, k in single["preference"].terms)).plus(constant(ONE * ONE))
            most = 2 * ONE * ONE + abs(slope) * ONE
            product = inverse.times(denominator)
            error = relations.derived(Quadratic(product.products, product.linear, product.constant - ONE**3), most)
            relations.nonnegative(denominator.plus(error, -1).times(denominator.plus(error)), most * most)


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
