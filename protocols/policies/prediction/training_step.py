"""One step of a network's training: the weights of one layer, from sums that nothing ties to data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Linear, Relations
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.instance import Field, Prediction
from tacita.protocols.policies.prediction.network import Learner, Matrix, answer, initial_weights, new_weights
from tacita.protocols.policies.prediction.terms import LARGEST_WEIGHT, PredictionTerms

ONE = 1 << FRACTION


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
