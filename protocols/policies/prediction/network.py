"""A neural network trained by ADMM on data that stay with their owners (section 5 of the paper, corrected).

Layers z_l = W_l·a_{l−1}, a_l = relu(z_l), output z_L. Each owner keeps a, z and the multiplier λ; only Σ z_l·a_{l−1}ᵀ
and Σ a_{l−1}·a_{l−1}ᵀ over all owners are needed. One iteration, l = 1 … L:
    W_l = (Σ z_l a_{l−1}ᵀ)(Σ a_{l−1} a_{l−1}ᵀ + εI)^{-1}                                  (5.8) has a_{l+1}: wrong shape
    l < L:  a_l = (β W_{l+1}ᵀW_{l+1} + γI)^{-1}(β W_{l+1}ᵀ z_{l+1} + γ relu(z_l))            (5.9)
            z_l = argmin γ|a_l − relu(z)|² + β|z − W_l a_{l−1}|², elementwise the cheaper of the branches z ≥ 0, z ≤ 0
    l = L:  z_L = argmin loss(z, y) + λ·z + β|z − W_L a_{L−1}|²;  after `warm` iterations λ += β(z_L − W_L a_{L−1})
All local steps follow from the owner's data and the public weights, so an owner can repeat them at any time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.protocols.policies.prediction.exact import ridge

Matrix = Any
"""Two-dimensional numpy array of floats."""
RIDGE = Fraction(1, 10**6)
"""ε relative to the mean of the diagonal."""


@dataclass(frozen=True)
class Settings:
    """Public parameters of a training."""

    widths: tuple[int, ...]
    """Inputs, hidden layers, output."""
    beta: float = 1.0
    gamma: float = 10.0
    warm: int = 5
    loss: str = "squared"
    """"squared", or "hinge" for targets ±1."""

    @property
    def layers(self) -> int:
        """L."""
        return len(self.widths) - 1


def initial_weights(widths: Sequence[int], seed: int) -> list[Matrix]:
    """Uniform with variance 1/fan-in, the same on every machine."""
    entropy = SeededEntropy(f"network/{seed}")
    weights = []
    for fan_in, fan_out in zip(widths, widths[1:], strict=False):
        draws = [random_below(entropy, 2**32) / 2**31 - 1 for _ in range(fan_in * fan_out)]
        weights.append(np.array(draws).reshape(fan_out, fan_in) * math.sqrt(3 / fan_in))
    return weights


def relu(z: Matrix) -> Matrix:
    """max(z, 0)."""
    return np.maximum(z, 0)


def output(weights: Sequence[Matrix], inputs: Matrix) -> Matrix:
    """The network's answer, 1 × n, for inputs d × n."""
    a = inputs
    for w in weights[:-1]:
        a = relu(w @ a)
    return weights[-1] @ a


def answer(weights: Sequence[Matrix], inputs: Sequence[float]) -> float:
    """`output` for one input and one output neuron, with sums that are rounded once: the same bits everywhere."""
    a = list(inputs)
    for n, w in enumerate(weights):
        z = [math.fsum(float(x) * y for x, y in zip(row, a, strict=True)) for row in w]
        a = z if n == len(weights) - 1 else [max(x, 0.0) for x in z]
    return a[0]


