"""Every correction's evidence runs and shows its difference by numbers that it computes."""

import pytest

from tacita.protocols.policies.stabilisation import corrections as fixes


def test_every_evidence_is_one_line_with_numbers() -> None:
    assert len({c.id for c in fixes.CORRECTIONS}) == len(fixes.CORRECTIONS)
    for correction in fixes.CORRECTIONS:
        line = correction.evidence()
        assert "\n" not in line and any(c.isdigit() for c in line), correction.id
        assert correction.id.startswith("stabilisation.") and correction.printed != correction.corrected


def test_without_its_limits_the_problem_is_unbounded() -> None:
    at, ten, hundred = fixes.unbounded()
    assert at == pytest.approx(0.4901576751, abs=1e-9)
    # λ = .4 per unit by which every ψ falls, while the variance stays.
    assert (at - ten, ten - hundred) == (pytest.approx(4.0), pytest.approx(36.0))


def test_the_printed_epigraph_reports_too_small_a_cost() -> None:
    wrong, true, right, small = fixes.epigraph(0.02)
    assert (wrong, right) == (pytest.approx(0.03491754, abs=1e-8), pytest.approx(0.03544515, abs=1e-8))
    assert true > 0.5 and small == pytest.approx(0.0017, abs=1e-4)


def test_additive_noise_makes_the_variance_independent_of_the_control() -> None:
    assert fixes.variances(common=True) == pytest.approx([1.99167] * 3, abs=1e-5)
    assert fixes.variances(common=False) == pytest.approx([2.16, 3.41, 2.01], abs=5e-3)


def test_algorithm_2_with_all_corrections_takes_the_iterations_of_the_reference() -> None:
    assert abs(fixes.iterations(1e-4) - 122) <= 2
    assert abs(fixes.iterations(1e-6) - 188) <= 2


def test_a_false_scenario_pays() -> None:
    honest, false = fixes.misreport()
    assert false < honest - 0.01
