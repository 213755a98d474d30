"""The terms of a prediction and what follows from them: units, integer bounds, network settings.

Prices are counted as deviations from a public target in units of 2^(e − f), where 2^e is above every deviation that the
bounds allow: whatever the currency, a price is an integer below 2^f.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.prediction.network import Matrix, Settings
from tacita.protocols.terms import Table, plain

LARGEST = 1e12
MIN_PARTIES, MAX_PARTIES = 3, 64
MAX_LAGS, MAX_PRICES, MAX_HIDDEN = 16, 512, 64
MAX_STEPS = 1000
"""Steps of one training: iterations times layers."""
MAX_WEIGHTS = 60_000
"""Of all steps together: every session's terms repeat them, and the terms must fit into JSON_VALUES."""
LARGEST_WEIGHT = 1e6


@dataclass(frozen=True)
class NetworkTerms:
    """Everything public about a training, and where it stands."""

    hidden: int
    seed: int
    beta: Fraction
    gamma: Fraction
    warm: int
    unit_deviation: Fraction
    unit_change: Fraction
    limit: Fraction
    """No activation of any party may exceed this; bounds the sums."""
    history: tuple[tuple[float, ...], ...]
    """The weights of all steps so far, row by row: step s updated layer s mod 2."""

    @staticmethod
    def read(table: Table, price: Fraction, change: Fraction) -> "NetworkTerms":
        """From [network]; raises CallerMistake."""
        scale = Table("network.scale", table.get("scale", {}))
        terms = NetworkTerms(
            hidden=table.integer("hidden", 4, 1, MAX_HIDDEN),
            seed=table.integer("seed", 1, 0, 2**31),
            beta=table.number("beta", 1, 1e-3, 1e3),
            gamma=table.number("gamma", 10, 1e-3, 1e3),
            warm=table.integer("warm", 5, 0, MAX_STEPS),
            unit_deviation=scale.number("deviation", price, 1e-9, LARGEST),
            unit_change=scale.number("change", change, 1e-9, LARGEST),
            limit=table.number("limit", 64, 1, 2**20),
            history=_history(table.get("history", [])),
        )
        scale.finish()
        table.finish()
        return terms

    def canonical(self) -> dict[str, Any]:
        """All keys."""
        return {
            "hidden": self.hidden,
            "seed": self.seed,
            "beta": plain(self.beta),
            "gamma": plain(self.gamma),
            "warm": self.warm,
            "scale": {"deviation": plain(self.unit_deviation), "change": plain(self.unit_change)},
            "limit": plain(self.limit),
            "history": [list(row) for row in self.history],
        }


