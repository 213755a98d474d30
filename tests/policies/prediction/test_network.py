"""The network's updates by their optimality conditions, and training: divided data give the same weights."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from tacita.cli.model_prediction import read_series
from tacita.deploy.attack.engines import secure
from tacita.protocols.policies.prediction.evaluation import evaluate, synthetic, synthetic_accuracy
from tacita.protocols.policies.prediction.network import (
    Learner,
    Matrix,
    Settings,
    answer,
    initial_weights,
    new_weights,
    output,
    relu,
    summed,
    train,
)

WIDTHS = (5, 24, 1)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "prediction.md"


def learners(parties: int, loss: str = "squared", widths: tuple[int, ...] = WIDTHS) -> list[Learner]:
    inputs, targets = synthetic()
    settings, weights = Settings(widths, loss=loss), initial_weights(widths, 1)
    return [Learner(settings, inputs[:, i::parties], targets[:, i::parties], weights) for i in range(parties)]


def distance(a: list[Matrix], b: list[Matrix]) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def integers(parts: list[Matrix]) -> list[list[list[int]]]:
    return [[[round(float(x) * 2**32) for x in row] for row in part] for part in parts]


def quantised(cross: list[Matrix], gram: list[Matrix]) -> Matrix:
    """What a session computes from the parties' sums: integers at 32 fractional bits, solved exactly."""
    total = [np.array(integers(part), dtype=object).sum(axis=0).tolist() for part in (cross, gram)]
    return new_weights(total[0], total[1])


@pytest.mark.parametrize("loss", ["squared", "hinge"])
def test_divided_data_give_central_weights_after_40_iterations(loss: str) -> None:
    central = train(learners(1, loss), 40)
    assert distance(train(learners(4, loss), 40), central) < 1e-9
    assert distance(train(learners(4, loss), 40, quantised), central) < 1e-6


def test_secure_sums_of_real_engines_give_central_weights() -> None:
    """Two iterations of the 5-24-1 network with every sum formed by three engines."""

    def through_engines(cross: list[Matrix], gram: list[Matrix]) -> Matrix:
        parts = [
            [*np.array(c, dtype=object).reshape(-1), *np.array(g, dtype=object).reshape(-1)]
            for c, g in zip(integers(cross), integers(gram), strict=True)
        ]
        size = len(parts[0])

        async def program(engine):  # type: ignore[no-untyped-def]
            block = await engine.from_cipher("sums", size * len(parts), 32, -(2**50), 2**50)
            await engine.to_cipher("total", engine.group_sum(block, np.tile(np.arange(size), len(parts)), size))

        total = secure(program, {"sums": [x for part in parts for x in part]}, 3, "sums").outputs["total"]
        rows, columns = cross[0].shape
        first, second = np.split(np.array(total, dtype=object), [rows * columns])
        return new_weights(first.reshape(rows, columns).tolist(), second.reshape(columns, columns).tolist())

    assert distance(train(learners(4), 2, through_engines), train(learners(1), 2)) < 1e-6


def test_reference_accuracies() -> None:
    """economics.md section 5: the network learns what least squares cannot see."""
    page = PAGE.read_text()
    for loss in ("squared", "hinge"):
        found = synthetic_accuracy(loss)
        assert found["network"] >= 0.80 and found["linear"] <= 0.72
        shown = f"{found['network']:.3f} right, least squares {found['linear']:.3f}"
        assert f"with {loss} loss after 40 iterations: {shown}" in page
    inflation = evaluate("inflation", read_series("inflation"))
    shares = [*inflation.networks, inflation.scores["linear"].accuracy, inflation.scores["naive"].accuracy]
    errors = [inflation.scores[name].root_mean_square for name in ("network", "linear", "naive")]
    (row,) = [line.split() for line in page.splitlines() if line.split()[:3] == ["inflation", "137", "60"]]
    assert row[3:] == [*(f"{x:.2f}" for x in shares), inflation.rule, *(f"{x:.3g}" for x in errors)]
    assert inflation.scores["network"].accuracy >= 0.58
    assert inflation.scores["linear"].accuracy >= 0.70


