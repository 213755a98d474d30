"""The terms of a committee's session and what follows from them: units, public bounds, iterations, refusals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.interest_rate.control import Controller
from tacita.protocols.policies.interest_rate.economy import Economy
from tacita.protocols.policies.interest_rate.spectrum import Spectrum, spectrum
from tacita.protocols.terms import Table, plain

Interval = tuple[Fraction, Fraction]
PERCENT = 1000.0
"""No rate, gap or inflation beyond this many percent."""
MAX_HORIZON, MAX_MOVES, MAX_MEMBERS, FEWEST_MEMBERS = 40, 8, 64, 3
MAX_ITERATIONS = 400
METHODS, STATISTICS, REVEALS = ("one_shot", "consensus"), ("mean", "median", "median_rate"), ("path", "statistics")
LIMITS = ("least", "most", "move")


@dataclass(frozen=True)
class CommitteeTerms:
    """Everything public, in percent."""

    controller: Controller
    previous_rate: Fraction
    """The rate of the period before, i_{t−1}."""
    method: str
    statistic: str
    reveal: str
    preference: Interval
    output_gap: Interval
    inflation: Interval
    limits: tuple[Interval, Interval, Interval] | None
    """Public ranges of the members' private limits (least, most, move); only with method = "consensus"."""
    accuracy: Fraction
    """The iteration ends within this many percentage points of the optimum."""

    # ---- reading ----------------------------------------------------------------------------------------------

    @staticmethod
    def read(tree: Mapping[str, Any]) -> "CommitteeTerms":
        """From [economy], [objective], [committee], [bounds] and [solver]; raises CallerMistake."""
        economy, objective = Table("economy", tree.get("economy", {})), Table("objective", tree.get("objective", {}))
        committee, bounds = Table("committee", tree.get("committee", {})), Table("bounds", tree.get("bounds", {}))
        solver = Table("solver", tree.get("solver", {}))
        model = Economy(
            slope=economy.number("slope", None, 1e-6, 10),
            persistence=economy.number("persistence", None, 0, 0.9999),
            sensitivity=economy.number("sensitivity", None, 1e-6, 10),
            inflation_target=economy.number("inflation_target", 2, -PERCENT, PERCENT),
            real_rate=economy.number("real_rate", 2, -PERCENT, PERCENT),
        )
        if not 0 <= model.neutral <= PERCENT:
            raise CallerMistake(
                "[economy] real_rate + inflation_target is the rate at rest and must not be negative; correct the terms"
            )
        horizon = objective.integer("horizon", 12, 1, MAX_HORIZON)
        controller = Controller(
            economy=model,
            horizon=horizon,
            moves=objective.integer("moves", min(4, horizon), 1, min(MAX_MOVES, horizon)),
            discount=objective.number("discount", "0.99", 0.01, 1),
            rate_weight=objective.number("rate_weight", "0.1", 0, 1e6),
            move_weight=objective.number("move_weight", "0.5", 0, 1e6),
        )
        method = committee.text("method", "one_shot", METHODS)
        limits = None
        if method == "consensus":
            least, most = (bounds.interval(key, None, 0, PERCENT) for key in ("least", "most"))
            limits = (least, most, bounds.interval("move", None, 0, PERCENT))
        terms = CommitteeTerms(
            controller=controller,
            previous_rate=economy.number("previous_rate", plain(model.neutral), 0, PERCENT),
            method=method,
            statistic=committee.text("statistic", "mean", STATISTICS),
            reveal=committee.text("reveal", "path", REVEALS),
            preference=bounds.interval("preference", [0, 1], 0, 1),
            output_gap=bounds.interval("output_gap", None, -PERCENT, PERCENT),
            inflation=bounds.interval("inflation", None, -PERCENT, PERCENT),
            limits=limits,
            accuracy=solver.number("accuracy", 1e-6, 1e-7, 0.1),
        )
        for table in (economy, objective, committee, bounds, solver):
            table.finish()
        terms._check()
        return terms

    def _check(self) -> None:
        if self.method == "consensus":
            if self.statistic != "mean":
                raise CallerMistake('[committee] method = "consensus" adds up all members; write statistic = "mean"')
            assert self.limits is not None
            least, most, _ = self.limits
            here = round(self.units(self.previous))
            highest, lowest = self.least_units(least[1]), self.most_units(most[0])
            if not highest <= here <= lowest:
                raise CallerMistake(
                    "[bounds] least and most must leave the previous rate to everybody, otherwise there may be no "
                    "rate that all accept: lower the upper end of least or raise the lower end of most"
                )
        if self.reveal == "statistics" and (self.method == "consensus" or self.statistic == "median_rate"):
            raise CallerMistake(
                '[committee] reveal = "statistics" needs method = "one_shot" and statistic = "mean" or "median"; '
                'write reveal = "path"'
            )
        if self.controller.rate_weight == 0 and self.controller.move_weight == 0:
            raise CallerMistake("[objective] rate_weight and move_weight are both 0; one of them must be positive")
        if not self.spectrum.basis:
            raise CallerMistake(
                "[objective] the program is too badly conditioned: raise rate_weight or move_weight, or choose fewer "
                "moves"
            )
        if self.iterations > MAX_ITERATIONS:
            raise CallerMistake(
                f"these terms need {self.iterations} iterations, at most {MAX_ITERATIONS} are accepted: raise "
                "rate_weight, choose fewer moves or a larger accuracy"
            )

    def canonical(self) -> dict[str, Any]:
        """All sections with every key that applies."""
        c, e = self.controller, self.controller.economy

        def pair(interval: Interval) -> list[Any]:
            return [plain(x) for x in interval]

        bounds = {
            "preference": pair(self.preference),
            "output_gap": pair(self.output_gap),
            "inflation": pair(self.inflation),
        }
        if self.limits is not None:
            bounds.update({key: pair(interval) for key, interval in zip(LIMITS, self.limits, strict=True)})
        return {
            "economy": {
                "slope": plain(e.slope),
                "persistence": plain(e.persistence),
                "sensitivity": plain(e.sensitivity),
                "inflation_target": plain(e.inflation_target),
                "real_rate": plain(e.real_rate),
                "previous_rate": plain(self.previous_rate),
            },
            "objective": {
                "horizon": c.horizon,
                "moves": c.moves,
                "discount": plain(c.discount),
                "rate_weight": plain(c.rate_weight),
                "move_weight": plain(c.move_weight),
            },
            "committee": {"method": self.method, "statistic": self.statistic, "reveal": self.reveal},
            "bounds": bounds,
            "solver": {"accuracy": plain(self.accuracy)},
        }

    # ---- units ------------------------------------------------------------------------------------------------

    @property
    def economy(self) -> Economy:
        """The model."""
        return self.controller.economy

    @property
    def previous(self) -> Fraction:
        """u_{−1}: the previous rate as a deviation from the rate at rest, in percent."""
        return self.previous_rate - self.economy.neutral

    @property
    def gap_from_target(self) -> Interval:
        """The range of π − π*."""
        target = self.economy.inflation_target
        return self.inflation[0] - target, self.inflation[1] - target

    @cached_property
    def exponent(self) -> int:
        """Percentages are counted in units of 2^e, at least as large as any public bound."""
        ends = [*self.output_gap, *self.gap_from_target, self.economy.neutral, self.previous]
        ends += [x - self.economy.neutral for interval in (self.limits or ())[:2] for x in interval]
        largest = max([Fraction(1), *map(abs, ends)])
        return (math.ceil(largest) - 1).bit_length()

    def units(self, percent: Fraction) -> Fraction:
        """Percentage points as a multiple of 2^(e − f)."""
        return percent * Fraction(2) ** (FRACTION - self.exponent)

    def percent(self, units: int) -> Fraction:
        """The inverse."""
        return Fraction(int(units)) * Fraction(2) ** (self.exponent - FRACTION)

    @cached_property
    def floor(self) -> int:
        """The zero lower bound −i* in units, rounded up: no rate below zero is ever published."""
        return math.ceil(self.units(-self.economy.neutral))

    def least_units(self, rate: Fraction) -> int:
        """A lower limit on the rate as a deviation in units; rounded to the safe side of the member."""
        return math.ceil(self.units(rate - self.economy.neutral))

    def most_units(self, rate: Fraction) -> int:
        """An upper limit."""
        return math.floor(self.units(rate - self.economy.neutral))

    # ---- the iteration ----------------------------------------------------------------------------------------

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the public matrices."""
        return spectrum(self.controller, *self.preference)

    @cached_property
    def pull(self) -> float:
        """max |f|₂ of a member or of a committee, in units of 2^e."""
        c, scale = self.controller, 2.0**self.exponent
        gap, inflation = (float(max(map(abs, i))) / scale for i in (self.output_gap, self.gap_from_target))
        squares = 0.0
        for k in range(c.moves):
            ends = []
            for share in map(float, self.preference):
                rows = [(1 - share) * float(c.output[1][k, i]) + share * float(c.inflation[1][k, i]) for i in (0, 1)]
                ends.append(abs(rows[0]) * gap + abs(rows[1]) * inflation)
            squares += (max(ends) + abs(float(c.rate[1][k] * self.previous)) / scale) ** 2
        return math.sqrt(squares)

    @cached_property
    def reach(self) -> float:
        """max |v|₂ of an optimal path in units of 2^e: inside the limits, or |f|/least eigenvalue, because v = 0 is
        allowed and the optimum is the projection of the unbounded one in the norm of H."""
        if self.limits is not None:
            ends = [float(abs(x - self.economy.neutral)) for interval in self.limits[:2] for x in interval]
            return math.sqrt(self.controller.moves) * max(ends) / 2.0**self.exponent
        return self.pull / self.spectrum.least

    @cached_property
    def distance(self) -> float:
        """max |s*|₂ of one member's state at the limit, s* = v − (H·v + f)/σ, in units of 2^e; s starts at 0."""
        step = float(self.spectrum.step)
        return self.reach * (1 + self.spectrum.most / step) + self.pull / step

    @cached_property
    def iterations(self) -> int:
        """Enough for the accuracy: |v_k − v*| ≤ contraction^k·|s*|, whatever the inputs."""
        wanted = float(self.accuracy) / 2.0**self.exponent
        return max(1, math.ceil(math.log(self.distance / wanted) / -math.log(self.spectrum.contraction)))
