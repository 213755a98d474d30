"""What a party's proof shows: honest scenarios pass, every committed integer is tied to the others."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import RangeViolation
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.range import Linear, Relations
from tacita.crypto.transcript import Context
from tacita.protocols.policies.stabilisation import fields
from tacita.protocols.policies.stabilisation.fields import FieldPlan
from tacita.protocols.policies.stabilisation.inputs import Scenario
from tacita.protocols.policies.stabilisation.units import ONE, Units
from tests.crypto.helpers import load_insecure_key
from tests.policies.stabilisation import references as ref
from tests.policies.stabilisation.instances import random_files
from tests.policies.stabilisation.sessions import instance, on_cluster

CONTEXT = Context(session=bytes(range(32)), round="commit", prover="a", object="bid")


def committed(files: ref.Files = ref.P6C, party: str = "a") -> tuple[FieldPlan, list[int], int]:
    """The plan, a party's integers, and how many scenarios it has."""
    made, inputs = instance(files)
    return made.fields, made.fields.values(inputs[party]), len(inputs[party].scenarios)


def violated(plan: FieldPlan, values: list[int]) -> bool:
    """True if the prover cannot even fill in the squares."""
    try:
        plan.relations(1).witness(dict(enumerate(values)), [], [], SeededEntropy("proof"))
    except RangeViolation:
        return True
    return False


def test_honest_integers_satisfy_every_relation_and_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(7)
    for files in [ref.P6A, ref.P6B, *(random_files(rng) for _ in range(6))]:
        made, _ = instance(files)
        for name in made.participants:
            plan, values, count = committed(files, name)
            for value, f in zip(values, plan.fields * count, strict=True):
                assert f.lo <= value <= f.hi, f.label
            relations = plan.relations(count)
            witness = relations.witness(dict(enumerate(values)), [], [], SeededEntropy(name))
            statement = relations.statement([])
            assert all(q.value(witness.values) == 0 for q in statement.quadratics)
            assert all(abs(w) < 1 << bits for w, bits in zip(witness.values, statement.bits, strict=True))


def test_the_committed_matrix_is_the_step_of_the_paper() -> None:
    """W·r + q against argmin of the augmented Lagrangian by its normal equations, in floating point."""
    plan, values, _ = committed(ref.P6B, "c")
    units, n = plan.units, 5
    a, b = 0.94, -0.7
    g = np.array([[b * a ** (t - k) if k <= t else 0.0 for k in range(n)] for t in range(n)])
    h, x = [], 1.0
    for k in range(n):
        x = a * x + 0.3 * np.sin(1 + 10 + k)
        h.append(x)
    c, d = g.sum(axis=0), sum(h)
    own = units.penalty / 0.25
    psi_penalty = units.penalty * units.objective_unit**2
    share = 0.8 / 6
    normal = share * (g.T @ g + 0.1 * np.eye(n)) + own * np.eye(n) + psi_penalty * np.outer(c, c)
    rng = np.random.default_rng(1)
    u, psi = rng.uniform(-1, 1, n), 0.7
    wanted = np.linalg.solve(normal, own * u + psi_penalty * c * (psi - d) - share * g.T @ np.array(h))
    at = [i for i, f in enumerate(plan.fields) if f.label in ("matrix", "offset")]
    block = np.array([values[i] / ONE for i in at])
    w, q = np.zeros((n + 1, n + 1)), block[len(plan.corners) :]
    for (j, k), entry in zip(plan.corners, block, strict=False):
        w[j, k] = w[k, j] = entry
    y = w @ np.append(u / 0.5, psi * units.objective_unit) + q
    np.testing.assert_allclose(y[:n] * 0.5, wanted, rtol=0, atol=1e-8)
    assert y[n] / units.objective_unit == pytest.approx(float(c @ wanted + d), abs=1e-7)
    assert np.linalg.eigvalsh(w).max() <= 1 + 1e-8 and np.linalg.eigvalsh(w).min() >= -1e-8


def test_no_committed_integer_can_be_changed_alone() -> None:
    plan, values, _ = committed()
    for position, f in enumerate(plan.fields):
        for change in (-(1 << 10), 1 << 10):
            forged = [v + change * (i == position) for i, v in enumerate(values)]
            assert violated(plan, forged), f"{f.label} at {position}"


def test_another_scenario_s_step_is_refused() -> None:
    made, inputs = instance(ref.P6C)
    mine, other = made.fields.values(inputs["a"]), made.fields.values(inputs["f"])
    first = next(i for i, f in enumerate(made.fields.fields) if f.label == "matrix")
    assert not violated(made.fields, mine)
    assert violated(made.fields, mine[:first] + other[first:])


