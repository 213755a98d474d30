"""The same predictions by other means, from all histories in one place: the oracle of tests and of --plain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.network import Learner, Matrix, initial_weights, output, summed
from tacita.protocols.policies.prediction.terms import PredictionTerms
from tacita.protocols.policies.prediction.training_step import design, inputs_of


@dataclass(frozen=True)
class Linear:
    """A fitted linear predictor in the caller's units: intercept, deviation, changes."""

    weights: Matrix

    def change(self, rows: Matrix) -> Matrix:
        """Predicted changes for rows n × d."""
        return rows @ self.weights


def rows_of(prices: Sequence[float], lags: int, target: float) -> tuple[Matrix, Matrix]:
    """Rows (1, deviation, changes) n × (K + 1) and the changes that followed, n."""
    p = np.asarray(prices, dtype=float)
    steps = np.diff(p)
    rows = [[1.0, p[t - 1] - target, *(steps[t - 1 - j] for j in range(1, lags))] for t in range(lags, len(p))]
    return np.array(rows), steps[lags - 1 :]


def fit(rows: Matrix, changes: Matrix, ridge: float) -> Linear:
    """Least squares with ridge·|column|²·w² added for every column but the first, by orthogonal factors of the
    stacked system: no Gram matrix is formed."""
    norms = np.sqrt(ridge) * np.linalg.norm(rows, axis=0)
    norms[0] = 0
    stacked = np.vstack([rows, np.diag(norms)])
    return Linear(np.linalg.lstsq(stacked, np.concatenate([changes, np.zeros(len(norms))]), rcond=None)[0])


def solve_plain(terms: PredictionTerms, histories: Mapping[str, History]) -> dict[str, Any]:
    """What the session publishes, in floating point: weights and, if the terms want it, the forecast."""
    latest = [
        sum((h.prices[i - terms.lags] for h in histories.values()), Fraction(0)) / len(histories)
        for i in range(terms.lags)
    ]
    target = float(terms.target)
    if terms.method == "gram":
        parts = [rows_of([float(p) for p in h.prices], terms.lags, target) for h in histories.values()]
        found = fit(np.vstack([r for r, _ in parts]), np.concatenate([c for _, c in parts]), float(terms.ridge))
        step = found.change(_last_row([float(p) for p in latest], target))
        result: dict[str, Any] = {"weights": [float(w) for w in found.weights]}
    else:
        weights, known = network_step(terms, list(histories.values()))
        assert terms.network is not None
        step = output(known, np.array([inputs_of(terms, latest)]).T)[0, 0] * float(terms.network.unit_change)
        result = {"weights": [float(w) for w in weights.reshape(-1)]}
    if terms.forecast:
        low, high = (float(p) for p in terms.price)
        result["forecast"] = float(np.clip(float(latest[-1]) + float(step), low, high))
    return result


def _last_row(latest: Sequence[float], target: float) -> Matrix:
    steps = np.diff(latest)
    return np.array([1.0, latest[-1] - target, *steps[::-1]])


def network_step(terms: PredictionTerms, histories: Sequence[History]) -> tuple[Matrix, list[Matrix]]:
    """The next weights with all data at one owner, and the weights of all layers after the step."""
    assert terms.network is not None
    start = initial_weights(terms.widths, terms.network.seed)
    learner = Learner(terms.settings, *design(terms, histories), start)
    for weights in terms.steps:
        learner.adopt(weights)
    cross, gram = learner.sums()
    layer = learner.layer
    weights = summed([cross], [gram])
    learner.adopt(weights)
    return learner.weights[layer], learner.weights


def gap(terms: PredictionTerms, histories: Mapping[str, History], outcome: Mapping[str, Any]) -> dict[str, float]:
    """Largest distance of the published outcome from the plain solution."""
    plain = solve_plain(terms, histories)
    found = outcome["weights"]
    if terms.method == "gram":
        flat = [found["intercept"], found["deviation"], *found["changes"]]
    else:
        flat = [x for row in found for x in row]
    gaps = {"weights": max(abs(a - b) for a, b in zip(flat, plain["weights"], strict=True))}
    if "forecast" in plain:
        gaps["forecast"] = abs(outcome["forecast"] - plain["forecast"])
    return gaps
