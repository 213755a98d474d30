"""The built-in demos: names, results against the oracle, tables and pictures."""

from pathlib import Path

import pytest
from rich.console import Console

from tacita.cli.shows import FURTHER_DEMOS, SHOWS
from tests.policies.stabilisation.sessions import plain, run_clear
from tests.policies.stabilisation.test_terms import EXAMPLES, example

DEMOS = [SHOWS["stabilisation"].example, *FURTHER_DEMOS]


def test_every_further_demo_is_a_policy_with_an_example_of_its_own() -> None:
    for name, (policy, folder) in FURTHER_DEMOS.items():
        assert policy in SHOWS and name not in SHOWS
        assert (EXAMPLES / folder / "terms.toml").exists() and (EXAMPLES / folder / "inputs.csv").exists()


@pytest.mark.parametrize("name", DEMOS)
def test_demo_on_the_clear_engine(name: str, tmp_path: Path) -> None:
    files = example(name)
    outcome, show = run_clear(files, 1), SHOWS["stabilisation"]
    terms, parts = files.read()
    assert outcome["model"] == {"stabilisation": "coin"}.get(name, name)
    assert max(show.gap(terms, parts, outcome).values()) < 2e-6
    economy_says = outcome["outstanding"] - outcome.get("depreciation", 0.0)
    economy_says += outcome["block_reward"] + outcome["auction_size"]
    assert outcome["outstanding_next"] == pytest.approx(economy_says, rel=1e-12)
    assert outcome["auction_size"] == pytest.approx(plain(files).outcome["auction_size"], abs=1)
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    for table in show.tables(terms, parts, outcome, 80):
        console.print(table)
    text = console.export_text()
    assert "coins to auction" in text or "coins to buy back" in text
    show.save(tmp_path / "picture.png", terms, parts, outcome)
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "picture.png").stat().st_mode & 0o077 == 0


def test_without_buy_backs_a_low_price_is_answered_by_depreciation_alone() -> None:
    outcome = run_clear(example("depreciation"), 2)
    assert outcome["auction_size"] == 0 and outcome["outstanding_next"] < outcome["outstanding"]