def test_another_matrix_with_a_fitting_border_and_offset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is computed from Q as it should be, but Q is not the inverse: only Q·Q⁻¹ = I can tell."""
    made, inputs = instance(ref.P6C)
    inverse = fields._inverse
    monkeypatch.setattr(fields, "_inverse", lambda matrix: inverse(matrix) * 1000001 // 1000000)
    forged = made.fields.values(inputs["a"])
    assert all(f.lo <= v <= f.hi for f, v in zip(made.fields.fields, forged, strict=True))
    assert violated(made.fields, forged)


def test_an_offset_that_only_fits_its_own_last_entry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made, inputs = instance(ref.P6C)
    honest = FieldPlan._step

    def forged(plan: FieldPlan, response: list[list[int]], free: list[int]) -> tuple[list[int], list[int]]:
        matrix, offset = honest(plan, response, free)
        c = [plan.units.sigma * sum(response[0][: 5 - k]) for k in range(5)]
        moved = [offset[0] + (1 << 12), *offset[1:5]]
        last = sum(x * y for x, y in zip(c, moved, strict=True)) + (plan.units.sigma * sum(free) << fields.FRACTION)
        return matrix, [*moved, fields._nearest(last, fields.FRACTION + fields.SIGMA_BITS)]

    monkeypatch.setattr(FieldPlan, "_step", forged)
    assert violated(made.fields, made.fields.values(inputs["a"]))


@pytest.mark.parametrize("outside", ["persistence", "effects", "shocks"])
def test_a_scenario_outside_the_bounds_is_refused_though_all_else_fits(
    outside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, inputs = instance(ref.P6C)
    (honest,) = inputs["a"].scenarios.values()
    changes = {"persistence": Fraction("1.06"), "effects": (Fraction("-0.39"),), "shocks": (Fraction("0.31"),) * 5}
    monkeypatch.setattr(fields, "_clamp", lambda value, limits: value)
    assert not violated(made.fields, made.fields.scenario_values(honest))
    assert violated(made.fields, made.fields.scenario_values(replace(honest, **{outside: changes[outside]})))


def test_a_matrix_that_would_leave_the_ball_is_refused() -> None:
    plan, values, _ = committed()
    places = [i for i, f in enumerate(plan.fields) if f.label == "matrix"]
    forged = list(values)
    for i in places:
        forged[i] = min(2 * forged[i], ONE)
    assert violated(plan, forged)


def proof(plan: FieldPlan, values: list[int]) -> tuple[quadratic.Statement, quadratic.Proof]:
    relations, parameters = plan.relations(1), load_insecure_key().parameters
    witness = relations.witness(dict(enumerate(values)), [], [], SeededEntropy("prover"))
    statement = relations.statement([])
    return statement, quadratic.prove(parameters, CONTEXT, statement, witness, SeededEntropy("proof"))


@pytest.mark.parametrize("label", ["response", "free", "matrix", "offset"])
def test_a_proof_of_weaker_relations_does_not_verify(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover allows itself coarser roundings and changes one integer; the verifier builds its own statement."""
    plan, values, _ = committed()
    parameters = load_insecure_key().parameters
    statement, honest = proof(plan, values)
    quadratic.verify(parameters, CONTEXT, statement, honest)
    position = [i for i, f in enumerate(plan.fields) if f.label == label][-1]
    forged = [v + (1 << 10) * (i == position) for i, v in enumerate(values)]
    assert violated(plan, forged)

    def coarse(relations: Relations, product: quadratic.Quadratic, result: Linear, bits: int) -> None:
        half = 1 << bits + 30
        error = relations.derived(fields._sum(product, fields._linear(result, -(1 << bits))), half)
        relations.in_range(error, -half, half)

    monkeypatch.setattr(fields, "_rounds_to", coarse)
    monkeypatch.setattr(Units, "inverse_error", property(lambda self: 2.0**31))
    monkeypatch.setattr(Units, "shock", property(lambda self: (-1 << 40, 1 << 40)))
    _, weaker = proof(plan, forged)
    with pytest.raises(quadratic.InvalidProof):
        quadratic.verify(parameters, CONTEXT, statement, weaker)


def test_a_party_that_breaks_a_relation_gets_no_further_than_its_own_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FieldPlan.scenario_values

    def forged(plan: FieldPlan, scenario: Scenario) -> list[int]:
        values = honest(plan, scenario)
        return [*values[:-1], values[-1] + 4]

    monkeypatch.setattr(FieldPlan, "scenario_values", forged)
    with pytest.raises((RangeViolation, BaseExceptionGroup)) as caught:
        on_cluster(ref.P6C)
    assert caught.group_contains(RangeViolation) if isinstance(caught.value, BaseExceptionGroup) else True


def test_relations_of_two_scenarios_are_twice_those_of_one() -> None:
    plan, _, _ = committed()

    def count(relations: Relations) -> int:
        return len(relations.statement([]).quadratics)

    assert count(plan.relations(2)) == 2 * count(plan.relations(1))
