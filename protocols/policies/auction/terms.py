"""The terms of an auction and what follows from them: units, class, iterations, refusals.

A reverse auction (buying works or power) becomes a forward one by v = reserve − ask: the cheapest ask has the
highest value, supply cost and caps describe the buyer, and payments are turned back at the end.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from tacita.protocols.admm.problem import (
    DEFAULT_ITERATIONS,
    FRACTION,
    STEP_COUPLED_GAP,
    STEP_COUPLED_ITERATIONS,
)
from tacita.protocols.faults import CallerMistake
from tacita.protocols.terms import Table, plain

LARGEST = 1e15
MAX_SLOTS, MAX_STEPS, MAX_BIDDERS = 256, 32, 256
STEP_PENALTY = 0.5
PUBLIC_OUTPUTS = ("price", "supply")


@dataclass(frozen=True)
class AuctionTerms:
    """Everything public about the auction, in the caller's units."""

    direction: str
    slots: int
    cost_linear: tuple[Fraction, ...]
    cost_quadratic: tuple[Fraction, ...]
    supply_max: tuple[Fraction, ...] | None
    cumulative_max: tuple[Fraction, ...] | None
    reserve: tuple[Fraction, ...] | None
    floor: tuple[Fraction, ...] | None
    payment_rule: str
    release: str
    public_outputs: tuple[str, ...]
    bids: str | None
    """"quadratic" or "steps"; None until the inputs or the bounds tell."""
    budgets: bool
    value: tuple[Fraction, Fraction]
    slope: tuple[Fraction, Fraction] | None
    quantity: tuple[Fraction, Fraction]
    minimum: tuple[Fraction, Fraction]
    steps: int
    method: str
    gap: Fraction
    iterations: int | None

    # ---- reading ----------------------------------------------------------------------------------------------

    @staticmethod
    def read(tree: Mapping[str, Any]) -> "AuctionTerms":
        """From the sections [auction], [bounds] and [solver]; raises CallerMistake."""
        auction, bounds = Table("auction", tree.get("auction", {})), Table("bounds", tree.get("bounds", {}))
        solver = Table("solver", tree.get("solver", {}))
        direction = auction.text("direction", "forward", ("forward", "reverse"))
        slots = auction.integer("slots", 1, 1, MAX_SLOTS)
        cost = Table("auction.cost", auction.get("cost", {}))
        linear = cost.numbers("linear", 0, slots, 0, LARGEST)
        quadratic = cost.numbers("quadratic", 0, slots, 0, LARGEST)
        cost.finish()
        supply = auction.numbers("supply_max", 0, slots, 0, LARGEST) if auction.has("supply_max") else None
        total = auction.numbers("cumulative_max", 0, slots, 0, LARGEST) if auction.has("cumulative_max") else None
        reserve = auction.numbers("reserve", 0, slots, 0, LARGEST) if auction.has("reserve") else None
        floor = auction.numbers("floor", 0, slots, 0, LARGEST) if auction.has("floor") else None
        outputs = auction.get("public_outputs", [])
        if not isinstance(outputs, list) or any(o not in PUBLIC_OUTPUTS for o in outputs):
            raise CallerMistake(f"[auction] public_outputs may list {' and '.join(PUBLIC_OUTPUTS)}; correct the terms")
        kind = auction.text("bids", "", ("quadratic", "steps", "")) or None
        steps = bounds.integer("steps", 0, 0, MAX_STEPS)
        slope = bounds.interval("slope", None, 0, LARGEST) if bounds.has("slope") else None
        if kind is None and steps:
            kind = "steps"
        terms = AuctionTerms(
            direction=direction,
            slots=slots,
            cost_linear=linear,
            cost_quadratic=quadratic,
            supply_max=supply,
            cumulative_max=total,
            reserve=reserve,
            floor=floor,
            payment_rule=auction.text("payment_rule", "clarke", ("clarke", "paper", "uniform")),
            release=auction.text("release", "public", ("public", "private")),
            public_outputs=tuple(sorted(set(outputs))),
            bids=kind,
            budgets=auction.flag("budgets"),
            value=_value_bounds(bounds, direction, reserve, floor),
            slope=slope,
            quantity=bounds.interval("quantity", None, 0, LARGEST),
            minimum=bounds.interval("minimum", [0, 0], 0, LARGEST),
            steps=steps,
            method=solver.text("method", "admm", ("admm", "table")),
            gap=solver.number("gap", "1/10000", 1e-6, 0.5),
            iterations=solver.integer("iterations", 20, 1, 5000) if solver.has("iterations") else None,
        )
        for table in (auction, bounds, solver):
            table.finish()
        terms._check()
        return terms

    def _check(self) -> None:
        if self.direction == "forward" and (self.reserve is not None or self.floor is not None):
            raise CallerMistake('[auction] reserve and floor belong to direction = "reverse"; remove them')
        if self.reserve is not None and self.floor is not None:
            for t, (low, high) in enumerate(zip(self.floor, self.reserve, strict=True)):
                if low > high:
                    raise CallerMistake(f"[auction] floor is above reserve in slot {t + 1}; correct the terms")
        if self.quantity[1] == 0:
            raise CallerMistake("[bounds] quantity allows only 0; raise its upper end")
        if self.minimum[1] > self.quantity[1]:
            raise CallerMistake("[bounds] minimum may not exceed quantity; correct the terms")
        if self.bids == "quadratic":
            if self.slope is None or self.slope[0] <= 0:
                raise CallerMistake("[bounds] slope needs a positive lower end for quadratic bids; correct the terms")
            if self.steps:
                raise CallerMistake('[bounds] steps belongs to bids = "steps"; remove it')
        if self.bids == "steps" and self.minimum[1] > 0:
            raise CallerMistake("[bounds] minimum is not available for step bids; remove it")
        if self.bids == "steps" and self.steps == 0:
            raise CallerMistake("[bounds] steps must say how many steps a bid may have; add steps = 1 or more")
        coupled = self.budgets or self.cumulative_max is not None
        if coupled and self.method == "table":
            raise CallerMistake(
                '[solver] method = "table" needs bids that are separable over slots; remove budgets and '
                'cumulative_max or use method = "admm"'
            )
        if self.payment_rule == "paper" and self.budgets:
            raise CallerMistake(
                '[auction] payment_rule = "paper" is not available with budgets; use "clarke" or "uniform"'
            )
        if coupled and self.bids == "steps":
            if self.gap < STEP_COUPLED_GAP:
                raise CallerMistake(
                    "step bids with budgets or cumulative_max reach a welfare gap of 5e-3 at best; set [solver] gap = "
                    "0.005 or more, or use quadratic bids"
                )
            if self.payment_rule == "uniform":
                raise CallerMistake("a uniform price of step bids with budgets or cumulative_max is not defined here")

    # ---- completed terms --------------------------------------------------------------------------------------

    def with_bids(self, kind: str, steps: int, budgets: bool) -> "AuctionTerms":
        """Fill in what the inputs tell: their format, the largest number of steps, whether budgets exist."""
        if self.bids not in (None, kind):
            raise CallerMistake(f'the terms ask for bids = "{self.bids}" but the inputs hold {kind} bids')
        if kind == "steps" and self.steps and steps > self.steps:
            raise CallerMistake(f"a bid has {steps} steps where [bounds] steps allows {self.steps}")
        filled = self.canonical()
        filled["auction"]["bids"] = kind
        filled["auction"]["budgets"] = budgets or self.budgets
        if kind == "steps":
            filled["bounds"]["steps"] = self.steps or steps
            filled["bounds"].pop("slope", None)
        return AuctionTerms.read(filled)

    def canonical(self) -> dict[str, Any]:
        """All sections with every key that applies."""

        def many(values: tuple[Fraction, ...]) -> list[Any]:
            return [plain(v) for v in values]

        auction: dict[str, Any] = {
            "direction": self.direction,
            "slots": self.slots,
            "cost": {"linear": many(self.cost_linear), "quadratic": many(self.cost_quadratic)},
            "payment_rule": self.payment_rule,
            "release": self.release,
            "public_outputs": list(self.public_outputs),
            "budgets": self.budgets,
        }
        for name in ("supply_max", "cumulative_max", "reserve", "floor"):
            values = getattr(self, name)
            if values is not None:
                auction[name] = many(values)
        if self.bids:
            auction["bids"] = self.bids
        bounds: dict[str, Any] = {
            "value": many(self.value),
            "quantity": many(self.quantity),
            "minimum": many(self.minimum),
        }
        if self.slope is not None:
            bounds["slope"] = many(self.slope)
        if self.bids == "steps":
            bounds["steps"] = self.steps
        solver: dict[str, Any] = {"method": self.method, "gap": plain(self.gap)}
        if self.iterations is not None:
            solver["iterations"] = self.iterations
        return {"auction": auction, "bounds": bounds, "solver": solver}

    # ---- normalised units -------------------------------------------------------------------------------------

    @cached_property
    def quantity_exponent(self) -> int:
        """Quantities are counted in units of 2^q ≥ the largest quantity."""
        return _exponent(self.quantity[1])

    @cached_property
    def price_exponent(self) -> int:
        """Prices are counted in units of 2^v ≥ the largest price that counts."""
        largest = [self.value[1], *(self.reserve or ())]
        return _exponent(max(largest) or Fraction(1))

    def quantity_units(self, value: Fraction) -> Fraction:
        """A quantity as a multiple of 2^(q − f)."""
        return value * Fraction(2) ** (FRACTION - self.quantity_exponent)

    def price_units(self, value: Fraction) -> Fraction:
        """A price as a multiple of 2^(v − f)."""
        return value * Fraction(2) ** (FRACTION - self.price_exponent)

    def slope_units(self, value: Fraction) -> Fraction:
        """A slope (price per quantity) as a multiple of 2^(v − q − f)."""
        return value * Fraction(2) ** (FRACTION + self.quantity_exponent - self.price_exponent)

    def value_range(self, slot: int) -> tuple[Fraction, Fraction]:
        """Lowest and highest price that a bid may name in a slot."""
        low = max(self.value[0], self.floor[slot]) if self.floor else self.value[0]
        high = min(self.value[1], self.reserve[slot]) if self.reserve else self.value[1]
        if low > high:
            raise CallerMistake(f"no price is allowed in slot {slot + 1}: the bounds exclude one another")
        return low, high

    @cached_property
    def penalty(self) -> float:
        """ρ = c·v/Q of the public bounds, in normalised units; c = 1, for step bids 0.5."""
        spans = [
            high - low if self.direction == "reverse" else high
            for low, high in map(self.value_range, range(self.slots))
        ]
        span = float(max(max(spans), self.value[1] / 1024, Fraction(1, 2**20)))
        ratio = span / 2.0**self.price_exponent / (float(self.quantity[1]) / 2.0**self.quantity_exponent)
        return ratio * (STEP_PENALTY if self.bids == "steps" else 1.0)

    # ---- iterations -------------------------------------------------------------------------------------------

    def fewest_iterations(self, class_name: str) -> int:
        """Iterations that reach the gap in 99 % of random auctions of the class: linear convergence in log(gap)."""
        if class_name not in DEFAULT_ITERATIONS:
            return STEP_COUPLED_ITERATIONS
        return max(1, math.ceil(DEFAULT_ITERATIONS[class_name] * math.log10(1 / float(self.gap)) / 4))

    def iterations_for(self, class_name: str) -> int:
        """The number of iterations of a session; refuses fewer than the gap needs."""
        fewest = self.fewest_iterations(class_name)
        if self.iterations is not None and self.iterations < fewest:
            raise CallerMistake(
                f"[solver] iterations = {self.iterations} is too few for gap = {float(self.gap):g} in class "
                f"{class_name}: use at least {fewest}, or allow a larger gap"
            )
        return self.iterations or fewest


def _value_bounds(
    bounds: Table, direction: str, reserve: tuple[Fraction, ...] | None, floor: tuple[Fraction, ...] | None
) -> tuple[Fraction, Fraction]:
    if direction == "reverse":
        if reserve is None:
            raise CallerMistake('[auction] direction = "reverse" needs reserve, the highest price paid per slot')
        if not bounds.has("value"):
            return min(floor) if floor else Fraction(0), max(reserve)
    return bounds.interval("value", None, 0, LARGEST)


def _exponent(value: Fraction) -> int:
    """The least e with 2^e ≥ value > 0."""
    e = math.ceil(math.log2(value))
    while Fraction(2) ** e < value:
        e += 1
    while Fraction(2) ** (e - 1) >= value:
        e -= 1
    return e