def prepared(loss: str) -> tuple[Learner, Learner]:
    """A learner some steps into a training, and the same one step later."""
    first, second = learners(1, loss)[0], learners(1, loss)[0]
    for learner in (first, second):
        for _ in range(15):
            learner.adopt(summed(*([s] for s in learner.sums())))
    return first, second


@pytest.mark.parametrize("loss", ["squared", "hinge"])
def test_the_last_update_minimises_its_cost(loss: str) -> None:
    before, after = prepared(loss)
    assert before.layer == 1 and before.multiplier.any()
    weights = summed(*([s] for s in before.sums()))
    after.adopt(weights)
    beta, predicted = before.settings.beta, weights @ before.activations[1]
    y, found, multiplier = before.targets, after.outputs[1], before.multiplier

    def cost(z: Matrix) -> Matrix:
        miss = (z - y) ** 2 if loss == "squared" else np.maximum(0, 1 - y * z)
        return miss + multiplier * z + beta * (z - predicted) ** 2

    grid = np.linspace(-6, 6, 4001)[:, None]
    assert np.all(cost(found)[0] <= cost(grid).min(axis=0) + 1e-12)
    assert after.multiplier == pytest.approx(multiplier + beta * (found - predicted))


def test_the_hidden_updates_minimise_their_costs() -> None:
    _, learner = prepared("squared")
    learner.adopt(summed(*([s] for s in learner.sums())))
    assert learner.layer == 0
    s, following, z_next, z = learner.settings, learner.weights[1], learner.outputs[1], learner.outputs[0]
    weights = summed(*([x] for x in learner.sums()))
    predicted = weights @ learner.activations[0]
    learner.adopt(weights)
    a = learner.activations[1]
    # a: the gradient of β|z_{l+1} − W a|² + γ|a − relu(z)|² is zero.
    gradient = s.beta * following.T @ (following @ a - z_next) + s.gamma * (a - relu(z))
    assert np.abs(gradient).max() < 1e-9
    # z: no point of a grid, and no point near, is cheaper.
    found = learner.outputs[0]

    def cost(x: Matrix) -> Matrix:
        return s.gamma * (a - relu(x)) ** 2 + s.beta * (x - predicted) ** 2

    for point in np.linspace(-8, 8, 801):
        assert np.all(cost(found) <= cost(np.full_like(found, point)) + 1e-12)
    i, j = np.unravel_index(np.argmax(np.abs(found)), found.shape)
    best = minimize(lambda x: float(cost(np.full_like(found, x[0]))[i, j]), [found[i, j] + 0.1], method="Nelder-Mead")
    assert cost(found)[i, j] <= best.fun + 1e-9


def test_new_weights_solve_the_least_squares_problem() -> None:
    rng = np.random.default_rng(3)
    a, z = rng.standard_normal((4, 50)), rng.standard_normal((2, 50))
    direct = np.linalg.lstsq(a.T, z.T, rcond=None)[0].T
    assert summed([z @ a.T], [a @ a.T]) == pytest.approx(direct, abs=1e-5)
    assert quantised([z @ a.T], [a @ a.T]) == pytest.approx(summed([z @ a.T], [a @ a.T]), abs=1e-8)


def test_the_printed_pseudo_inverse_has_the_wrong_shape() -> None:
    """(5.8) prints a_{l+1}: its result maps from the layer's own outputs, not from its inputs."""
    learner = learners(1)[0]
    after = learner.weights[1] @ learner.activations[1]
    assert (learner.outputs[0] @ np.linalg.pinv(after)).shape != learner.weights[0].shape
    assert (learner.outputs[0] @ np.linalg.pinv(learner.activations[0])).shape == learner.weights[0].shape


def test_a_single_answer_is_the_networks_output() -> None:
    weights, inputs = initial_weights((3, 6, 1), 4), [1.0, -0.5, 0.25]
    assert answer(weights, inputs) == pytest.approx(output(weights, np.array([inputs]).T)[0, 0], abs=1e-12)
