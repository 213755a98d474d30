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

from tacita.crypto.proofs.range import Linear, Relations
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.demand import Demand, dry_run
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.policies.base import EVERYBODY, InputPlace, Report
from tacita.protocols.policies.prediction.gram import Regression, moment_relations, moments, pairs, regress, root_mean
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.network import (
    Learner,
    Matrix,
    answer,
    initial_weights,
    new_weights,
)
from tacita.protocols.policies.prediction.terms import LARGEST_WEIGHT, PredictionTerms

ONE = 1 << FRACTION


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


@dataclass(frozen=True)
class GramPrediction(Prediction):
    """One-shot ridge regression; every sum is proven against the committed history."""

    training_proven = True

    def fields(self, participant: str) -> list[Field]:
        """See Prediction: prices, then moments."""
        low, high = self.terms.price_units
        most = self.rows_of(participant) * max(low * low, high * high)
        prices = [Field("price", low, high)] * self.length(participant)
        return prices + [Field("moment", -most, most)] * len(pairs(self.terms.lags))

    def relations(self, participant: str) -> Relations:
        """Every price and every change in range; every moment is its sum of products of prices.

        The ranges of moments follow from those of prices.
        """
        relations, fields = Relations(), self.fields(participant)
        variables = [relations.integer(max(abs(f.lo), abs(f.hi))) for f in fields]
        low, high = self.terms.price_units
        count, most = self.length(participant), self.terms.change_units
        prices = variables[:count]
        for price in prices:
            relations.in_range(price, low, high)
        for earlier, later in zip(prices, prices[1:], strict=False):
            relations.in_range(later.plus(earlier, -1), -most, most)
        for relation in moment_relations(prices, variables[count:], self.terms.lags):
            relations.equal_zero(relation)
        return relations

    def values(self, participant: str, history: History) -> list[int]:
        """See Prediction."""
        prices = [self.terms.units(p) for p in history.prices]
        return prices + moments(prices, self.terms.lags)

    async def sums(self, engine: Engine, blocks: Mapping[str, Secret]) -> dict[str, Secret]:
        """Σ e_{t−j}·e_{t−k}, Σ e_{t−j} over rows and parties, and the latest prices if a forecast is wanted."""
        lags, price = self.terms.lags, blocks["price"]
        positions = self._positions("price")
        shifted = [row[lags - j : len(row) - j] for j in range(lags + 1) for row in positions]
        group = np.repeat(np.arange(lags + 1), self.rows)
        result = {
            "second": self._total(engine, blocks["moment"], self._positions("moment")),
            "first": engine.group_sum(price[[p for row in shifted for p in row]], group, lags + 1),
        }
        if self.terms.forecast:
            result["latest"] = self._total(engine, price, [row[-lags:] for row in positions])
        return result

    def regression(self, outputs: Mapping[str, Sequence[int]]) -> Regression:
        """What the opened sums say, in units."""
        return regress(self.rows, outputs["first"], outputs["second"], self.terms.lags, self.terms.ridge)

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance."""
        found, unit = self.regression(outputs), float(self.terms.unit)
        result = {
            **self._header(),
            "weights": {
                "intercept": float(found.intercept * self.terms.unit),
                "deviation": float(found.deviation),
                "changes": [float(w) for w in found.changes],
            },
            "root_mean_square": {
                "change": root_mean(found.total, found.rows) * unit,
                "residual": root_mean(found.residual, found.rows) * unit,
            },
        }
        if self.terms.forecast:
            latest = self._latest(outputs)
            result |= self._forecast(latest, found.change(latest))
        return result


@dataclass(frozen=True)
class NetworkPrediction(Prediction):
    """One step of the training of a network: the weights of one layer from the parties' sums."""

    # ---- the parties' side ------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Steps done before this one."""
        return len(self.terms.steps)

    @property
    def layer(self) -> int:
        """The layer, from 0, that this step updates."""
        return self.step % 2

    @property
    def _shape(self) -> tuple[int, int]:
        widths = self.terms.widths
        return widths[self.layer + 1], widths[self.layer]

    def learner(self, history: History) -> Learner:
        """A party's side of the training, brought to this step: it repeats its local steps with the public weights."""
        terms = self.terms
        assert terms.network is not None
        learner = Learner(terms.settings, *design(terms, [history]), initial_weights(terms.widths, terms.network.seed))
        for weights in terms.steps:
            learner.adopt(weights)
        return learner

    def fields(self, participant: str) -> list[Field]:
        """See Prediction: z·aᵀ, the upper half of a·aᵀ, and the latest prices if a forecast is wanted."""
        assert self.terms.network is not None
        rows, columns = self._shape
        most = self.rows_of(participant) * int(self.terms.network.limit**2) * ONE
        fields = [Field("cross", -most, most)] * (rows * columns)
        fields += [Field("gram", -most, most)] * (columns * (columns + 1) // 2)
        if self.terms.forecast:
            fields += [Field("price", *self.terms.price_units)] * self.terms.lags
        return fields

    def relations(self, participant: str) -> Relations:
        """Every number in its range. Nothing ties the sums to data, and the claims say so."""
        relations, fields = Relations(), self.fields(participant)
        variables: list[Linear] = [relations.integer(max(abs(f.lo), abs(f.hi))) for f in fields]
        for variable, f in zip(variables, fields, strict=True):
            relations.in_range(variable, f.lo, f.hi)
        return relations

    def values(self, participant: str, history: History) -> list[int]:
        """See Prediction; raises CallerMistake if the training has left its bounds."""
        cross, gram = self.learner(history).sums()
        columns = self._shape[1]
        numbers = [*cross.reshape(-1), *(gram[i, j] for i in range(columns) for j in range(i, columns))]
        fields = self.fields(participant)
        if not all(np.isfinite(numbers)) or any(abs(x) > f.hi / ONE for x, f in zip(numbers, fields, strict=False)):
            raise CallerMistake(
                f"{participant}: the sums of step {self.step + 1} leave the public bounds; raise [network] limit or "
                "widen [network] scale"
            )
        values = [round(float(x) * ONE) for x in numbers]
        if self.terms.forecast:
            values += [self.terms.units(p) for p in history.prices[-self.terms.lags :]]
        return values

    # ---- the session's side -----------------------------------------------------------------------------------

    async def sums(self, engine: Engine, blocks: Mapping[str, Secret]) -> dict[str, Secret]:
        """Σ z·aᵀ, Σ a·aᵀ over the parties, and the latest prices if a forecast is wanted."""
        result = {label: self._total(engine, blocks[label], self._positions(label)) for label in ("cross", "gram")}
        if self.terms.forecast:
            result["latest"] = self._total(engine, blocks["price"], self._positions("price"))
        return result

    def updated(self, outputs: Mapping[str, Sequence[int]]) -> Matrix:
        """The layer's new weights; raises CallerMistake if they cannot go on."""
        rows, columns = self._shape
        cross = [list(outputs["cross"][i * columns : (i + 1) * columns]) for i in range(rows)]
        upper = iter(outputs["gram"])
        gram = [[0] * columns for _ in range(columns)]
        for i in range(columns):
            for j in range(i, columns):
                gram[i][j] = gram[j][i] = next(upper)
        weights = new_weights(cross, gram)
        return np.clip(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT)

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance."""
        terms, weights = self.terms, self.updated(outputs)
        assert terms.network is not None
        result = {
            **self._header(),
            "step": self.step + 1,
            "layer": self.layer + 1,
            "weights": [[float(x) for x in row] for row in weights],
        }
        if terms.forecast:
            latest = self._latest(outputs)
            known = initial_weights(terms.widths, terms.network.seed)
            for s, earlier in enumerate(terms.steps):
                known[s % 2] = earlier
            known[self.layer] = weights
            prices = [terms.target + e * terms.unit for e in latest]
            change = Fraction(answer(known, inputs_of(terms, prices))) * terms.network.unit_change / terms.unit
            result |= self._forecast(latest, change)
        return result


def inputs_of(terms: PredictionTerms, prices: Sequence[Fraction]) -> list[float]:
    """The network's input (1, deviation, changes) from the last K prices, oldest first, in public scales."""
    network = terms.network
    assert network is not None
    steps = [b - a for a, b in zip(prices, prices[1:], strict=False)]
    scaled = [(prices[-1] - terms.target) / network.unit_deviation, *(c / network.unit_change for c in reversed(steps))]
    return [1.0, *(float(x) for x in scaled)]


def design(terms: PredictionTerms, histories: Sequence[History]) -> tuple[Matrix, Matrix]:
    """All rows of some histories: inputs (K + 1) × n and targets 1 × n, in public scales."""
    network = terms.network
    assert network is not None
    inputs, targets = [], []
    for history in histories:
        prices = history.prices
        for t in range(terms.lags, len(prices)):
            inputs.append(inputs_of(terms, prices[t - terms.lags : t]))
            targets.append(float((prices[t] - prices[t - 1]) / network.unit_change))
    return np.array(inputs).T, np.array([targets])


@lru_cache(maxsize=32)
def _demand(prediction: Prediction, parties: int, threshold: int, security: str) -> Demand:
    return dry_run(prediction.program(prediction.participants), parties, threshold, security)
