"""The replay of RAI's second half: it starts from history, and the shipped example comes from the shipped series."""

import csv
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tacita.cli.model_rai import arms, findings, picture, read_study, report
from tacita.protocols.policies.stabilisation.inputs import read_inputs
from tacita.protocols.policies.stabilisation.rai import HORIZON, Study, regress
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms

PAGE = Path(__file__).resolve().parents[3] / "docs" / "stabilisation.md"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "stabilisation"


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study()


def test_regression_against_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = 0.3 + 2 * x + 0.1 * rng.normal(size=200)
    fit = regress(y, {"x": x})
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
    rest = y - y.mean() - slope * (x - x.mean())
    error = float(np.sqrt(rest @ rest / 198 / np.sum((x - x.mean()) ** 2)))
    assert fit["x"] == pytest.approx(slope) and fit.ratio("x") == pytest.approx(slope / error)


def test_historical_inputs_reproduce_history_exactly(study: Study) -> None:
    path = study.replay("history")
    np.testing.assert_allclose(path.deviation, study.hours.deviation[study.half :], rtol=0, atol=1e-12)
    np.testing.assert_allclose(path.users, study.hours.growth[study.half :], rtol=0, atol=1e-12)


def test_the_second_half_plays_no_part_in_models_and_scenarios(study: Study) -> None:
    kept = study.half + 1
    hours = {name: getattr(study.hours, name).copy() for name in study.hours.__dataclass_fields__}
    for name in ("market", "redemption", "rate", "supply", "pool"):
        hours[name][kept:] = 1 + np.random.default_rng(1).uniform(size=len(hours[name]) - kept)
    other = Study(type(study.hours)(**hours), study.gains)
    assert other.scenarios(True) == study.scenarios(True) and other.scenarios(False) == study.scenarios(False)
    np.testing.assert_array_equal(other.price.value, study.price.value)
    assert other.terms(True) == study.terms(True)


def test_the_gains_in_force_are_those_of_the_file(study: Study) -> None:
    assert study._gain(12_100_000) == (1e-7, 14400.0)
    assert study._gain(12_367_944) == (5e-8, 14400.0)


def test_the_report_says_what_the_replays_show(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    courses = arms(study)
    by = {(arm.name, arm.market): arm.course for arm in courses}
    none, pool = by["no control", ""], by["MPC on the pool", "pool"]
    assert abs(study.price.ratio("u")) < 2  # no effect of the supply can be read from history
    assert pool.rms < 0.8 * none.rms and pool.moved > 0.5
    assert by["MPC on the fit", "fitted"].rms > 0.98 * none.rms
    assert by["MPC on the pool", "fitted"].moved > pool.moved
    assert by["MPC on the fit", "pool"].rms > 2 * none.rms
    for arm in courses:
        assert np.abs(arm.course.coins).max() <= 0.005 + 1e-9
    lines = findings(study, courses)
    assert any(line.startswith("MPC on the fit in the fitted market: no better than no control") for line in lines)
    assert any(line.startswith("MPC on the pool in the pool market: better than no control") for line in lines)
    assert picture(study, courses)[:4] == b"\x89PNG"
    rows = [
        line
        for line in PAGE.read_text().splitlines()
        if line.count("|") == 6 and line.count(" % |") == 2 and "rms" not in line
    ]
    assert len(rows) == len(courses)
    for row, arm in zip(rows, courses, strict=True):
        moved = f"{arm.course.moved:.2f}" if arm.market else ""
        wanted = [
            f"{round(100 * arm.course.rms, 2 if arm.course.rms < 0.1 else 1)} %",
            f"{100 * arm.course.far:.1f} %",
            moved,
        ]
        assert [cell.strip() for cell in row.split("|")[3:6]] == wanted


def test_the_shipped_inputs_are_computed_from_the_shipped_series(study: Study) -> None:
    terms = StabilisationTerms.read(tomllib.loads((EXAMPLE / "terms.toml").read_text()))
    parties = read_inputs((EXAMPLE / "inputs.csv").read_text().splitlines(), terms)
    shipped = [s for name in sorted(parties) for s in parties[name].scenarios.values()]
    assert shipped == study.scenarios(pool=True)
    row = study.half
    assert terms.economy.price == pytest.approx(study.hours.market[row], abs=1e-8)
    assert terms.economy.previous_price == pytest.approx(study.hours.market[row - 1], abs=1e-8)
    assert terms.economy.target == pytest.approx(study.hours.redemption[row], abs=1e-8)
    assert terms.economy.outstanding == pytest.approx(study.hours.supply[row], abs=0.1)
    assert terms.horizon == HORIZON


def test_only_needed_columns_are_shipped_and_with_their_notice() -> None:
    with (EXAMPLE / "rai_hourly.csv").open() as file:
        assert len(next(csv.reader(file))) == 7
    assert "Copyright (c) 2021 BlockScience" in (EXAMPLE / "LICENCE.txt").read_text()


@pytest.mark.slow
def test_the_command_prints_json_and_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(tmp_path, "json")
    printed = json.loads(capsys.readouterr().out)
    assert [row["controller"] for row in printed][:3] == ["history", "no control", "RAI's PI gains"]
    assert (tmp_path / "rai.png").read_bytes()[:4] == b"\x89PNG"
