"""The program in the clear: reference numbers, exact solution, independent solver, consensus ADMM."""

from fractions import Fraction as F

import cvxpy
import numpy as np
import pytest

from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.control import Controller, Views, minimise
from tacita.protocols.policies.interest_rate.corrections import CONTROLLER, ECONOMY
from tacita.protocols.policies.interest_rate.economy import Economy
from tacita.protocols.policies.interest_rate.spectrum import eigen, spectrum
from tests.policies.interest_rate.committees import EVERY, P4_PATH, case, random_inputs

REFERENCES = [
    (("-2", "-1.5"), (-1.7247185783, -2.3826507664, -2.3882205619, -1.9462528864), -14.8329558971),
    (("-6", "-3.5"), (-3.7301607267, -4, -4, -4), -88.7794926775),
]
FLOOR = np.full(4, -4.0)


@pytest.mark.parametrize(("state", "path", "objective"), REFERENCES)
def test_the_controller_of_one_member(state: tuple[str, str], path: tuple[float, ...], objective: float) -> None:
    program = CONTROLLER.program(Views.of(F("0.5"), *map(F, state)), F(0))
    exact = minimise(*program, F(-4))
    assert [float(v) for v in exact] == pytest.approx(path, abs=1e-9)
    assert plain.minimum(*plain.floats(program), FLOOR) == pytest.approx(path, abs=1e-9)
    assert plain.cost(program, np.array(exact, dtype=float)) == pytest.approx(objective, abs=1e-8)


def test_the_program_is_the_sum_that_it_stands_for() -> None:
    """½v'Hv + f'v against the costs of a simulated path, with a previous rate and every term."""
    r = np.random.default_rng(3)
    for _ in range(5):
        preference, y, x, previous = (F(round(v * 100), 100) for v in r.uniform([0, -5, -5, -2], [1, 5, 5, 2]))
        program = CONTROLLER.program(Views.of(preference, y, x), previous)

        def simulated(path: list[F], y: F = y, x: F = x, last: F = previous, weight: F = preference) -> F:
            total, c = F(0), CONTROLLER
            for k in range(c.horizon):
                rate = path[min(k, c.moves - 1)]
                total += c.discount**k * (c.rate_weight * rate**2 + c.move_weight * (rate - last) ** 2)
                y, x = ECONOMY.step(y, x, rate)  # type: ignore[assignment]
                total += c.discount ** (k + 1) * ((1 - weight) * y**2 + weight * x**2)
                last = rate
            return total

        path = [F(round(v * 100), 100) for v in r.uniform(-4, 4, 4)]
        v = np.array(path, dtype=object)
        difference = simulated(path) - simulated([F(0)] * 4)
        assert v.dot(program[0]).dot(v) / 2 + program[1].dot(v) == difference


@pytest.mark.parametrize("seed", range(4))
def test_exact_and_plain_solutions_are_those_of_another_solver(seed: int) -> None:
    print("seed", seed)
    r = np.random.default_rng(seed)
    moves = int(r.integers(1, 7))
    economy = Economy(*(F(round(v * 1000), 1000) for v in r.uniform([0.02, 0.1, 0.05, 0, 1], [0.4, 0.9, 0.6, 3, 3])))
    controller = Controller(economy, moves + int(r.integers(0, 8)), moves, F("0.98"), F("0.2"), F("0.3"))
    state = (F(round(v * 1000), 1000) for v in r.uniform([0, -8, -8], [1, 8, 8]))
    program = controller.program(Views.of(*state), F("0.25"))
    h, f = plain.floats(program)
    low = -float(economy.neutral)
    v = cvxpy.Variable(moves)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.quad_form(v, cvxpy.psd_wrap(h)) / 2 + f @ v), [v >= low, v <= 1])
    tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    problem.solve(solver=cvxpy.CLARABEL, **tight)
    lower, upper = np.full(moves, low), np.full(moves, 1.0)
    assert plain.minimum(h, f, lower, upper) == pytest.approx(v.value, abs=1e-7)
    cvxpy.Problem(problem.objective, [v >= low]).solve(solver=cvxpy.CLARABEL, **tight)
    exact = [float(x) for x in minimise(*program, -economy.neutral)]
    assert exact == pytest.approx(v.value, abs=1e-7)
    assert plain.minimum(h, f, lower) == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("what", ["mean, path", "consensus"])
@pytest.mark.parametrize("seed", range(3))
def test_a_committee_decides_as_another_solver(what: str, seed: int) -> None:
    """Every member's costs, simulated period by period, and its own limits as constraints, handed to CLARABEL."""
    print("seed", seed)
    limited = what == "consensus"
    text = random_inputs(seed, 3 + seed, limited)
    given = case(EVERY[what], text, economy={"previous_rate": 2 + seed}, objective={"moves": 2 + seed, "horizon": 8})
    terms, c, e = given.instance.terms, given.instance.terms.controller, given.instance.terms.economy
    a, p, z, d = (float(v) for v in (e.slope, e.persistence, e.sensitivity, c.discount))
    rates = cvxpy.Variable(c.moves)  # in percent, so that limits are as the members wrote them
    total, limits = cvxpy.Constant(0), [rates >= 0]
    for member in given.members.values():
        weight = float(member.preference)
        y, x = float(member.output_gap), float(member.inflation - e.inflation_target)
        last = float(terms.previous_rate)
        if member.limits is not None:
            least, most, move = map(float, member.limits)
            room = move * np.arange(1, c.moves + 1)
            limits += [rates >= least, rates <= most, cvxpy.abs(rates - last) <= room]
        for k in range(c.horizon):
            rate = rates[min(k, c.moves - 1)]
            deviation = rate - float(e.neutral)
            total += d**k * (float(c.rate_weight) * deviation**2 + float(c.move_weight) * (rate - last) ** 2)
            y, x, last = p * y + z * x - z * deviation, a * y + x, rate
            total += d ** (k + 1) * ((1 - weight) * y**2 + weight * x**2)
    tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    cvxpy.Problem(cvxpy.Minimize(total), limits).solve(solver=cvxpy.CLARABEL, **tight)
    assert plain.decide(terms, given.members).rates == pytest.approx(rates.value, abs=1e-6)


