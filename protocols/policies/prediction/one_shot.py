"""A prediction from proven Gram sums: one session, and every sum comes from committed prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Relations
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.policies.prediction.gram import Regression, moment_relations, moments, pairs, regress, root_mean
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.instance import Field, Prediction


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
