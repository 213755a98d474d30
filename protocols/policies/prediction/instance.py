"""A prediction with completed terms and known lengths of histories: fields, proofs, sums, outcome.

Both methods only add: the engine multiplies and compares nothing. What differs is what a party commits to. By `gram`
it is the whole history and its moments, proven equal to sums of products of the history. By `network` it is the sums of
one step of the training, which are in range but not proven to come from any data.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Relations
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.demand import Demand, dry_run
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.policies.base import EVERYBODY, InputPlace, Report
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.terms import PredictionTerms


@dataclass(frozen=True)
class Field:
    """One committed integer: which engine block it belongs to, and its public range."""

    label: str
    lo: int
    hi: int


@dataclass(frozen=True)
class Prediction(ABC):
    """`pattern` holds first and last period of every party, in alphabetical order."""

    terms: PredictionTerms
    pattern: tuple[tuple[str, tuple[int, int]], ...]

    # ---- what the methods differ in ---------------------------------------------------------------------------

    training_proven = False
    """Whether the sums are proven against committed data."""

    @abstractmethod
    def fields(self, participant: str) -> list[Field]:
        """What a party commits to, in commitment order."""

    @abstractmethod
    def relations(self, participant: str) -> Relations:
        """See Instance."""

    @abstractmethod
    def values(self, participant: str, history: History) -> list[int]:
        """The integers of a party, in the order of `fields`."""

    @abstractmethod
    async def sums(self, engine: Engine, blocks: Mapping[str, Secret]) -> dict[str, Secret]:
        """The output blocks, from the input blocks."""

    @abstractmethod
    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance."""

    # ---- public facts -----------------------------------------------------------------------------------------

    @property
    def participants(self) -> tuple[str, ...]:
        """Parties in alphabetical order."""
        return tuple(name for name, _ in self.pattern)

    def length(self, participant: str) -> int:
        """How many prices the party has."""
        first, last = dict(self.pattern)[participant]
        return last - first + 1

    def rows_of(self, participant: str) -> int:
        """How many periods of the party have all lags before them."""
        return self.length(participant) - self.terms.lags

    @property
    def rows(self) -> int:
        """Rows of all parties."""
        return sum(self.rows_of(name) for name in self.participants)

    def claims(self) -> Mapping[str, bool]:
        """See Claiming."""
        return {"training_proven": self.training_proven}

    # ---- inputs -----------------------------------------------------------------------------------------------

    def field_count(self, participant: str) -> int:
        """See Instance."""
        return len(self.fields(participant))

    @cached_property
    def _places(self) -> dict[str, list[InputPlace]]:
        filled: dict[str, int] = {}
        places: dict[str, list[InputPlace]] = {}
        for name in self.participants:
            places[name] = []
            for f in self.fields(name):
                places[name].append(InputPlace(f.label, filled.get(f.label, 0)))
                filled[f.label] = filled.get(f.label, 0) + 1
        return places

    def places(self, participant: str) -> Sequence[InputPlace]:
        """See Instance."""
        return self._places[participant]

    def _positions(self, label: str) -> list[list[int]]:
        """Engine positions of a label's fields, party by party."""
        return [[p.position for p in self._places[name] if p.label == label] for name in self.participants]

    # ---- computation ------------------------------------------------------------------------------------------

    def demand(self, parties: int, threshold: int, security: str) -> Demand:
        """See Instance."""
        return _demand(self, parties, threshold, security)

    def program(self, order: Sequence[str]) -> Callable[[Engine, Report], Awaitable[None]]:
        """See Instance; nothing depends on the order."""

        async def run(engine: Engine, report: Report) -> None:
            everything = [f for name in self.participants for f in self.fields(name)]
            blocks = {}
            for label in dict.fromkeys(f.label for f in everything):
                group = [f for f in everything if f.label == label]
                lo, hi = min(f.lo for f in group), max(f.hi for f in group)
                blocks[label] = await engine.from_cipher(label, len(group), FRACTION, lo, hi)
            for label, total in (await self.sums(engine, blocks)).items():
                await engine.to_cipher(label, total)
            report(1, 1)

        return run

    def _total(self, engine: Engine, block: Secret, positions: Sequence[Sequence[int]]) -> Secret:
        """Sums over the parties of equally long rows of fields."""
        count = len(positions[0])
        flat = [p for row in positions for p in row]
        return engine.group_sum(block[flat], np.tile(np.arange(count), len(positions)), count)

    def recipients(self, label: str) -> Sequence[str]:
        """See Instance: every sum is public."""
        return [EVERYBODY] * self._output_sizes[label]

    @cached_property
    def _output_sizes(self) -> dict[str, int]:
        # The labels and sizes of outputs do not depend on the nodes; three stand for any number.
        return {block.label: block.size for block in self.demand(3, 1, "passive").outputs}

    def private_outcome(
        self, participant: str, outputs: Mapping[str, Sequence[int]], public: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """See Instance; there are no private outputs."""
        return {}

    # ---- outcome ----------------------------------------------------------------------------------------------

    def _latest(self, outputs: Mapping[str, Sequence[int]]) -> list[Fraction]:
        """The parties' mean deviations of the last K periods, oldest first, in units."""
        return [Fraction(x, len(self.pattern)) for x in outputs["latest"]]

    def _price(self, deviation: Fraction) -> float:
        return float(self.terms.target + deviation * self.terms.unit)

    def _forecast(self, latest: Sequence[Fraction], change: Fraction) -> dict[str, Any]:
        """The public next price, clipped to the price bounds: what other policies take as P(t+1)."""
        low, high = self.terms.price_units
        predicted = min(max(latest[-1] + change, Fraction(low)), Fraction(high))
        return {
            "period": self.pattern[0][1][1] + 1,
            "latest": [self._price(e) for e in latest],
            "forecast": self._price(predicted),
        }

    def _header(self) -> dict[str, Any]:
        return {
            "policy": "prediction",
            "method": self.terms.method,
            "parties": len(self.pattern),
            "rows": self.rows,
        }


@lru_cache(maxsize=32)
def _demand(prediction: Prediction, parties: int, threshold: int, security: str) -> Demand:
    return dry_run(prediction.program(prediction.participants), parties, threshold, security)