@dataclass(frozen=True)
class PredictionTerms:
    """Everything public about the prediction, in the caller's units."""

    method: str
    """"gram" or "network"."""
    lags: int
    """How many past prices a prediction uses."""
    ridge: Fraction
    """ε relative to the diagonal of the Gram matrix."""
    forecast: bool
    """Whether the parties' mean latest prices are opened and the next price is published."""
    price: tuple[Fraction, Fraction]
    change: Fraction
    """Largest |p_t − p_{t−1}|."""
    target: Fraction
    network: NetworkTerms | None

    @staticmethod
    def read(tree: Mapping[str, Any]) -> "PredictionTerms":
        """From [prediction], [bounds] and, for a network, [network]; raises CallerMistake."""
        table, bounds = Table("prediction", tree.get("prediction", {})), Table("bounds", tree.get("bounds", {}))
        price = bounds.interval("price", None, -LARGEST, LARGEST)
        if price[0] == price[1]:
            raise CallerMistake("[bounds] price allows only one value; widen it")
        change = bounds.number("change", None, 0, LARGEST)
        if not 0 < change <= price[1] - price[0]:
            raise CallerMistake("[bounds] change must be above 0 and at most the width of price; correct the terms")
        target = table.number("target", (price[0] + price[1]) / 2, float(price[0]), float(price[1]))
        method = table.text("method", "gram", ("gram", "network"))
        if method == "gram" and "network" in tree:
            raise CallerMistake('[network] belongs to [prediction] method = "network"; remove the section')
        span = max(target - price[0], price[1] - target)
        network = NetworkTerms.read(Table("network", tree.get("network", {})), span, change)
        terms = PredictionTerms(
            method=method,
            lags=table.integer("lags", 4, 1, MAX_LAGS),
            ridge=table.number("ridge", "1/1000000", 1e-12, 1e6),
            forecast=table.flag("forecast", True),
            price=price,
            change=change,
            target=target,
            network=network if method == "network" else None,
        )
        table.finish()
        bounds.finish()
        if terms.network:
            terms._check_history(terms.network)
        return terms

    def check_steps(self, steps: int) -> None:
        """Refuse a training of so many steps if its weights do not fit into the terms; raises CallerMistake."""
        inputs, hidden, outputs = self.widths
        weights = (steps + 1) // 2 * inputs * hidden + steps // 2 * hidden * outputs
        if steps > MAX_STEPS or weights > MAX_WEIGHTS:
            raise CallerMistake(
                f"a training of {steps} steps has {weights} weights, and its last terms hold all of them: at most "
                f"{MAX_STEPS} steps and {MAX_WEIGHTS} weights fit; choose fewer iterations, lags or hidden neurons"
            )

    def _check_history(self, network: NetworkTerms) -> None:
        self.check_steps(len(network.history))
        widths = self.widths
        for s, row in enumerate(network.history):
            layer = s % 2
            if len(row) != widths[layer] * widths[layer + 1]:
                raise CallerMistake(
                    f"[network] history: step {s + 1} has {len(row)} weights where the layer has "
                    f"{widths[layer] * widths[layer + 1]}; leave history to tacita train"
                )

    def canonical(self) -> dict[str, Any]:
        """All sections with every key that applies."""
        sections: dict[str, Any] = {
            "prediction": {
                "method": self.method,
                "lags": self.lags,
                "ridge": plain(self.ridge),
                "forecast": self.forecast,
                "target": plain(self.target),
            },
            "bounds": {"price": [plain(p) for p in self.price], "change": plain(self.change)},
        }
        if self.network:
            sections["network"] = self.network.canonical()
        return sections

    # ---- normalised units -------------------------------------------------------------------------------------

    @cached_property
    def unit(self) -> Fraction:
        """What one unit of a committed price is worth: 2^(e − f)."""
        span = max(self.target - self.price[0], self.price[1] - self.target)
        exponent = span.numerator.bit_length() - span.denominator.bit_length() + 1  # 2^exponent > span
        return Fraction(2) ** (exponent - FRACTION)

    def units(self, price: Fraction) -> int:
        """The committed integer of a price."""
        return round((price - self.target) / self.unit)

    @property
    def price_units(self) -> tuple[int, int]:
        """Least and largest committed price."""
        return self.units(self.price[0]), self.units(self.price[1])

    @property
    def change_units(self) -> int:
        """Largest difference of neighbouring committed prices: rounding moves each by half a unit at most."""
        return int(self.change / self.unit) + 1

    # ---- network ----------------------------------------------------------------------------------------------

    @property
    def widths(self) -> tuple[int, int, int]:
        """Inputs (constant, deviation, changes), hidden neurons, output."""
        assert self.network is not None
        return self.lags + 1, self.network.hidden, 1

    @property
    def settings(self) -> Settings:
        """The training's parameters."""
        network = self.network
        assert network is not None
        return Settings(self.widths, float(network.beta), float(network.gamma), network.warm)

    @property
    def steps(self) -> list[Matrix]:
        """The weights of the steps so far, in shape."""
        assert self.network is not None
        widths = self.widths
        return [np.array(row).reshape(widths[s % 2 + 1], widths[s % 2]) for s, row in enumerate(self.network.history)]

    def after(self, weights: Matrix) -> "PredictionTerms":
        """The terms of the next step."""
        assert self.network is not None
        row = tuple(float(x) for x in weights.reshape(-1))
        return replace(self, network=replace(self.network, history=(*self.network.history, row)))


def _history(value: Any) -> tuple[tuple[float, ...], ...]:
    if not isinstance(value, list) or any(not isinstance(row, list) for row in value):
        raise CallerMistake("[network] history must be a list of lists of weights; leave it to tacita train")
    for row in value:
        if any(type(x) is not float or not -LARGEST_WEIGHT <= x <= LARGEST_WEIGHT for x in row):
            raise CallerMistake("[network] history holds something else than weights; leave it to tacita train")
    return tuple(tuple(row) for row in value)