def committee() -> tuple[list[Views], list[tuple[plain.Reals, plain.Reals]]]:
    example = case({})
    views = [plain.views_of(example.instance.terms, inputs) for inputs in example.members.values()]
    return views, [plain.floats(CONTROLLER.program(v, F(0))) for v in views]


def test_the_committee_of_p4_in_the_clear() -> None:
    decision = plain.decide(case({}).instance.terms, case({}).members)
    assert decision.rates - 4 == pytest.approx(P4_PATH, abs=1e-8)
    views, _ = committee()
    mean = CONTROLLER.program(Views.mean(views), F(0))
    assert plain.cost(mean, decision.rates - 4) == pytest.approx(-90.0869652424, abs=1e-8)


def test_five_means_give_the_sum_of_all_programs() -> None:
    views, programs = committee()
    mean = Views.mean(views)
    assert [
        float(x) for x in (mean.preference, mean.weighted_gap, mean.weighted_inflation, mean.gap, mean.inflation)
    ] == (pytest.approx([0.54, -3.258, -1.91, -6, -3.48], abs=1e-15))
    h, f = plain.floats(CONTROLLER.program(mean, F(0)))
    assert np.abs(sum(p[0] for p in programs) / 5 - h).max() < 7e-15
    assert np.abs(sum(p[1] for p in programs) / 5 - f).max() < 7e-15


@pytest.mark.parametrize(
    ("penalty", "relaxation", "counts"),
    [(0.3, 1.0, (13, 25)), (0.3, 1.6, (12, 22)), (0.01, 1.0, (276, None))],
)
def test_consensus_admm_needs_the_iterations_of_the_reference(
    penalty: float, relaxation: float, counts: tuple[int, int | None]
) -> None:
    _, programs = committee()
    step = penalty * np.linalg.norm(sum(p[0] for p in programs) / 5, 2)
    history = plain.consensus(programs, -4.0, step, relaxation, 400)
    errors = np.abs(np.array(history) - np.array(P4_PATH)).max(axis=1)
    for tolerance, count in zip((1e-4, 1e-6), counts, strict=True):
        late = np.flatnonzero(errors > tolerance)
        if count is None:
            assert late[-1] == 399
        else:
            assert abs(late[-1] + 2 - count) <= 2


def test_the_spectrum_diagonalises_both_matrices_and_its_contraction_holds() -> None:
    found = spectrum(CONTROLLER, F(0), F(1))
    basis, step = np.array(found.basis), float(found.step)
    base, tilt = (plain.floats((CONTROLLER.curvature(F(p)), []))[0] for p in (0, 1))
    assert basis.T @ (base / step + np.eye(4)) @ basis == pytest.approx(np.eye(4), abs=1e-12)
    assert basis.T @ ((tilt - base) / step) @ basis == pytest.approx(np.diag(found.slopes), abs=1e-12)
    for preference in (F(0), F("0.3"), F(1)):
        values = np.linalg.eigvalsh(plain.floats((CONTROLLER.curvature(preference), []))[0])
        assert found.least - 1e-12 <= values[0] and values[-1] <= found.most + 1e-12
        assert np.abs((step - values) / (step + values)).max() <= found.contraction + 1e-12


def test_the_eigenvalues_are_those_of_a_library() -> None:
    for size in range(1, 9):
        matrix = np.random.default_rng(size).normal(size=(size, size))
        matrix = matrix + matrix.T
        values, vectors = eigen(matrix.tolist())
        assert sorted(values) == pytest.approx(np.linalg.eigvalsh(matrix), abs=1e-12)
        v = np.array(vectors)
        assert v @ np.diag(values) @ v.T == pytest.approx(matrix, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_public_bounds_hold_for_random_committees(seed: int) -> None:
    print("seed", seed)
    for committee_section in (EVERY["mean, path"], EVERY["consensus"]):
        limited = "method" in committee_section
        example = case(committee_section, random_inputs(seed, 7, limited))
        terms, scale = example.instance.terms, 2.0**example.instance.terms.exponent
        path = (plain.decide(terms, example.members).rates - float(terms.economy.neutral)) / scale
        assert np.linalg.norm(path) <= terms.reach
        for inputs in example.members.values():
            h, f = plain.floats(terms.controller.program(plain.views_of(terms, inputs), terms.previous))
            assert np.linalg.norm(f) / scale <= terms.pull
            assert np.linalg.norm(path - (h @ path + f / scale) / float(terms.spectrum.step)) <= terms.distance
