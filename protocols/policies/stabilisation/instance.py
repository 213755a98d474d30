"""A stabilisation with completed terms and known numbers of scenarios: inputs, program, outputs."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Relations
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.demand import Demand, dry_run
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.policies.base import EVERYBODY, InputPlace, Report
from tacita.protocols.policies.stabilisation.coordination import Coordination, agree
from tacita.protocols.policies.stabilisation.fields import BLOCKS, FieldPlan
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms
from tacita.protocols.policies.stabilisation.units import ONE, Units


@dataclass(frozen=True)
class Stabilisation:
    """`counts` says how many scenarios each party owns; it is public."""

    terms: StabilisationTerms
    counts: tuple[tuple[str, int], ...]

    # ---- public facts -----------------------------------------------------------------------------------------

    @property
    def participants(self) -> tuple[str, ...]:
        """Parties in alphabetical order."""
        return tuple(name for name, _ in self.counts)

    @property
    def scenarios(self) -> int:
        """S."""
        return sum(count for _, count in self.counts)

    @cached_property
    def units(self) -> Units:
        """Public constants and bounds."""
        return Units(self.terms, self.scenarios)

    @cached_property
    def fields(self) -> FieldPlan:
        """Which integers every scenario commits to."""
        return FieldPlan(self.units)

    @cached_property
    def problem(self) -> Coordination:
        """What the engine coordinates."""
        lower, upper = self.units.limits
        shared = self.terms.shared * self.terms.controls
        return Coordination(self.scenarios, self.terms.size, shared, lower, upper, self.units.keep, self.units.radius)

    # ---- inputs -----------------------------------------------------------------------------------------------

    def field_count(self, participant: str) -> int:
        """See Instance."""
        return len(self.fields.fields) * dict(self.counts)[participant]

    @cached_property
    def _places(self) -> dict[str, list[InputPlace]]:
        filled: dict[str, int] = {}
        places: dict[str, list[InputPlace]] = {}
        for name, count in self.counts:
            places[name] = []
            for f in self.fields.fields * count:
                places[name].append(InputPlace(f.label, filled.get(f.label, 0)))
                filled[f.label] = filled.get(f.label, 0) + 1
        return places

    def places(self, participant: str) -> Sequence[InputPlace]:
        """See Instance."""
        return self._places[participant]

    def relations(self, participant: str) -> Relations:
        """See Instance."""
        return self.fields.relations(dict(self.counts)[participant])

    # ---- computation ------------------------------------------------------------------------------------------

    def demand(self, parties: int, threshold: int, security: str) -> Demand:
        """See Instance."""
        return _demand(self, parties, threshold, security)

    def program(self, order: Sequence[str]) -> Callable[[Engine, Report], Awaitable[None]]:
        """See Instance; the order of the parties plays no part."""

        async def run(engine: Engine, report: Report) -> None:
            blocks: dict[str, Secret] = {}
            for label in BLOCKS:
                group = [f for f in self.fields.fields if f.label == label]
                lo, hi = min(f.lo for f in group), max(f.hi for f in group)
                blocks[label] = await engine.from_cipher(label, len(group) * self.scenarios, FRACTION, lo, hi)
            agreed = await agree(
                engine, self.problem, blocks["matrix"], blocks["offset"], self.terms.iterations, report
            )
            await engine.to_cipher("control", agreed.control)
            if self.terms.public_outputs:
                for label, value in (await self._statistics(engine, agreed.objective)).items():
                    await engine.to_cipher(label, value)

        return run

    async def _statistics(self, engine: Engine, objective: Secret) -> dict[str, Secret]:
        """Mean of ψ' and S·(S−1)-fold variance of ψ', those that the terms list."""
        total = engine.group_sum(objective, np.zeros(self.scenarios, dtype=np.int64), 1)
        result = {}
        if "mean" in self.terms.public_outputs:
            result["mean"] = total
        if "variance" in self.terms.public_outputs:
            # Σ (S·ψ − Σψ)² = S²·Σ(ψ − μ)²: no division before the square.
            distance = objective * self.scenarios - total[np.zeros(self.scenarios, dtype=np.int64)]
            square = await engine.dot(distance, distance, np.zeros(self.scenarios, dtype=np.int64), 1)
            result["variance"] = await engine.trunc(engine.within(square, 0, square.hi), FRACTION)
        return result

    # ---- outputs ----------------------------------------------------------------------------------------------

    def recipients(self, label: str) -> Sequence[str]:
        """See Instance: everything that is released is public."""
        return [EVERYBODY] * (self.problem.shared if label == "control" else 1)

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance."""
        terms, count = self.terms, self.terms.controls
        control = np.array([int(x) / ONE for x in outputs["control"]]).reshape(terms.shared, count)
        control *= self.units.control_unit
        for limits, exact in zip(self.units.limits, terms.economy.limits(terms.horizon), strict=True):
            reached = np.array([int(x) == y for x, y in zip(outputs["control"], limits, strict=False)])
            control = np.where(reached.reshape(control.shape), exact[: terms.shared], control)
        result: dict[str, Any] = {"policy": "stabilisation", **outcome_of(terms, control.tolist())}
        scale = self.units.objective_unit
        if "mean" in outputs:
            result["mean"] = int(outputs["mean"][0]) / ONE / self.scenarios / scale
        if "variance" in outputs:
            square = int(outputs["variance"][0]) / ONE / self.scenarios**2 / (self.scenarios - 1)
            result["variance"] = square / scale**2
        return result

    def private_outcome(
        self, participant: str, outputs: Mapping[str, Sequence[int]], public: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """See Instance: nobody learns more than the public part."""
        return {}


def outcome_of(terms: StabilisationTerms, control: Sequence[Sequence[float]]) -> dict[str, Any]:
    """What the planned controls, shape (M, controls), mean in coins for the next period."""
    economy = terms.economy
    decision = economy.decide(control[0])
    result: dict[str, Any] = {
        "model": terms.model,
        "deviation": terms.deviation,
        "growth": [row[0] for row in control],
        "auction_size": decision.auction_size,
        "block_reward": decision.block_reward,
        "outstanding": economy.outstanding,
        "outstanding_next": decision.outstanding,
    }
    if math.isfinite(decision.maximum):
        result |= {"maximum": decision.maximum, "minted": decision.minted}
        result["unissued_next"] = decision.maximum - decision.outstanding
    if economy.collateral and decision.ratio is not None:
        result["ratio_growth"] = [row[1] for row in control]
        result |= {"collateral_ratio": decision.ratio, "reserve": decision.reserve}
        result["reserve_change"] = decision.reserve - economy.collateral.ratio * economy.outstanding
    if economy.cohorts:
        result["depreciation"] = decision.depreciation
    return result


@lru_cache(maxsize=32)
def _demand(instance: Stabilisation, parties: int, threshold: int, security: str) -> Demand:
    return dry_run(instance.program(instance.participants), parties, threshold, security)
