"""Everything that a caller can get wrong ends in one sentence and exit code 2 before a node is touched.

The command runs inside this process, which must be left as it was: no child, no file.
"""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest

from tests.integration.running import children, tree_of
from tests.integration.samples import A1, TINY, Sample

front = import_module("tacita.cli.main")
PRIVATE = "7.31415926"
"""Stands in the inputs of most cases: no sentence may repeat it."""
HEADER = "bidder,slot,value,slope,min,max\n"
GOOD = Sample(A1.terms, f"{HEADER}a,1,{PRIVATE},1,0,6\nb,1,8,2,0,3\nc,1,6,4,0,2\n")


@dataclass(frozen=True)
class Case:
    """One mistake and a part of the sentence it must lead to."""

    sample: Sample
    sentence: str
    more: tuple[str, ...] = ()


def bids(rows: str, header: str = HEADER) -> Sample:
    return replace(GOOD, inputs=header + rows)


def cell(place: int, text: str) -> Sample:
    """The good inputs with one cell of line 2 changed."""
    cells = ["a", "1", PRIVATE, "1", "0", "6"]
    cells[place] = text
    return bids(f"{','.join(cells)}\nb,1,8,2,0,3\n")


def terms(old: str, new: str) -> Sample:
    assert old in GOOD.terms
    return replace(GOOD, terms=GOOD.terms.replace(old, new, 1))


