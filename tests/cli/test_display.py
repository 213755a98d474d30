"""What the terminal shows, from narrow to wide, and what goes into a pipe."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from tacita.cli import display
from tacita.cli.display import STAGES, Progress, number
from tacita.cli.shows.auction import outcome_table
from tacita.proto import tacita_pb2


def outcome(slots: int, names: tuple[str, ...] = ("alice", "bob"), scale: float = 1.0) -> dict[str, Any]:
    return {
        "allocation": {name: [scale * (t + 1) / 3 for t in range(slots)] for name in names},
        "payment": dict.fromkeys(names, 1234.5 * scale),
        "supply": [10.0 * scale] * slots,
        "price": [4.5] * slots,
    }


def shown(tree: dict[str, Any], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    table = outcome_table(tree, width)
    assert table is not None
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("slots", [1, 2, 4, 8, 24, 256])
def test_the_table_fits_and_cuts_no_number_short(width: int, slots: int) -> None:
    lines = shown(outcome(slots), width)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "…" not in text and f"slot {slots} " in text and "payment" in text and "price" in text
    assert ("outcome.json" in text) == (text.count(" slot ") < slots)


def test_a_single_hidden_slot_is_named_as_one() -> None:
    titles = {shown(outcome(slots), 80)[0].strip() for slots in range(5, 9)}
    assert any(" is in outcome.json" in title for title in titles), titles
    assert not any(re.search(r"slots (\d+) to \1\b", title) for title in titles), titles


def test_long_names_and_large_numbers_fit_too() -> None:
    lines = shown(outcome(3, ("a" * 40, "b"), 1e6), 80)
    assert all(len(line) <= 80 for line in lines) and any("a" * 40 in line for line in lines)


def test_nothing_is_shown_of_a_private_outcome() -> None:
    assert outcome_table({"certificate": "…"}, 80) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-1e-9, "0"), (1 / 3, "0.3333"), (5.0, "5"), (1234.5678, "1,234.568"), (9999999.4, "9,999,999")],
)
def test_numbers_are_short_and_carry_no_noise(value: float, text: str) -> None:
    assert number(value) == text


def test_a_pipe_gets_one_line_per_stage_and_party(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(["alice", "bob"], quiet=False) as progress:
        for stage in STAGES:
            for step in (0, 1, 2):
                for party in ("alice", "bob"):
                    progress.report(party, tacita_pb2.Progress(stage=stage, step=step, steps=2, seconds=1.0))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 * len(STAGES) and not any("\x1b" in line for line in lines)


def test_json_output_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(["alice"], quiet=True) as progress:
        progress.report("alice", tacita_pb2.Progress(stage="solve", step=1, steps=2))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("parties", [3, 5, 7])
@pytest.mark.parametrize("width", [60, 80])
def test_the_live_table_fits_a_narrow_terminal(parties: int, width: int) -> None:
    progress = Progress([f"node{i + 1}" for i in range(parties)], quiet=True)
    for i in range(parties):
        progress.report(f"node{i + 1}", tacita_pb2.Progress(stage="solve", step=150, steps=1500))
    console = Console(file=io.StringIO(), width=width)
    console.print(progress._table(width))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + len(STAGES), "no line is broken"
    assert all(title in "\n".join(lines) for title in display.STAGES.values())


def test_another_attempt_is_announced_and_its_stages_begin_again(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(["node1"], quiet=False) as progress:
        for stage, step, steps in (
            ("commit", 0, 0),
            ("share", 0, 0),
            ("solve", 3, 9),
            ("attempt", 2, 3),
            ("share", 0, 0),
        ):
            progress.report("node1", tacita_pb2.Progress(stage=stage, step=step, steps=steps, seconds=1.0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("node1: ")[1] for line in lines[-2:]] == [
        "attempt 2 of 3 begins; its log says what ended the one before", STAGES["share"],
    ]  # fmt: skip
    assert progress._cells == {("commit", "node1"): "done", ("share", "node1"): "…"}
