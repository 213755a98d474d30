"""Ridge regression from Gram sums of private price histories.

A party's prices, as deviations e_t from the target, give one row per period t = K+1 … n:
    y_t = c_t,   a_t = (1, e_{t−1}, c_{t−1}, …, c_{t−K+1}),   c_t = e_t − e_{t−1}
so a prediction is linear in the last K prices, and the coefficient of e_{t−1} is the pull back to the target. The party
commits to its moments Σ_t e_{t−j}·e_{t−k} (0 ≤ j ≤ k ≤ K); sums over all parties are opened, and
    w = (Σ a aᵀ + ε·diag(Σ a aᵀ))^{-1} Σ a y      (the constant is not penalised)
follows from them exactly. Source: section 5 of the paper with one layer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tacita.crypto.proofs.quadratic import Quadratic
from tacita.crypto.proofs.range import Linear
from tacita.protocols.policies.prediction.exact import ridge


@lru_cache(maxsize=32)
def pairs(lags: int) -> tuple[tuple[int, int], ...]:
    """(j, k) of every moment Σ_t e_{t−j}·e_{t−k}, in the order of commitment."""
    return tuple((j, k) for j in range(lags + 1) for k in range(j, lags + 1))


def moments(prices: Sequence[int], lags: int) -> list[int]:
    """A party's moments."""
    periods = range(lags, len(prices))
    return [sum(prices[t - j] * prices[t - k] for t in periods) for j, k in pairs(lags)]


def moment_relations(prices: Sequence[Linear], claimed: Sequence[Linear], lags: int) -> list[Quadratic]:
    """Σ_t e_{t−j}·e_{t−k} − moment = 0, one relation per moment; every price is a single witness integer."""
    relations = []
    index = [price.terms[0][0] for price in prices]
    for (j, k), moment in zip(pairs(lags), claimed, strict=True):
        products = tuple((index[t - j], index[t - k], 1) for t in range(lags, len(prices)))
        relations.append(Quadratic(products, tuple((i, -a) for i, a in moment.terms)))
    return relations


@dataclass(frozen=True)
class Regression:
    """What the opened sums say. Prices in units of the terms, changes per period."""

    rows: int
    intercept: Fraction
    """In price units."""
    deviation: Fraction
    """Coefficient of e_{t−1}: negative pulls back to the target."""
    changes: tuple[Fraction, ...]
    """Coefficients of c_{t−1}, …, c_{t−K+1}."""
    total: Fraction
    """Σ y²."""
    residual: Fraction
    """Σ (y − w·a)²."""

    def change(self, latest: Sequence[Fraction]) -> Fraction:
        """The predicted change after the deviations `latest`, oldest first."""
        steps = [b - a for a, b in zip(latest, latest[1:], strict=False)]
        return (
            self.intercept
            + self.deviation * latest[-1]
            + sum((w * c for w, c in zip(self.changes, reversed(steps), strict=True)), Fraction(0))
        )


def regress(rows: int, first: Sequence[int], second: Sequence[int], lags: int, epsilon: Fraction) -> Regression:
    """The regression of Σ_t e_{t−j} (`first`, j = 0 … K) and of the moments (`second`, in the order of `pairs`)."""
    size = lags + 2
    moment = [[0] * size for _ in range(size)]  # of (1, e_t, e_{t−1}, …, e_{t−K})
    moment[0][0] = rows
    for j, x in enumerate(first):
        moment[0][j + 1] = moment[j + 1][0] = x
    for (j, k), x in zip(pairs(lags), second, strict=True):
        moment[j + 1][k + 1] = moment[k + 1][j + 1] = x
    # 1, e_{t−1}, c_{t−1} … c_{t−K+1}, and last y = c_t, as combinations of these.
    basis = [{0: 1}, {2: 1}, *({j + 1: 1, j + 2: -1} for j in range(1, lags)), {1: 1, 2: -1}]
    gram = [
        [sum(x * y * moment[i][j] for i, x in left.items() for j, y in right.items()) for right in basis]
        for left in basis
    ]
    last = len(basis) - 1
    kept = [i for i in range(last) if gram[i][i]]  # what never moves predicts nothing
    penalty = [Fraction(0) if i == 0 else epsilon * gram[i][i] for i in kept]
    solution = ridge([[gram[i][j] for j in kept] for i in kept], [[gram[i][last]] for i in kept], penalty)
    weights = dict.fromkeys(range(last), Fraction(0)) | {i: row[0] for i, row in zip(kept, solution, strict=True)}
    explained = sum(w * gram[i][last] for i, w in weights.items())
    fitted = sum(v * w * gram[i][j] for i, v in weights.items() for j, w in weights.items())
    return Regression(
        rows=rows,
        intercept=weights[0],
        deviation=weights[1],
        changes=tuple(weights[i] for i in range(2, last)),
        total=Fraction(gram[last][last]),
        residual=Fraction(gram[last][last] - 2 * explained + fitted),
    )


def root_mean(total: Fraction, rows: int) -> float:
    """√(total/rows)."""
    return math.sqrt(total / rows)
