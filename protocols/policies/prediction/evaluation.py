"""How well the predictors do on a series they have not seen: fit on the first 70 %, predict the rest step by step.

Directions count only where the series moves. The naive rule is the best of four on the training part: always up, always
down, the last change repeats, it reverses. Differences are judged row by row: a mean difference of more than two
standard errors counts as a difference.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.protocols.policies.prediction.network import Learner, Matrix, Settings, initial_weights, output, train
from tacita.protocols.policies.prediction.plain import fit, rows_of

LAGS, HIDDEN, ITERATIONS, SEEDS, TRAINING = 6, 16, 60, (1, 2, 3), 0.7
RIDGE = 1e-6
OWNERS = 4
"""Between how many parties the training rows are divided; the weights do not depend on it."""


@dataclass(frozen=True)
class Score:
    """One predictor on the test part."""

    hits: Matrix
    """Per row that moves at all 1 for a right direction; of a network the mean over its seeds."""
    errors: Matrix
    """Per row the squared error of the change."""

    @property
    def accuracy(self) -> float:
        """Share of right directions."""
        return float(np.mean(self.hits))

    @property
    def root_mean_square(self) -> float:
        """Of the error of the change, in units of the series."""
        return math.sqrt(float(np.mean(self.errors)))


@dataclass(frozen=True)
class Evaluation:
    """All predictors on one series."""

    name: str
    training: int
    test: int
    rule: str
    """The naive rule that did best on the training part."""
    scores: Mapping[str, Score]
    """By "network", "linear" and "naive"; naive predicts a direction by the rule and no change."""
    networks: tuple[float, ...]
    """The direction accuracy of every seed."""

    def verdict(self, first: str, second: str, what: str = "hits") -> str:
        """ "better", "worse" or "same": `first` against `second`, by direction or by squared error."""
        sign = 1 if what == "hits" else -1
        gain = sign * (getattr(self.scores[first], what) - getattr(self.scores[second], what))
        error = float(np.std(gain, ddof=1)) / math.sqrt(len(gain))
        mean = float(np.mean(gain))
        return "same" if abs(mean) <= 2 * error else ("better" if mean > 0 else "worse")


def evaluate(name: str, values: Sequence[float], lags: int = LAGS) -> Evaluation:
    """Fit and test all predictors."""
    split = int(TRAINING * (len(values) - lags))
    target = float(np.mean(values[: split + lags]))
    rows, changes = rows_of(values, lags, target)
    past, future = slice(0, split), slice(split, None)
    up, moves = changes > 0, changes != 0

    def right(direction: Matrix, part: slice) -> Matrix:
        return ((direction > 0) == up)[part][moves[part]].astype(float)

    def score(predicted: Matrix, direction: Matrix | None = None) -> Score:
        hits = right(predicted if direction is None else direction, future)
        return Score(hits, ((predicted - changes) ** 2)[future])

    last = rows[:, 2]
    rules = {"always up": np.ones(len(last)), "always down": -np.ones(len(last)), "repeats": last, "reverses": -last}
    rule = max(rules, key=lambda r: float(np.mean(right(rules[r], past))))
    linear = score(fit(rows[past], changes[past], RIDGE).change(rows))
    networks = [score(_network(rows, changes, past, seed)) for seed in SEEDS]
    network = Score(np.mean([s.hits for s in networks], axis=0), np.mean([s.errors for s in networks], axis=0))
    scores = {"network": network, "linear": linear, "naive": score(np.zeros(len(changes)), rules[rule])}
    return Evaluation(name, split, len(changes) - split, rule, scores, tuple(s.accuracy for s in networks))


def _network(rows: Matrix, changes: Matrix, past: slice, seed: int) -> Matrix:
    """Predicted changes of all rows by a network trained on the past ones, divided between owners."""
    inputs = rows.copy()
    inputs[:, 1:] = (rows[:, 1:] - rows[past, 1:].mean(axis=0)) / rows[past, 1:].std(axis=0)
    scale = changes[past].std()
    settings = Settings((rows.shape[1], HIDDEN, 1))
    weights = initial_weights(settings.widths, seed)
    parts = np.array_split(np.arange(past.stop), OWNERS)
    learners = [Learner(settings, inputs[i].T, changes[None, i] / scale, weights) for i in parts]
    return output(train(learners, ITERATIONS), inputs.T)[0] * scale


# ---- the synthetic test -------------------------------------------------------------------------------------------


def synthetic(rows: int = 600, seed: int = 1) -> tuple[Matrix, Matrix]:
    """Inputs (4 Gaussian features and 1, 5 × n) and targets sign(x₁·x₂ + 0.3·x₃), 1 × n: no linear rule sees x₁·x₂."""
    entropy = SeededEntropy(f"synthetic/{seed}")
    draws = np.array([(random_below(entropy, 2**32) + 0.5) / 2**32 for _ in range(8 * rows)]).reshape(2, 4, rows)
    x = np.sqrt(-2 * np.log(draws[0])) * np.cos(2 * math.pi * draws[1])
    return np.vstack([x, np.ones(rows)]), np.where(x[0] * x[1] + 0.3 * x[2] > 0, 1.0, -1.0)[None]


def synthetic_accuracy(loss: str, iterations: int = 40, seed: int = 1) -> dict[str, Any]:
    """Accuracy on its own training data of a 5-24-1 network after `iterations`, and of least squares."""
    inputs, targets = synthetic()
    settings = Settings((5, 24, 1), loss=loss)
    weights = initial_weights(settings.widths, seed)
    learners = [Learner(settings, inputs[:, i::OWNERS], targets[:, i::OWNERS], weights) for i in range(OWNERS)]
    trained = train(learners, iterations)
    linear = np.linalg.lstsq(inputs.T, targets[0], rcond=None)[0]
    return {
        "network": float(np.mean(np.sign(output(trained, inputs)) == targets)),
        "linear": float(np.mean(np.sign(linear @ inputs) == targets[0])),
    }
