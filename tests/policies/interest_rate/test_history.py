"""The demo's committee in history: shipped data, the quarter that the demo runs, and secure against clear decisions."""

import tomllib
from fractions import Fraction as F
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tacita.cli.shows.interest_rate_picture import shipped
from tacita.deploy.attack.engines import secure
from tacita.protocols.policies.base import Part
from tacita.protocols.policies.interest_rate import history, plain
from tacita.protocols.policies.interest_rate.history import Quarter, Series
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tacita.protocols.policies.interest_rate.policy import PRESENT
from tacita.protocols.policies.registry import read_session
from tests.policies.interest_rate.committees import Case, case

front = import_module("tacita.cli.main")
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "interest-rate"


@pytest.fixture(scope="module")
def quarters() -> list[Quarter]:
    return history.decisions(*shipped())


def as_case(quarter: Quarter) -> Case:
    """A quarter as a session's terms and inputs."""
    text = "\n".join(
        [
            "member,preference,output_gap,inflation",
            *(
                f"{n},{float(m.preference)},{float(m.output_gap)},{float(m.inflation)}"
                for n, m in quarter.members.items()
            ),
        ]
    )
    tree = tomllib.loads((EXAMPLE / "terms.toml").read_text())
    economy = {**tree["economy"], "previous_rate": float(quarter.terms.previous_rate)}
    return case(tree["committee"], text, economy=economy, objective=tree["objective"], bounds=tree["bounds"])


def test_the_demo_is_the_fourth_quarter_of_2001(quarters: list[Quarter]) -> None:
    tree = tomllib.loads((EXAMPLE / "terms.toml").read_text())
    terms, parts = read_session(tree, {"inputs": (EXAMPLE / "inputs.csv").read_text()})
    (quarter,) = [q for q in quarters if q.name == "2001q4"]
    assert parts == {name: Part(PRESENT, inputs) for name, inputs in quarter.members.items()}
    assert F(str(terms.tree["economy"]["previous_rate"])) == quarter.terms.previous_rate


def test_members_read_nothing_later_than_the_quarter() -> None:
    series, _ = shipped()
    t = series.quarters.index("1990q1")
    known = Series(*(getattr(series, f)[: t + 1] for f in ("quarters", "output", "prices", "bills", "unemployment")))
    assert history.readings(series, t) == history.readings(known, t)


def test_the_rate_of_a_quarter_carries_over_to_the_next(quarters: list[Quarter]) -> None:
    assert [q.name for q in quarters][:: len(quarters) - 1] == [history.FIRST, history.LAST] and len(quarters) == 92
    for before, after in zip(quarters, quarters[1:], strict=False):
        assert float(after.terms.previous_rate) == pytest.approx(before.rate, abs=0.005)


def test_secure_and_clear_decisions_agree_throughout_history(quarters: list[Quarter]) -> None:
    for quarter in quarters[::13]:
        assert as_case(quarter).clear(noise=1)["rates"][0] == pytest.approx(quarter.rate, abs=2e-6)
    example = as_case(quarters[67])
    run = secure(example.program, example.inputs, 3, "history")
    assert example.instance.outcome(run.outputs)["rates"][0] == pytest.approx(quarters[67].rate, abs=2e-6)


@pytest.mark.slow
def test_every_quarter_decides_the_same_on_the_secure_engine(quarters: list[Quarter]) -> None:
    for quarter in quarters:
        example = as_case(quarter)
        run = secure(example.program, example.inputs, 3, quarter.name)
        assert example.instance.outcome(run.outputs)["rates"][0] == pytest.approx(quarter.rate, abs=2e-6)


def test_the_figures_of_the_page_are_those_of_the_data(quarters: list[Quarter]) -> None:
    page = (EXAMPLE / "README.md").read_text()
    series, _ = shipped()
    distance, fitted = history.distance(quarters), history.fit(series)
    assert f"correlation {distance['correlation']:.2f}" in page
    assert f"by {distance['mean_difference']:.2f} percentage" in page
    assert f"slope {fitted['slope']:.3f}, persistence {fitted['persistence']:.3f}" in page
    assert f"−{-fitted['sensitivity']:.3f}" in page


def test_the_decision_lies_among_what_the_members_want(quarters: list[Quarter]) -> None:
    alone = np.array(list(history.alone(quarters).values()))
    rates = np.array([q.rate for q in quarters])
    assert np.all(alone.min(axis=0) - 0.1 <= rates) and np.all(rates <= alone.max(axis=0) + 0.1)


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front._run(["model", "history", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2001q4       4.82     1.74" in out and "correlation 0.86" in out
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_a_member_alone_decides_what_the_plain_solver_says() -> None:
    _, terms = shipped()
    inputs = MemberInputs(F("0.5"), F(0), F(2))
    assert plain.ideal(terms, plain.views_of(terms, inputs))[0] > 0  # from a previous rate of 6 not at once to 4
