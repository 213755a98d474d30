"""The same mistakes under every policy and model, by the command line.

Each ends in one sentence and exit code 2, before a node is founded or a file is written. What only one policy can get
wrong is tested beside the policy.
"""

import os
import tomllib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from tests.integration.running import children, tree_of

front = import_module("tacita.cli.main")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLES = ("coin-issue", "stabilisation", "collateralised", "depreciation", "interest-rate", "prediction")
"""An example of every policy, and of stabilisation one of every model."""
PRIVATE = "7.31415926"
"""Stands in every inputs file: no sentence may repeat it."""

Rows = list[list[str]]


def with_private(rows: Rows) -> Rows:
    """The last number of the first row becomes one that no message may quote."""
    return [rows[0], [*rows[1][:-1], PRIVATE], *rows[2:]]


def without_column(rows: Rows) -> Rows:
    return [row[:-1] for row in rows]


def with_column(name: str) -> Callable[[Rows], Rows]:
    return lambda rows: [[*row, name if i == 0 else "1"] for i, row in enumerate(rows)]


def last_cell(text: str) -> Callable[[Rows], Rows]:
    return lambda rows: [*rows[:2], [*rows[2][:-1], text], *rows[3:]]


def name(text: str) -> Callable[[Rows], Rows]:
    return lambda rows: [*rows[:2], [text, *rows[2][1:]], *rows[3:]]


def million(rows: Rows) -> Rows:
    """A million participants with one row each."""
    rest = ",".join(rows[1][1:])
    return [rows[0], *([f"p{i},{rest}"] for i in range(10**6))]


INPUTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "missing column": (without_column, "inputs line 1: column '{last}' is missing"),
    "unknown column": (with_column("note"), "inputs line 1: column 'note' is not known"),
    "a long unknown column": (with_column("n" * 10**5), "inputs line 1: column 'nnn"),
    "column twice": (lambda rows: [[*row, row[-1]] for row in rows], "inputs line 1: a column is there twice"),
    "no header": (lambda rows: rows[1:], "inputs line 1: column '{first}' is missing"),
    "empty": (lambda rows: [], "inputs line 1: column '{first}' is missing"),
    "nobody": (lambda rows: rows[:1], " 0 "),
    "NaN": (last_cell("NaN"), "inputs line 3: {last} is not a finite decimal number"),
    "infinity": (last_cell("-inf"), "inputs line 3: {last} is not a finite decimal number"),
    "empty cell": (last_cell(""), "inputs line 3: {last} is not a finite decimal number"),
    "a huge exponent": (last_cell("1e999999999"), "inputs line 3: {last} is not a finite decimal number"),
    "out of bounds": (last_cell("999.5"), "{last} lies outside the public bounds"),
    "a short row": (lambda rows: [*rows[:2], rows[2][:-1], *rows[3:]], "inputs line 3: "),
    "a row twice": (lambda rows: [*rows[:3], rows[2], *rows[3:]], "inputs line 4: a second "),
    "a name": (name("../../etc"), "inputs line 3: {first} '../../etc' must be"),
    "10⁶ rows": (million, "more than "),
}


class Session:
    """The files of one example in a folder, with one mistake, and the command that would run them."""

    def __init__(self, example: str, folder: Path) -> None:
        self.folder = folder
        self.terms = (EXAMPLES / example / "terms.toml").read_text()
        self.policy = str(tomllib.loads(self.terms)["policy"])
        lines = (EXAMPLES / example / "inputs.csv").read_text().splitlines()
        self.example = [line.split(",") for line in lines]
        self.rows = with_private(self.example)

    def refused(self, capsys: pytest.CaptureFixture[str], *more: str) -> str:
        """The sentence of `tacita run`, which must leave no trace."""
        for file, text in (("terms.toml", self.terms), ("inputs.csv", "\n".join(map(",".join, self.rows)))):
            if not (self.folder / file).exists():
                (self.folder / file).write_text(text)
        before, processes = tree_of(self.folder), children(os.getpid())
        places = ("--out", "--cluster", "--terms", "--inputs")
        given = zip(places, ("out", "cluster", "terms.toml", "inputs.csv"), strict=True)
        arguments = [word for place, file in given for word in (place, str(self.folder / file))]
        assert front._run(["run", self.policy, *arguments, *more]) == 2
        out, err = capsys.readouterr()
        said: Sequence[str] = [line for line in err.splitlines() if line.startswith("tacita: ")]
        assert len(said) == 1 and out == "" and "Traceback" not in err
        assert len(said[0]) < 400 and PRIVATE not in err and PRIVATE.replace(".", "") not in err
        assert tree_of(self.folder) == before and not (self.folder / "out").exists()
        assert children(os.getpid()) == processes, "a process is left behind"
        return said[0]


MODELS = ("collateralised", "depreciation")
"""Other terms of stabilisation, whose reader they share."""


@pytest.mark.parametrize(
    ("what", "example"), [(w, e) for w in INPUTS for e in SAMPLES if w != "10⁶ rows" or e not in MODELS]
)
def test_a_mistake_in_the_inputs(what: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(example, tmp_path)
    change, sentence = INPUTS[what]
    first, last = session.rows[0][0], session.rows[0][-1]
    session.rows = change(session.rows)
    assert sentence.format(first=first, last=last) in session.refused(capsys)


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot be read (No such file or directory)"),
    "a folder": (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "is not UTF-8 text"),
}


@pytest.mark.parametrize("example", SAMPLES)
@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read(
    what: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, sentence = UNREADABLE[what]
    make(tmp_path / "bad")
    said = Session(example, tmp_path).refused(capsys, "--inputs", str(tmp_path / "bad"))
    assert sentence in said and str(tmp_path / "bad") in said


TERMS = {
    "unknown key": ("\n[bounds]", "\n[bounds]\nnonsense = 1\n#", "unknown key 'nonsense'"),
    "unknown section": ("\n[bounds]", "\n[nonsense]\n[bounds]", "unknown section 'nonsense'"),
    "another policy": ('policy = "', 'policy = "x', "it must say policy = "),
    "no TOML": ("\n[bounds]", "\n[bounds", "is not valid TOML"),
    "security": ('security = "abort"', 'security = "active"', 'security must be "abort" or "passive"'),
}


@pytest.mark.parametrize("example", SAMPLES)
@pytest.mark.parametrize("what", TERMS)
def test_a_mistake_in_the_terms(what: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(example, tmp_path)
    old, new, sentence = TERMS[what]
    assert old in session.terms
    session.terms = session.terms.replace(old, new, 1)
    assert sentence in session.refused(capsys)


@pytest.mark.parametrize("example", SAMPLES)
@pytest.mark.parametrize(("nodes", "sentence"), [("2", "2 nodes cannot compute privately"), ("8", "more than the 7")])
def test_too_few_or_too_many_nodes(
    nodes: str, sentence: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(example, tmp_path)
    session.rows = session.example  # only the number of nodes is wrong
    assert sentence in session.refused(capsys, "--nodes", nodes)
