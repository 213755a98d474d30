"""The secure program: references on the real engine, random committees on noisy integers, nothing else opened."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacita.deploy.attack.engines import secure
from tacita.protocols.mpc.demand import (
    COMPARISON,
    OUTPUT,
    RANDOM_SQUARE,
    SIGN_CHECK,
    TRUNCATION,
    ZERO_TEST,
)
from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.corrections import MEMBERS
from tests.policies.interest_rate.committees import EVERY, HEADER, P4, P4_PATH, Case, case, random_inputs

PAGE = Path(__file__).resolve().parents[3] / "docs" / "interest-rate.md"
MASKED = {TRUNCATION, COMPARISON, ZERO_TEST, RANDOM_SQUARE, SIGN_CHECK, OUTPUT}


def documented(what: str) -> set[str]:
    """What the page says is opened under these terms."""
    section = EVERY[what]
    row = f'reveal = "{section.get("reveal", "path")}"'
    if "reveal" in section:
        row += f"`, `{section.get('statistic', 'mean')}"
    (cell,) = re.findall(rf"^\| `{re.escape(row)}`[^|]*\| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    return set(re.findall(r"`(\w+)`", cell))


def on_engine(example: Case, parties: int = 3) -> dict[str, Any]:
    run = secure(example.program, example.inputs, parties, "committee")
    return example.instance.outcome(run.outputs)


@pytest.mark.parametrize("what", EVERY)
def test_every_way_to_decide_equals_the_plain_decision_on_the_secure_engine(what: str) -> None:
    example = case(EVERY[what])
    outcome = on_engine(example)
    expected = plain.decide(example.instance.terms, example.members)
    assert outcome["rates"] == pytest.approx(expected.rates, abs=1e-6)
    assert outcome["recoverable"] == expected.recoverable is False
    assert min(outcome["rates"]) >= 0
    if what.startswith("mean"):
        assert np.array(outcome["rates"]) - 4 == pytest.approx(P4_PATH, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "path", "recoverable"),
    [
        ([("0.5", "-2", "-1.5")] * 3, (-1.7247185783, -2.3826507664, -2.3882205619, -1.9462528864), True),
        ([("0.5", "-6", "-3.5")] * 3, (-3.7301607267, -4, -4, -4), False),
        (MEMBERS, (0.5445243643, 0.8733548397, 0.9967568434, 0.9372578), True),
    ],
    ids=["one member", "one member at zero", "P4c"],
)
def test_further_references_on_the_secure_engine(
    rows: list[tuple[str, str, str]], path: tuple[float, ...], recoverable: bool
) -> None:
    """Economics.md section 4. Three members who agree decide as one of them would alone."""
    lines = [f"m{i},{','.join(row)}" for i, row in enumerate(rows)]
    outcome = on_engine(case({}, "\n".join([HEADER, *lines]) + "\n"))
    assert np.array(outcome["rates"]) - 4 == pytest.approx(path, abs=1e-6)
    assert outcome["recoverable"] == recoverable


def test_five_nodes_decide_the_same() -> None:
    example = case({})
    assert example.gap(on_engine(example, 5)) < 1e-6


@pytest.mark.parametrize("what", EVERY)
@pytest.mark.parametrize("parties", [3, 4, 7])
def test_a_session_opens_what_the_documentation_lists_and_masked_values(what: str, parties: int) -> None:
    demand = case(EVERY[what]).instance.demand(parties, (parties - 1) // 2, "abort")
    assert {block.label for block in demand.outputs} == documented(what)
    assert {opening.kind for opening in demand.openings} <= MASKED
    instance = case(EVERY[what]).instance
    assert all(len(instance.recipients(block.label)) == block.size for block in demand.outputs)
    assert sum(o.count for o in demand.openings if o.kind == OUTPUT) == sum(block.size for block in demand.outputs)
    if what == "mean, statistics":
        assert demand.comparisons == demand.multiplications == 0


@pytest.mark.parametrize("what", EVERY)
@pytest.mark.parametrize("seed", range(4))
def test_random_committees_with_truncation_noise(what: str, seed: int) -> None:
    print("seed", seed)
    members = 3 + int(np.random.default_rng(seed).integers(0, 6))
    economy = {"previous_rate": 2 + seed}
    text = random_inputs(seed, members, what == "consensus")
    example = case(EVERY[what], text, economy=economy, objective={"moves": 1 + seed})
    outcome = example.clear(noise=seed)
    assert example.gap(outcome) < 2e-6
    expected = plain.decide(example.instance.terms, example.members)
    assert outcome["recoverable"] == expected.recoverable
    if "statistics" in outcome and what.startswith("median"):
        inputs = example.members.values()
        for key, column in (("preference", "preference"), ("output_gap", "output_gap"), ("inflation", "inflation")):
            assert outcome["statistics"][key] == pytest.approx(
                float(plain.middle([getattr(m, column) for m in inputs])), abs=1e-8
            )


@pytest.mark.parametrize("statistic", ["median", "median_rate"])
def test_equal_values_and_an_even_committee_have_a_median(statistic: str) -> None:
    rows = ["a,0.5,-1,2", "b,0.5,-1,2", "c,0.5,-1,2", "d,0.9,3,2", "e,0.1,3,-4", "f,0.5,3,2"]
    for count in (3, 4, 5, 6):
        example = case({"statistic": statistic}, "\n".join([P4.splitlines()[0], *rows[:count]]) + "\n")
        assert example.gap(example.clear(noise=count)) < 2e-6


def test_the_guard_decides_at_the_two_points_of_the_specification() -> None:
    for reveal in ("path", "statistics"):
        for inflation, recoverable in (("-2.6", False), ("-2.4", True)):
            rows = [f"{name},0.5,-6,{inflation}" for name in "abc"]
            example = case({"reveal": reveal}, "\n".join([P4.splitlines()[0], *rows]) + "\n")
            assert example.clear(noise=1)["recoverable"] == recoverable


def test_limits_bind_and_an_unlimited_committee_is_the_mean() -> None:
    limited = case(EVERY["consensus"]).clear()["rates"]
    assert limited == pytest.approx([2.5, 1, 1, 1], abs=1e-6)  # move 1.5 of b, then least 1 of b
    rows = [f"{row},0,20,10" for row in P4.splitlines()[1:]]
    header = P4.splitlines()[0] + ",least,most,move"
    free = case(EVERY["consensus"], "\n".join([header, *rows]) + "\n")
    assert np.array(free.clear(noise=2)["rates"]) - 4 == pytest.approx(P4_PATH, abs=2e-6)


@pytest.mark.parametrize("accuracy", [1e-1, 1e-3, 1e-6])
def test_the_iterations_follow_from_public_numbers_and_reach_the_accuracy(accuracy: float) -> None:
    """A badly conditioned program: a coarse accuracy is really coarser, so the iterations are no idle figure."""
    sections = {
        "objective": {"rate_weight": 0.0, "move_weight": 0.05, "moves": 3},
        "solver": {"accuracy": accuracy},
        "economy": {"real_rate": 60},  # no rate is at zero, where it would be exact
    }
    counts, gaps = set(), []
    for seed in range(3):
        example = case({}, random_inputs(seed, 5, False), **sections)
        counts.add(example.instance.terms.iterations)
        gaps.append(example.gap(example.clear(noise=seed)))
    assert len(counts) == 1
    assert max(gaps) <= accuracy + 1e-6
    if accuracy > 1e-2:
        assert max(gaps) > 2e-6
