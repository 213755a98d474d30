"""A committee with completed terms and known members: inputs, program, outputs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Relations
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.demand import Demand, dry_run
from tacita.protocols.mpc.engine import Engine, Secret, fixed
from tacita.protocols.mpc.reciprocal import reciprocal
from tacita.protocols.policies.base import EVERYBODY, InputPlace, Report
from tacita.protocols.policies.interest_rate import committee
from tacita.protocols.policies.interest_rate.committee import ONE, Programs
from tacita.protocols.policies.interest_rate.control import Views, minimise
from tacita.protocols.policies.interest_rate.fields import PRODUCTS, FieldPlan
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

READINGS = ("preference", "gap", "inflation")
SUMS = (*READINGS, *PRODUCTS)
"""What the mean statistic adds up: the five numbers that a committee's program depends on."""


@dataclass(frozen=True)
class Committee:
    """Members in alphabetical order; nothing else about them is public."""

    terms: CommitteeTerms
    members: tuple[str, ...]

    @property
    def participants(self) -> tuple[str, ...]:
        """See Instance."""
        return self.members

    @cached_property
    def plan(self) -> FieldPlan:
        """Which integers every member commits to."""
        return FieldPlan(self.terms)

    # ---- inputs -----------------------------------------------------------------------------------------------

    def field_count(self, participant: str) -> int:
        """See Instance."""
        return len(self.plan.fields)

    def places(self, participant: str) -> Sequence[InputPlace]:
        """See Instance: blocks are ordered by member, then by field."""
        labels = [f.label for f in self.plan.fields]
        me = self.members.index(participant)
        return [InputPlace(label, me * labels.count(label) + labels[:i].count(label)) for i, label in enumerate(labels)]

    def relations(self, participant: str) -> Relations:
        """See Instance."""
        return self.plan.relations()

    # ---- computation ------------------------------------------------------------------------------------------

    def demand(self, parties: int, threshold: int, security: str) -> Demand:
        """See Instance."""
        return _demand(self, parties, threshold, security)

    def program(self, order: Sequence[str]) -> Callable[[Engine, Report], Awaitable[None]]:
        """See Instance; the order of members plays no part."""
        terms = self.terms

        async def run(engine: Engine, report: Report) -> None:
            blocks = await self._blocks(engine)
            if terms.reveal == "statistics":
                await self._release_statistics(engine, blocks)
                return
            if terms.statistic == "median_rate":
                m = terms.controller.moves
                path = await committee.middle(engine, blocks["ideal"], m)
            else:
                consensus = terms.method == "consensus"
                programs = await (self._own if consensus else self._common)(engine, blocks)
                path = await committee.decide(engine, terms, programs, report)
            await engine.to_cipher("recoverable", await self._recoverable(engine, blocks))
            await engine.to_cipher("path", path)

        return run

    async def _blocks(self, engine: Engine) -> dict[str, Secret]:
        blocks: dict[str, Secret] = {}
        for label in dict.fromkeys(f.label for f in self.plan.fields):
            group = [f for f in self.plan.fields if f.label == label]
            lo, hi = min(f.lo for f in group), max(f.hi for f in group)
            scale = 2 * FRACTION if label in PRODUCTS else FRACTION
            blocks[label] = await engine.from_cipher(label, len(group) * len(self.members), scale, lo, hi)
        return blocks

    async def _release_statistics(self, engine: Engine, blocks: Mapping[str, Secret]) -> None:
        if self.terms.statistic == "mean":
            for label in SUMS:
                await engine.to_cipher(f"sum_{label}", _sum(engine, blocks[label]))
            return
        middles = await self._middles(engine, blocks, READINGS)
        for label in READINGS:
            await engine.to_cipher(f"median_{label}", middles[label])

    async def _middles(self, engine: Engine, blocks: Mapping[str, Secret], labels: Sequence[str]) -> dict[str, Secret]:
        """Medians of several blocks in one go; each keeps its own public interval."""
        joined = engine.concat([blocks[label] for label in labels])
        count, columns = len(self.members), len(labels)
        by_member = np.arange(count * columns).reshape(columns, count).T.reshape(-1)
        found = await committee.middle(engine, joined[by_member], columns)
        return {
            label: engine.within(found[i : i + 1], blocks[label].lo, blocks[label].hi) for i, label in enumerate(labels)
        }

    async def _recoverable(self, engine: Engine, blocks: Mapping[str, Secret]) -> Secret:
        """1 unless l·x < −i* for the statistic x of the readings (Economy.recoverable)."""
        if self.terms.statistic == "mean":
            count = len(self.members)
            gap, inflation = (_sum(engine, blocks[label]) for label in ("gap", "inflation"))
        else:
            count, middles = 1, await self._middles(engine, blocks, ("gap", "inflation"))
            gap, inflation = middles["gap"], middles["inflation"]
        weight = round(Fraction(self.terms.economy.escape_weight) * ONE)
        side = gap.times(weight, FRACTION) + inflation.rescaled(2 * FRACTION)
        return 1 - await engine.negative(side - count * self.terms.floor * ONE)

    async def _common(self, engine: Engine, blocks: Mapping[str, Secret]) -> Programs:
        """One program of the whole committee, from means or medians."""
        terms, m = self.terms, self.terms.controller.moves
        if terms.statistic == "mean":
            preference = await self._mean(engine, blocks["preference"])
            state = await self._mean(engine, self._states(engine, blocks), 4)
        else:
            middles = await self._middles(engine, blocks, READINGS)
            preference, y, inflation = (middles[label] for label in READINGS)
            both = engine.concat([y, inflation])
            weighted = await engine.trunc(await engine.mul(preference[[0, 0]], both), FRACTION)
            state = engine.concat([both - weighted, weighted])
        slopes = np.array(self.plan.slopes, dtype=object).reshape(m, 1)
        denominator = engine.matvec(slopes, preference, FRACTION) + ONE * ONE
        # Positive for every preference in range; 1 + λ·μ is least at one end.
        ends = [ONE * ONE + mu * p for mu in self.plan.slopes for p in (preference.lo, preference.hi)]
        denominator = engine.within(denominator, min(ends), max(ends))
        inverse = await reciprocal(engine, await engine.trunc(denominator, FRACTION), FRACTION)
        linear = await committee.linear_terms(engine, terms, state, 1)
        floor = engine.public(np.full(m, terms.floor, dtype=object), FRACTION)
        return Programs(inverse, linear, floor, None)

    async def _own(self, engine: Engine, blocks: Mapping[str, Secret]) -> Programs:
        """Every member's own program, inside everybody's limits."""
        terms, m = self.terms, self.terms.controller.moves
        states = await engine.trunc(self._states(engine, blocks), FRACTION)
        linear = await committee.linear_terms(engine, terms, states, len(self.members))
        least = await committee.largest(engine, blocks["least"])
        most = await committee.smallest(engine, blocks["most"])
        move = (await committee.smallest(engine, blocks["move"]))[[0] * m]
        cone, here = move * np.arange(1, m + 1).astype(object), round(terms.units(terms.previous))
        lower = -await engine.minimum(-least[[0] * m], cone - here)
        upper = await engine.minimum(most[[0] * m], cone + here)
        return Programs(blocks["reciprocal"], linear, lower, upper)

    def _states(self, engine: Engine, blocks: Mapping[str, Secret]) -> Secret:
        """((1−λ)y, (1−λ)π, λy, λπ) member by member, at scale 2f."""
        weighted = [blocks["weighted_gap"], blocks["weighted_inflation"]]
        plain = [blocks["gap"].rescaled(2 * FRACTION), blocks["inflation"].rescaled(2 * FRACTION)]
        columns = engine.concat([*(p - w for p, w in zip(plain, weighted, strict=True)), *weighted])
        return columns[np.arange(4 * len(self.members)).reshape(4, -1).T.reshape(-1)]

    async def _mean(self, engine: Engine, values: Secret, columns: int = 1) -> Secret:
        """Mean over members of every column, at scale f."""
        column = np.tile(np.arange(columns), len(self.members))
        total = engine.group_sum(values, column, columns)
        share = fixed(1 / Fraction(len(self.members)), FRACTION)[0]
        mean = await engine.trunc(total.times(share, FRACTION), total.scale)
        return engine.within(mean, *_rescaled(values))

    # ---- outputs ----------------------------------------------------------------------------------------------

    def recipients(self, label: str) -> Sequence[str]:
        """See Instance: everything that is released is public."""
        return [EVERYBODY] * (self.terms.controller.moves if label == "path" else 1)

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance. From statistics the path follows by exact arithmetic, the same on every machine."""
        terms = self.terms
        result: dict[str, Any] = {
            "policy": "interest_rate",
            "method": terms.method,
            "statistic": terms.statistic,
            "reveal": terms.reveal,
        }
        if terms.reveal == "path":
            path = [terms.percent(v) for v in outputs["path"]]
            result["recoverable"] = bool(outputs["recoverable"][0])
        else:
            views = self._views(outputs)
            path = minimise(*terms.controller.program(views, terms.previous), -terms.economy.neutral)
            result["recoverable"] = terms.economy.recoverable(float(views.gap), float(views.inflation))
            result["statistics"] = {
                "preference": float(views.preference),
                "output_gap": float(views.gap),
                "inflation": float(views.inflation + terms.economy.inflation_target),
            }
            if terms.statistic == "mean":
                result["statistics"]["preference_times_output_gap"] = float(views.weighted_gap)
                result["statistics"]["preference_times_inflation_deviation"] = float(views.weighted_inflation)
        result["rates"] = [float(max(Fraction(0), v + terms.economy.neutral)) for v in path]
        return result

    def _views(self, outputs: Mapping[str, Sequence[int]]) -> Views:
        terms, one = self.terms, Fraction(1, ONE)
        if terms.statistic == "median":
            middle = [outputs[f"median_{label}"][0] for label in READINGS]
            return Views.of(middle[0] * one, terms.percent(middle[1]), terms.percent(middle[2]))
        weight, y, pi, weighted_y, weighted_pi = (
            Fraction(outputs[f"sum_{label}"][0], len(self.members)) * one for label in SUMS
        )
        unit = terms.percent(ONE)
        return Views(weight, y * unit, pi * unit, weighted_y * one * unit, weighted_pi * one * unit)

    def private_outcome(
        self, participant: str, outputs: Mapping[str, Sequence[int]], public: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """See Instance: nothing beyond what everybody learns."""
        return {"policy": "interest_rate", "member": participant}


def _sum(engine: Engine, values: Secret) -> Secret:
    return engine.group_sum(values, np.zeros(values.size, dtype=np.int64), 1)


def _rescaled(values: Secret) -> tuple[int, int]:
    """A mean lies between the extremes; a few units for the rounding of 1/J and of the truncation."""
    shift, slack = values.scale - FRACTION, 1 << 12
    return (values.lo >> shift) - slack, (values.hi >> shift) + slack


@lru_cache(maxsize=32)
def _demand(instance: Committee, parties: int, threshold: int, security: str) -> Demand:
    return dry_run(instance.program(instance.members), parties, threshold, security)
