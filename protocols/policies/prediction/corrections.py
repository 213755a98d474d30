"""Corrections to main paper section 5, each with the computation that shows it."""

import numpy as np

from tacita.protocols.policies.corrections import Correction
from tacita.protocols.policies.prediction.evaluation import OWNERS, synthetic
from tacita.protocols.policies.prediction.network import Learner, Matrix, Settings, initial_weights, output, train

SETTINGS = Settings((5, 24, 1))
ITERATIONS = 40


class _PrintedHidden(Learner):
    """Minimises over z what is printed, where the second term holds z_l and does not depend on z."""

    def _hidden(self, a: Matrix, predicted: Matrix) -> Matrix:
        return np.maximum(a, 0)


class _PrintedLast(Learner):
    """Minimises over z what is printed, where ⟨z_L, λ⟩ does not depend on z."""

    def _last(self, predicted: Matrix) -> Matrix:
        beta = self.settings.beta
        return (self.targets + beta * predicted) / (1 + beta)


def _trained(kind: type[Learner]) -> tuple[float, float]:
    """Accuracy after 40 iterations, and the root mean square of z_L − W_L a_{L−1}."""
    inputs, targets = synthetic()
    weights = initial_weights(SETTINGS.widths, 1)
    learners = [kind(SETTINGS, inputs[:, i::OWNERS], targets[:, i::OWNERS], weights) for i in range(OWNERS)]
    trained = train(learners, ITERATIONS)
    missed = [learner.outputs[-1] - learner.weights[-1] @ learner.activations[-1] for learner in learners]
    accuracy = float(np.mean(np.sign(output(trained, inputs)) == targets))
    return accuracy, float(np.sqrt(np.mean(np.hstack(missed) ** 2)))


def _pseudo_inverse() -> str:
    inputs, targets = synthetic()
    learner = Learner(SETTINGS, inputs, targets, initial_weights(SETTINGS.widths, 1))
    following = learner.weights[1] @ learner.activations[1]
    printed = learner.outputs[0] @ np.linalg.pinv(following)
    corrected = learner.outputs[0] @ np.linalg.pinv(inputs)
    return f"W_1 must be {learner.weights[0].shape}: z_1·a_2⁺ has shape {printed.shape}, z_1·a_0⁺ has {corrected.shape}"


def _hidden() -> str:
    printed, corrected = _trained(_PrintedHidden)[0], _trained(Learner)[0]
    return (
        f"sign(x1·x2 + 0.3·x3) with a 5-24-1 network after {ITERATIONS} iterations: {printed:.3f} right as printed, "
        f"{corrected:.3f} corrected"
    )


def _last() -> str:
    printed, corrected = _trained(_PrintedLast)[1], _trained(Learner)[1]
    return (
        f"root mean square of z_L − W_L a_(L−1) after {ITERATIONS} iterations: {printed:.4f} as printed, where λ has "
        f"no effect, {corrected:.4f} corrected"
    )


CORRECTIONS = (
    Correction(
        id="prediction.pseudo_inverse",
        where="section 5, (5.8) and Algorithm 1",
        printed="W_l ← z_l·a_{l+1}⁺",
        corrected="W_l ← z_l·a_{l−1}⁺, as Gram sums (Σ z_l a_{l−1}ᵀ)(Σ a_{l−1} a_{l−1}ᵀ + εI)⁻¹",
        evidence=_pseudo_inverse,
    ),
    Correction(
        id="prediction.hidden_step",
        where="section 5, z-update of Algorithm 1",
        printed="argmin_z γ‖a_l − h(z)‖² + β‖z_l − W_l a_{l−1}‖²",
        corrected="argmin_z γ‖a_l − h(z)‖² + β‖z − W_l a_{l−1}‖²",
        evidence=_hidden,
    ),
    Correction(
        id="prediction.last_step",
        where="section 5, Algorithm 1, last update",
        printed="z_l ← argmin_z l(z, y) + ⟨z_L, λ⟩ + β‖z − W_L a_{l−1}‖²",
        corrected="z_L ← argmin_z l(z, y) + ⟨z, λ⟩ + β‖z − W_L a_{L−1}‖²",
        evidence=_last,
    ),
)
