"""The plain oracle and ADMM in floating point: reference numbers, cvxpy on random instances, the closed loop."""

import os
import secrets
from dataclasses import replace

import cvxpy
import numpy as np
import pytest

from tacita.protocols.policies.stabilisation.loop import Controller, closed_loop, linear_market
from tacita.protocols.policies.stabilisation.plain import (
    Optimum,
    Problem,
    all_scenarios,
    consensus,
    optimum,
    problem_of,
)
from tacita.protocols.policies.stabilisation.printed import reference
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms
from tests.policies.stabilisation import references as ref
from tests.policies.stabilisation.instances import random_files

TRACKING = {"penalty": 0.3, "objective_penalty": 0.1}


def problem(files: ref.Files) -> Problem:
    terms, parts = files.read()
    inputs = {name: part.inputs for name, part in parts.items()}
    return problem_of(StabilisationTerms.read(terms.tree), all_scenarios(inputs))


def by_cvxpy(given: Problem) -> tuple[float, float]:
    """(cost, spread of the solver's tolerance) with its own states, ψ and shared controls."""
    count, n = given.scenarios, given.response.shape[2]
    u, psi = cvxpy.Variable((count, n)), cvxpy.Variable(count)
    mean = cvxpy.sum(psi) / count
    states = [given.response[i] @ u[i] + given.free[i] for i in range(count)]
    cost = given.spread_weight * cvxpy.sum_squares(psi - mean)
    limits = [psi[i] == cvxpy.sum(z) for i, z in enumerate(states)]
    for i, z in enumerate(states):
        limits += [u[i] >= given.lower, u[i] <= given.upper, u[i][: given.shared] == u[0][: given.shared]]
        if given.tracking:
            own = cvxpy.sum_squares(z) + cvxpy.sum(cvxpy.multiply(given.control_cost, u[i] ** 2))
            cost += given.weight / count * own
    if not given.tracking:
        cost += given.weight * mean
    task = cvxpy.Problem(cvxpy.Minimize(cost), limits)
    task.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return float(task.value), float(np.abs(u.value).max())


@pytest.mark.parametrize(
    ("files", "cost", "mean", "psi", "control"),
    [
        (ref.P6A, ref.P6A_COST, ref.P6A_MEAN, None, ref.P6A_CONTROL),
        (ref.P6B, ref.P6B_COST, ref.P6B_MEAN, ref.P6B_PSI, None),
        (ref.P6C, ref.P6C_COST, ref.P6C_MEAN, ref.P6C_PSI, ref.P6C_CONTROL),
    ],
    ids=["P6a", "P6b", "P6c"],
)
def test_reference_numbers(
    files: ref.Files, cost: float, mean: float, psi: list[float] | None, control: list[float] | None
) -> None:
    best = optimum(problem(files))
    assert best.cost == pytest.approx(cost, abs=1e-9)
    assert best.mean == pytest.approx(mean, abs=1e-9)
    if psi is not None:
        np.testing.assert_allclose(best.psi, psi, rtol=0, atol=1e-9)
    if control is not None:
        np.testing.assert_allclose(best.controls[0][:2], control, rtol=0, atol=1e-9)


def test_the_reference_in_the_product_is_the_same_as_through_terms_and_files() -> None:
    for files, deviation, tracking in ((ref.P6A, 1.0, False), (ref.P6B, 1.0, True), (ref.P6C, 0.3, True)):
        mine, theirs = problem(files), reference(deviation, tracking)
        np.testing.assert_allclose(mine.response, theirs.response, rtol=0, atol=1e-14)
        np.testing.assert_allclose(mine.free, theirs.free, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("files", "relaxation", "counts"),
    [(ref.P6B, 1.0, (60, 91)), (ref.P6B, 1.6, (38, 58)), (ref.P6C, 1.6, (45, 71))],
    ids=["P6b-1", "P6b-1.6", "P6c-1.6"],
)
def test_iteration_counts(files: ref.Files, relaxation: float, counts: tuple[int, int]) -> None:
    given = problem(files)
    best, errors = optimum(given), []

    def watch(u: np.ndarray, psi: np.ndarray) -> None:
        errors.append(max(np.abs(u - best.controls).max(), np.abs(psi - best.psi).max()))

    consensus(given, **TRACKING, relaxation=relaxation, iterations=300, watch=watch)
    for tolerance, count in zip((1e-4, 1e-6), counts, strict=True):
        assert abs(int(np.nonzero(np.array(errors) > tolerance)[0][-1]) + 1 - count) <= 2
    assert errors[-1] < 1e-10


def test_random_instances_against_cvxpy() -> None:
    seed = int(os.environ.get("TACITA_TEST_SEED") or secrets.randbits(32))
    print(f"TACITA_TEST_SEED={seed}")
    rng = np.random.default_rng(seed)
    for _ in range(12):
        given = problem(random_files(rng))
        mine, (cost, size) = optimum(given), by_cvxpy(given)
        assert mine.cost <= cost + 1e-8 * (1 + abs(cost))
        assert mine.cost >= cost - 1e-7 * (1 + abs(cost)) * (1 + size)
        assert_optimal(given, mine)


def assert_optimal(given: Problem, best: Optimum) -> None:
    """The gradient over the shared and the own controls points out of the box, up to rounding."""
    step, shared = 1e-6, given.shared
    np.testing.assert_array_equal(best.controls[:, :shared], np.tile(best.controls[0, :shared], (given.scenarios, 1)))
    for k in range(given.response.shape[2]):
        for rows in [slice(None)] if k < shared else [slice(i, i + 1) for i in range(given.scenarios)]:
            moved = [best.controls.copy() for _ in range(2)]
            moved[0][rows, k] += step
            moved[1][rows, k] -= step
            slope = (given.objective(moved[0]) - given.objective(moved[1])) / (2 * step)
            at = float(best.controls[rows, k][0])
            scale = 1e-6 * (1 + abs(best.cost)) * (1 + 1 / (given.upper[k] - given.lower[k]))
            if at < given.upper[k] - 1e-6:
                assert slope > -scale
            if at > given.lower[k] + 1e-6:
                assert slope < scale


def test_the_closed_loop_steers_the_price_back_and_carries_out_only_first_steps() -> None:
    terms, parts = ref.P6C.changed("stabilisation", shared=5).read()
    scenarios = all_scenarios({n: p.inputs for n, p in parts.items()})
    controller = Controller(StabilisationTerms.read(terms.tree), scenarios)
    quiet = np.zeros(12)
    periods = closed_loop(controller, linear_market(scenarios[2], quiet), 12)
    deviations = [p.economy.deviation for p in periods]
    left_alone = 0.3 * 0.94 ** np.arange(12)
    assert np.abs(deviations[6:]).max() < np.abs(left_alone[6:]).min()
    for period in periods:
        first = controller.plan(period.economy)[0]
        assert period.decision.outstanding == pytest.approx(period.economy.outstanding * np.exp(first[0]))


def test_a_plan_depends_on_the_state_as_if_it_stood_in_the_terms() -> None:
    files = ref.P6C.changed("price", deviation=-0.2)
    terms, parts = files.read()
    scenarios = all_scenarios({n: p.inputs for n, p in parts.items()})
    before, _ = ref.P6C.read()
    economy = StabilisationTerms.read(terms.tree).economy
    plan = Controller(StabilisationTerms.read(before.tree), scenarios).plan(replace(economy))
    np.testing.assert_allclose(plan.reshape(-1), optimum(problem(files)).controls[0][:2], rtol=0, atol=1e-9)
