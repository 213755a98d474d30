"""Exit codes and sentences of the command line, one per kind of failure, without starting a node."""

import os
import subprocess
import sys
import tempfile
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tacita.cli.run import Options
from tacita.cli.shows import FURTHER_DEMOS
from tacita.deploy.local import BugInNode, most_telling
from tacita.node.client import NodeFailure
from tacita.protocols import faults
from tacita.protocols.faults import TacitaError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
front = import_module("tacita.cli.main")
"""The package exports the function of this name."""


def run(*arguments: str) -> int:
    return int(front._run(list(arguments)))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on standard error."""
    err = capsys.readouterr().err
    (line,) = err.splitlines()
    assert line.startswith("tacita: ") and len(line) > 30
    return line.removeprefix("tacita: ")


def test_without_arguments_there_is_help_and_no_empty_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["node"]):
        assert run(*arguments) == 2
        out, err = capsys.readouterr()
        assert "Usage: tacita" in out + err and "tacita: ;" not in out + err


@pytest.mark.parametrize("command", front.COMMANDS)
def test_every_command_has_a_help_page_and_a_line_in_the_list(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"Usage: tacita {command}" in capsys.readouterr().out
    assert run("--help") == 0
    assert command in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("tacita 0.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frob"], "No such command 'frob'; see tacita --help"),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'? See tacita --help"),
        (["run"], "Missing argument 'policy'; see tacita run --help"),
        (["run", "auction"], "Missing option '--terms'; see tacita run --help"),
        (["node", "init", "--data", "x"], "Missing option '--name'; see tacita node init --help"),
        (["run", "frob", "--terms", "t", "--inputs", "i", "--out", "o"], "there is no policy 'frob'"),
        (
            ["demo", "frob"],
            "interest_rate, prediction, stabilisation, collateralised, depreciation, monetary_policy",
        ),
        (
            ["run", "collateralised", "--terms", "t", "--inputs", "i", "--out", "o"],
            'run stabilisation with model = "collateralised" in its terms',
        ),
        (
            ["run", "monetary-policy", "--terms", "t", "--inputs", "i", "--out", "o"],
            "or run tacita demo monetary_policy",
        ),
        (["verify", "x", "--frob"], "No such option: --frob"),
        (["verify", "x", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["demo", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["run", "auction", "--nodes", "two", "--terms", "t", "--inputs", "i", "--out", "o"], "'--nodes'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_with_the_right_help_page(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert sentence in said(capsys)


@pytest.mark.parametrize("name", ["auction", "interest-rate", "prediction", "stabilisation", *FURTHER_DEMOS])
def test_every_demo_runs_the_terms_and_inputs_of_its_example(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Options] = []
    monkeypatch.setattr("tacita.cli.run._session", ran.append)
    assert run("demo", name) == 0
    (options,) = ran
    folder = EXAMPLES / {"auction": "coin-issue"}.get(name, name)
    assert options.tree == tomllib.loads((folder / "terms.toml").read_text())
    assert options.texts["inputs"] == (folder / "inputs.csv").read_text()
    assert options.plain and options.nodes == 3


def families(base: type[TacitaError]) -> list[type[TacitaError]]:
    return [base, *(deeper for one in base.__subclasses__() for deeper in families(one))]


@pytest.mark.parametrize(
    ("family", "code"),
    [
        (faults.VerificationFailed, 1),
        (faults.CallerMistake, 2),
        (faults.PeerFault, 3),
        (faults.MachineFault, 4),
    ],
)
def test_every_family_of_errors_has_its_exit_code(
    family: type[TacitaError], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in families(family):
        error = kind.__new__(kind)
        Exception.__init__(error, "this is what went wrong; do something else")

        def fail(error: Exception = error, **_: object) -> None:
            raise error

        monkeypatch.setattr(front, "app", fail)
        assert front._run([]) == code, kind
        assert said(capsys) == "this is what went wrong; do something else"


@pytest.mark.parametrize("error", [ZeroDivisionError("secret 13.728"), KeyError("13.728"), AssertionError(), OSError()])
def test_anything_else_is_our_bug_with_a_report_that_quotes_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(front, "app", fail)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert front._run([]) == 70
    sentence = said(capsys)
    report = Path(sentence.rsplit(" ", 1)[1])
    assert report.parent == tmp_path and report.stat().st_mode & 0o777 == 0o600
    assert type(error).__name__ in sentence and " in fail" in report.read_text()
    assert "13.728" not in sentence + report.read_text()


def test_a_bug_that_a_node_reported_is_not_reported_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise BugInNode("node1 failed by a bug of ours; please send us the report /x")

    monkeypatch.setattr(front, "app", fail)
    assert front._run([]) == 70
    assert said(capsys) == "node1 failed by a bug of ours; please send us the report /x"


def test_the_node_that_knows_the_reason_is_believed_first() -> None:
    told, gone = NodeFailure("SessionAborted", 4, "told"), NodeFailure("Gone", 4, "gone")
    absent, blamed = NodeFailure("Absent", 4, "absent"), NodeFailure("InvalidProofFault", 3, "blamed")
    mistake, bug = NodeFailure("CallerMistake", 2, "mistake"), NodeFailure("bug", 70, "bug")
    for ranked in ([bug, gone, blamed, absent, told], [gone, mistake, absent, told]):
        while ranked:
            error = most_telling(list(reversed(ranked)))
            assert str(error) == ranked[0].message
            assert getattr(error, "exit_code", 70) == ranked[0].exit_code
            ranked = ranked[1:]


def test_an_exit_code_that_only_a_bug_can_have_stays_a_bug() -> None:
    assert isinstance(most_telling([NodeFailure("TacitaError", 70, "x")]), BugInNode)


def test_a_reader_who_leaves_early_is_no_bug() -> None:
    """`tacita … | head -0`: the pipe is closed before anything is written."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tacita.cli", "--version"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_python_without_asserts_is_refused() -> None:
    command = [sys.executable, "-O", "-m", "tacita.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and "do not run Python with -O" in done.stderr