CASES = {
    # the inputs as a table
    "missing column": Case(bids(f"a,1,{PRIVATE},0,6\n", "bidder,slot,value,min,max\n"), "column 'slope' is missing"),
    "unknown column": Case(bids("", HEADER.strip() + ",note\n"), "column 'note' is not known"),
    "column twice": Case(bids("", "bidder,slot,value,slope,min,max,max\n"), "a column is there twice"),
    "no header": Case(bids(f"a,1,{PRIVATE},1,0,6\n", ""), "inputs line 1"),
    "empty file": Case(bids("", ""), "inputs line 1"),
    "a row too short": Case(bids(f"a,1,{PRIVATE}\n"), "inputs line 2: 3 values where the header has 6"),
    "0 bidders": Case(bids(""), "the inputs hold 0 bidders; an auction needs at least 2"),
    "1 bidder": Case(bids(f"a,1,{PRIVATE},1,0,6\n"), "the inputs hold 1 bidders"),
    "257 bidders": Case(bids("".join(f"b{i},1,{PRIVATE},1,0,1\n" for i in range(257))), "at most 256"),
    "10⁶ rows": Case(bids(f"a,1,{PRIVATE},1,0,6\n" * 10**6), "inputs line 3: a second bid of a in slot 1"),
    "10⁶ steps": Case(
        replace(TINY, inputs="bidder,slot,price,quantity\n" + "a,1,9,2\n" * 10**6 + "b,1,7,3\n"),
        "inputs line 34: a has more than 32 steps in slot 1",
    ),
    "a long line": Case(bids("a" * 10**6), "inputs line 2"),
    # single cells
    "NaN": Case(cell(2, "NaN"), "inputs line 2: value is not a finite decimal number"),
    "infinity": Case(cell(5, "inf"), "inputs line 2: max is not a finite decimal number"),
    "no number": Case(cell(3, "one"), "inputs line 2: slope is not"),
    "empty cell": Case(cell(4, ""), "inputs line 2: min is not"),
    "a huge exponent": Case(cell(2, "1e999999999"), "inputs line 2: value is not"),
    "a fraction": Case(cell(2, "7/2"), "inputs line 2: value is not"),
    "too many digits": Case(cell(2, PRIVATE + "0" * 40), "inputs line 2: value is not"),
    "slot 0": Case(cell(1, "0"), "inputs line 2: slot must be a whole number from 1 to 1"),
    "slot beyond": Case(cell(1, "2"), "slot must be a whole number from 1 to 1"),
    "a bidder's name": Case(cell(0, "../../etc"), "inputs line 2: bidder '../../etc' must be"),
    "duplicate": Case(bids(f"a,1,{PRIVATE},1,0,6\na,1,{PRIVATE},1,0,6\n"), "line 3: a second bid of a in slot 1"),
    # bounds
    "negative slope": Case(cell(3, "-1"), "a, slot 1: slope lies outside the public bounds [0.5, 5]"),
    "slope too small": Case(cell(3, "0.4"), "slope lies outside the public bounds"),
    "negative value": Case(cell(2, "-" + PRIVATE), "value lies outside the public bounds [0, 20]"),
    "value outside bounds": Case(cell(2, "2" + PRIVATE), "value lies outside the public bounds [0, 20]"),
    "min above max": Case(cell(4, "6.5"), "a, slot 1: min is above max"),
    "min not allowed": Case(cell(4, "0.5"), "min lies outside the public bounds [0, 0]"),
    "max outside bounds": Case(cell(5, "10.5"), "max lies outside the public bounds [0, 10]"),
    "rising steps": Case(
        replace(TINY, inputs="bidder,slot,price,quantity\na,1,3,1\na,1,7.5,1\nb,1,2,1\n"), "step prices must fall"
    ),
    # budgets
    "unknown bidder": Case(replace(GOOD, budget="bidder,quantity\nz,5\n"), "z has no bid in the inputs"),
    "negative budget": Case(replace(GOOD, budget="bidder,quantity\na,-5\n"), "a: the budget is negative"),
    "budget's header": Case(replace(GOOD, budget="bidder,amount\na,5\n"), "header must be bidder,quantity"),
    # terms
    "unknown key": Case(terms("supply_max", "suply_max"), "unknown key 'suply_max'; did you mean supply_max?"),
    "unknown section": Case(terms("[solver]", "[solvr]"), "unknown section 'solvr'"),
    "no TOML": Case(terms('"auction"', "auction"), "is not valid TOML"),
    "no policy": Case(terms('policy = "auction"', ""), 'it must say policy = "auction"'),
    "another policy": Case(terms('policy = "auction"', 'policy = "lottery"'), 'it must say policy = "auction"'),
    "a missing section": Case(
        replace(GOOD, terms='policy = "auction"\n'), "[bounds] value must be [smallest, largest]"
    ),
    "a section that is none": Case(replace(GOOD, terms='policy = "auction"\nauction = 5\n'), "must be a section"),
    "text for a number": Case(terms("slots = 1", 'slots = "1"'), "[auction] slots must be a whole number"),
    "NaN in the terms": Case(terms("[1.0]", "[nan]"), "is not a finite number"),
    "reversed bounds": Case(terms("[0.5, 5.0]", "[5.0, 0.5]"), "slope is reversed"),
    "slope that may be 0": Case(terms("[0.5, 5.0]", "[0.0, 5.0]"), "slope"),
    "too few iterations": Case(terms("iterations = 40", "iterations = 3"), "iterations"),
    "numbers that overflow": Case(terms("[0.0, 20.0]", "[0.0, 1e14]"), "["),
    "unknown security": Case(
        replace(GOOD, terms=GOOD.terms + '[session]\nsecurity = "active"\n'), 'security must be "abort" or "passive"'
    ),
    "the encrypted plan": Case(GOOD, "not available in this version", ("--plan", "encrypted")),
    # nodes
    "two nodes": Case(GOOD, "2 nodes cannot compute privately", ("--nodes", "2")),
    "no node": Case(GOOD, "0 nodes cannot compute privately", ("--nodes", "0")),
    "eight nodes": Case(GOOD, "8 nodes are more than the 7", ("--nodes", "8")),
}


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run in `folder`; the sentence of a refusal that left no trace."""
    before = tree_of(folder)
    everything = ["run", "auction", *arguments, "--cluster", str(folder / "cluster")]
    assert front._run(everything) == 2
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if line.startswith("tacita: ")]
    assert len(said) == 1 and out == "" and "Traceback" not in err
    assert len(said[0]) < 400 and PRIVATE not in err and PRIVATE.replace(".", "") not in err
    assert tree_of(folder) == before and not (folder / "cluster").exists() and not (folder / "out").exists()
    assert children(os.getpid()) == [], "a process is left behind"
    return said[0]


@pytest.mark.parametrize("what", CASES)
def test_a_mistake_is_one_sentence(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[what]
    arguments = [*case.sample.write(tmp_path), "--out", str(tmp_path / "out"), *case.more]
    assert case.sentence in refused(arguments, tmp_path, capsys)


def test_a_file_of_a_million_rows_costs_no_more_memory_than_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sample = bids("".join(f"b{i},1,{PRIVATE},1,0,1\n" for i in range(10**6)))
    arguments = [*sample.write(tmp_path), "--out", str(tmp_path / "out")]
    assert "more than 262144 lines" in refused(arguments, tmp_path, capsys)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20, "less than 1 GiB, in KiB"


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot be read (No such file or directory)"),
    "a folder": (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "is not UTF-8 text"),
    "endless": (lambda path: path.symlink_to("/dev/zero"), "is larger than 256 MiB"),
    "a loop": (lambda path: path.symlink_to(path), "cannot be read"),
}


@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize("file", ["--terms", "--inputs", "--budget", "--nodes-file"])
def test_files_that_cannot_be_read(what: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, sentence = UNREADABLE[what]
    bad = tmp_path / "bad"
    make(bad)
    arguments = [*GOOD.write(tmp_path), "--out", str(tmp_path / "out"), file, str(bad)]
    said = refused(arguments, tmp_path, capsys)
    assert sentence in said and str(bad) in said


def test_a_folder_for_results_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "used" / "private").mkdir(parents=True)
    (tmp_path / "used" / "private" / "alice.json").write_text("{}")
    places = {"file": "is a file", "file/below": "cannot be written", "used": "private results of an earlier session"}
    for place, sentence in places.items():
        assert sentence in refused([*GOOD.write(tmp_path), "--out", str(tmp_path / place)], tmp_path, capsys)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_cluster_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    arguments = [*GOOD.write(tmp_path), "--out", str(tmp_path / "results"), "--cluster", str(tmp_path / "file")]
    assert front._run(["run", "auction", *arguments]) == 2
    assert "is a file; give a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine" and tree_of(tmp_path / "results") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bidder,place\n", "header must be bidder,node"),
        ("bidder,node\na,node9\n", "line 2: it must name a bidder of the inputs and one of node1, node2, node3"),
        ("bidder,node\nz,node1\n", "line 2: it must name a bidder"),
        ("bidder,node\na,node1\na,node2\n", "line 3: a is placed twice"),
        ("bidder,node\na,node1\nb,node1\n", "places no node for c"),
    ],
)
@pytest.mark.cluster
def test_a_nodes_file_that_does_not_fit(
    text: str, sentence: str, idle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nodes.csv").write_text(text)
    before = tree_of(idle)
    arguments = [*GOOD.write(tmp_path), "--out", str(tmp_path / "out"), "--nodes-file", str(tmp_path / "nodes.csv")]
    assert front._run(["run", "auction", *arguments, "--cluster", str(idle)]) == 2
    assert sentence in capsys.readouterr().err
    assert tree_of(idle) == before and tree_of(tmp_path / "out") == [] and children(os.getpid()) == []


@pytest.mark.cluster
def test_a_cluster_of_another_size(idle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*GOOD.write(tmp_path), "--out", str(tmp_path / "out"), "--cluster", str(idle), "--nodes", "5"]
    assert front._run(["run", "auction", *arguments]) == 2
    assert "has 3 nodes, not 5; give --nodes 3 or another --cluster folder" in capsys.readouterr().err
