"""Every line of docs/corrections.md is computed again; the evidence shows a difference by numbers."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tacita.protocols.policies.auction import printed
from tacita.protocols.policies.corrections import Correction, corrections, page

front = import_module("tacita.cli.main")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "corrections.md"
ALL = corrections()


def test_the_page_shows_what_is_computed_now() -> None:
    """After a change of a correction: tacita model corrections --format markdown gives the table."""
    text = PAGE.read_text()
    table = text[text.index("| id | where") :]
    assert table == page(ALL)


@pytest.mark.parametrize("entry", ALL, ids=lambda e: e.id)
def test_every_correction_is_complete_and_its_evidence_holds_two_numbers(entry: Correction) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z0-9_-]+", entry.id)
    assert entry.where and entry.printed and entry.corrected and entry.printed != entry.corrected
    numbers = set(re.findall(r"-?\d+\.\d+|-?\d+", entry.evidence()))
    assert len(numbers) >= 2 and "\n" not in entry.evidence()


def test_identifiers_are_unique() -> None:
    assert len({entry.id for entry in ALL}) == len(ALL)


def test_the_command_shows_one_and_refuses_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert front._run(["model", "corrections", "--id", "auction.order"]) == 0
    assert "Σx − y = 1.2963" in capsys.readouterr().out
    assert front._run(["model", "corrections", "--id", "auction.nothing"]) == 2
    assert "there is no correction 'auction.nothing'" in capsys.readouterr().err


# ---- the auction's evidence against the reference numbers of economics.md sections 1.1 and 2 ----------------------


def test_the_printed_order_ends_at_an_infeasible_point() -> None:
    wrong = printed.algorithm_3(printed.A1, 0.05, 4000, True)
    assert wrong.x == pytest.approx([5.679, 1.840, 0.420], abs=5e-4)
    assert (wrong.supply, wrong.x.sum() - wrong.supply) == pytest.approx((6.642, 1.2963), abs=5e-4)
    again = printed.algorithm_3(printed.A1, 0.2, 4000, True)
    assert again.x.sum() - again.supply == pytest.approx(4.169, abs=5e-4)


def test_the_corrected_order_ends_at_the_optimum_even_if_users_come_and_go() -> None:
    best = printed.clear(printed.A1)
    assert best.x == pytest.approx([16 / 3, 5 / 3, 1 / 3], abs=1e-12)
    assert (best.price, best.welfare) == pytest.approx((14 / 3, 92 / 3), abs=1e-12)
    for online in (1.0, 0.7, 0.4):
        found = printed.algorithm_3(printed.A1, 0.2, 1500, False, online)
        assert found.x == pytest.approx(best.x, abs=1e-9)
        assert found.price == pytest.approx(best.price, abs=1e-9)


def test_the_program_with_a_budget_is_that_of_bidder_4_in_a2() -> None:
    """Economics.md section 2.5: x_4 = (3.405884728022, 0, 3.594115271978, 0)."""
    (entry,) = [c for c in ALL if c.id == "auction.closed_form"]
    assert "takes (3.628, 3.816), 7.445 in all; the program takes (3.406, 3.594), 7.000 in all" in entry.evidence()


def test_payments_are_those_of_the_reference() -> None:
    payments = [(printed.clarke_payment(printed.A1, i), printed.printed_payment(printed.A1, i)) for i in range(3)]
    clarke, paper = np.array(payments).T
    assert clarke == pytest.approx([1952 / 99, 860 / 117, 97 / 63], abs=1e-10)
    assert paper == pytest.approx([27.9444444444, 26.3888888889, 28.1111111111], abs=1e-9)