class Learner:
    """One owner's side of the training: inputs d × n, targets 1 × n, and what the iterations made of them."""

    def __init__(self, settings: Settings, inputs: Matrix, targets: Matrix, weights: Sequence[Matrix]) -> None:
        self.settings, self.targets, self.weights = settings, targets, list(weights)
        self.step = 0
        self.activations, self.outputs = [inputs], []  # a_0 … a_{L−1}, z_1 … z_L
        for w in weights:
            self.outputs.append(w @ self.activations[-1])
            if len(self.outputs) < settings.layers:
                self.activations.append(relu(self.outputs[-1]))
        self.multiplier = np.zeros_like(self.outputs[-1])

    @property
    def layer(self) -> int:
        """The layer, from 0, whose weights are next."""
        return self.step % self.settings.layers

    def sums(self) -> tuple[Matrix, Matrix]:
        """z_l·a_{l−1}ᵀ and a_{l−1}·a_{l−1}ᵀ: all that leaves the owner."""
        z, a = self.outputs[self.layer], self.activations[self.layer]
        return z @ a.T, a @ a.T

    def adopt(self, weights: Matrix) -> None:
        """Take the layer's weights and make the local updates that follow them."""
        s, layer = self.settings, self.layer
        self.weights[layer] = weights
        predicted = weights @ self.activations[layer]
        if layer < s.layers - 1:
            following = self.weights[layer + 1]
            left = s.beta * following.T @ following + s.gamma * np.eye(following.shape[1])
            right = s.beta * following.T @ self.outputs[layer + 1] + s.gamma * relu(self.outputs[layer])
            self.activations[layer + 1] = np.linalg.solve(left, right)
            self.outputs[layer] = self._hidden(self.activations[layer + 1], predicted)
        else:
            self.outputs[layer] = self._last(predicted)
            if self.step // s.layers >= s.warm:
                self.multiplier = self.multiplier + s.beta * (self.outputs[layer] - predicted)
        self.step += 1

    def _hidden(self, a: Matrix, predicted: Matrix) -> Matrix:
        beta, gamma = self.settings.beta, self.settings.gamma
        above = np.maximum((gamma * a + beta * predicted) / (gamma + beta), 0)
        below = np.minimum(predicted, 0)
        cost_above = gamma * (a - above) ** 2 + beta * (above - predicted) ** 2
        cost_below = gamma * a**2 + beta * (below - predicted) ** 2
        return np.where(cost_above <= cost_below, above, below)

    def _last(self, predicted: Matrix) -> Matrix:
        beta, y = self.settings.beta, self.targets
        if self.settings.loss == "squared":
            return (2 * y + 2 * beta * predicted - self.multiplier) / (2 + 2 * beta)
        inactive = predicted - self.multiplier / (2 * beta)
        active = inactive + y / (2 * beta)
        return np.where(y * inactive >= 1, inactive, np.where(y * active <= 1, active, y))


def new_weights(cross: Sequence[Sequence[int]], gram: Sequence[Sequence[int]]) -> Matrix:
    """W = (Σ z aᵀ)(Σ a aᵀ + εI)^{-1} from sums of integers at one scale, solved exactly: the same bits everywhere."""
    size = len(gram)
    penalty = RIDGE * sum(gram[i][i] for i in range(size)) / size
    right = [[row[i] for row in cross] for i in range(size)]
    if penalty == 0:
        return np.zeros((len(cross), size))  # all activations are zero
    return np.array([[float(x) for x in row] for row in ridge(gram, right, [penalty] * size)]).T


def summed(cross: Sequence[Matrix], gram: Sequence[Matrix]) -> Matrix:
    """The same from the owners' sums in floating point."""
    total, left = np.sum(cross, axis=0), np.sum(gram, axis=0)
    return np.linalg.solve(left + float(RIDGE) * np.trace(left) / len(left) * np.eye(len(left)), total.T).T


Combine = Callable[[Sequence[Matrix], Sequence[Matrix]], Matrix]
"""All owners' z·aᵀ and a·aᵀ → new weights."""


def train(learners: Sequence[Learner], iterations: int, combine: Combine = summed) -> list[Matrix]:
    """Iterate with all owners in one place; `combine` adds up what leaves them. Returns the weights."""
    for _ in range(iterations * learners[0].settings.layers):
        parts = [learner.sums() for learner in learners]
        weights = combine([cross for cross, _ in parts], [gram for _, gram in parts])
        for learner in learners:
            learner.adopt(weights)
    return list(learners[0].weights)
