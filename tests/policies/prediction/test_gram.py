"""The regression from Gram sums: equal to central least squares, on plain and on secure engines."""

from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest

from tacita.deploy.attack.engines import clear, secure
from tacita.protocols.policies.prediction.exact import ridge, solve
from tacita.protocols.policies.prediction.gram import moments, pairs, regress
from tacita.protocols.policies.prediction.plain import gap, rows_of
from tests.policies.prediction.desks import GRAM, case, changed, inputs_csv


def flat(outcome: dict) -> list[float]:
    weights = outcome["weights"]
    return [weights["intercept"], weights["deviation"], *weights["changes"]]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
def test_secure_weights_and_forecast_equal_central_ones_and_those_of_cvxpy(seed: int, epsilon: float) -> None:
    print("seed", seed)
    lags = 1 + seed
    a = case(changed(GRAM, "prediction", lags=lags, ridge=epsilon), inputs_csv(seed))
    sums = secure(a.program, a.engine_inputs, 3, f"gram/{seed}").outputs
    assert sums == clear(a.program, a.engine_inputs)
    outcome = a.instance.outcome(sums)
    assert max(gap(a.instance.terms, a.histories, outcome).values()) < 1e-6
    # An independent solver, on the rows themselves.
    parts = [rows_of([float(p) for p in h.prices], lags, 3.0) for h in a.histories.values()]
    rows, changes = np.vstack([r for r, _ in parts]), np.concatenate([c for _, c in parts])
    w = cp.Variable(rows.shape[1])
    norms = np.linalg.norm(rows[:, 1:], axis=0)
    cost = cp.sum_squares(rows @ w - changes) + epsilon * cp.sum_squares(cp.multiply(norms, w[1:]))
    cp.Problem(cp.Minimize(cost)).solve(solver=cp.CLARABEL)
    assert flat(outcome) == pytest.approx(w.value, abs=1e-5)
    latest = np.mean([[float(p) for p in h.prices[-lags:]] for h in a.histories.values()], axis=0)
    step = w.value @ [1.0, latest[-1] - 3.0, *np.diff(latest)[::-1]]
    assert outcome["forecast"] == pytest.approx(latest[-1] + step, abs=1e-5)
    assert outcome["period"] == 17


def test_distributed_equals_central_to_1e_9_on_the_committed_prices() -> None:
    """The parties' rows pooled in one place, in floating point, give the same weights."""
    a = case(GRAM, inputs_csv(5, 60))
    outcome = a.instance.outcome(clear(a.program, a.engine_inputs))
    unit = float(a.instance.terms.unit)
    prices = [np.array([a.instance.terms.units(p) for p in h.prices], dtype=float) * unit for h in a.histories.values()]
    parts = [rows_of(p, 3, 0.0) for p in prices]
    rows, changes = np.vstack([r for r, _ in parts]), np.concatenate([c for _, c in parts])
    gram = rows.T @ rows
    penalty = np.diag([0.0, *(1e-6 * np.diag(gram)[1:])])
    central = np.linalg.solve(gram + penalty, rows.T @ changes)
    assert flat(outcome) == pytest.approx(central, abs=1e-9)


def test_residual_is_that_of_the_rows() -> None:
    a = case(GRAM, inputs_csv(6, 40))
    outcome = a.instance.outcome(clear(a.program, a.engine_inputs))
    parts = [rows_of([float(p) for p in h.prices], 3, 3.0) for h in a.histories.values()]
    rows, changes = np.vstack([r for r, _ in parts]), np.concatenate([c for _, c in parts])
    left = changes - rows @ flat(outcome)
    found = outcome["root_mean_square"]
    assert found["residual"] == pytest.approx(np.sqrt(np.mean(left**2)), abs=1e-9)
    assert found["change"] == pytest.approx(np.sqrt(np.mean(changes**2)), abs=1e-9)


def test_prices_that_never_move_predict_no_change() -> None:
    text = "party,period,price\n" + "".join(f"{n},{t},3.25\n" for n in ("a", "b", "c") for t in range(1, 9))
    a = case(GRAM, text)
    outcome = a.instance.outcome(clear(a.program, a.engine_inputs))
    assert outcome["forecast"] == pytest.approx(3.25, abs=1e-9)


def test_a_forecast_never_leaves_the_price_bounds() -> None:
    """A price that doubles its distance would go on to 4.2."""
    rows = [f"{n},{t},{3 + 0.05 * 1.7**t:.6f}" for n in ("a", "b", "c") for t in range(1, 6)]
    a = case({**GRAM, "prediction": {"lags": 1, "target": 3.0}}, "party,period,price\n" + "\n".join(rows) + "\n")
    assert a.instance.outcome(clear(a.program, a.engine_inputs))["forecast"] == 4.0


def test_histories_of_different_lengths_and_no_forecast() -> None:
    text = inputs_csv(7, 12) + "dora,40,3.1\n" + "".join(f"dora,{40 + t},{3.1 - 0.01 * t:.2f}\n" for t in range(1, 9))
    a = case(changed(GRAM, "prediction", forecast=False), text)
    outcome = a.instance.outcome(clear(a.program, a.engine_inputs))
    assert outcome["rows"] == 3 * 9 + 6 and "forecast" not in outcome and "latest" not in outcome
    assert max(gap(a.instance.terms, a.histories, outcome).values()) < 1e-6


def test_exact_systems_against_numpy() -> None:
    rng = np.random.default_rng(8)
    a = rng.integers(-1000, 1000, (7, 5))
    matrix, right = a.T @ a, rng.integers(-1000, 1000, (5, 2))
    found = np.array(solve(matrix.tolist(), right.tolist()), dtype=float)
    assert found == pytest.approx(np.linalg.solve(matrix, right), rel=1e-9)
    penalty = [Fraction(n, 7) for n in range(5)]
    damped = np.linalg.solve(matrix + np.diag([float(p) for p in penalty]), right)
    assert np.array(ridge(matrix.tolist(), right.tolist(), penalty), dtype=float) == pytest.approx(damped, rel=1e-9)
    with pytest.raises(ArithmeticError):
        solve([[1, 1], [1, 1]], [[1], [1]])


def test_an_autoregression_without_noise_is_found_exactly() -> None:
    """e_t = e_{t−1}/2 + 3 has no residual; the ridge moves its weights by about ε."""
    prices = [1 << 20]
    for _ in range(20):
        prices.append(prices[-1] // 2 + 3)
    rows, first = len(prices) - 1, [sum(prices[1 - j : len(prices) - j]) for j in range(2)]
    found = regress(rows, first, moments(prices, 1), 1, Fraction(1, 10**9))
    assert pairs(1) == ((0, 0), (0, 1), (1, 1))
    assert float(found.deviation) == pytest.approx(-0.5, abs=1e-5)
    assert float(found.intercept) == pytest.approx(3, abs=1)
