"""`tacita simulate`: what it prints, how it exits."""

import json
from collections.abc import Callable
from importlib import import_module

import pytest

from tacita.deploy.simulate import report
from tacita.deploy.simulate.plan import Plan
from tacita.deploy.simulate.report import Report, Scope
from tacita.deploy.simulate.world import Verdict

front = import_module("tacita.cli.main")
KEYS = {
    "worlds", "completed", "aborted", "wrong", "false_blame", "unfinished", "delivered", "dropped", "duplicated",
    "reordered", "cut", "failing_seeds", "digest", "virtual_seconds", "misbehaved", "key",
}  # fmt: skip


def run(*arguments: str) -> int:
    return int(front._run(["simulate", *arguments]))


def verdict(seed: int, ending: str = "completed", blame: bool = False) -> Verdict:
    return Verdict(seed, ending, blame, dict.fromkeys(report.COUNTED, 2), f"{seed:064x}", 1.5, ("because",))


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Worlds with given verdicts instead of simulated ones."""

    def plant(**verdicts: tuple[str, bool]) -> None:
        def judged(plan: Plan) -> Verdict:
            return verdict(plan.seed, *verdicts.get(f"s{plan.seed}", ("completed", False)))

        monkeypatch.setattr(report, "run_world", judged)

    return plant


def test_json_has_the_agreed_keys_and_the_sums_of_the_worlds(
    sample: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--worlds", "2", "--seed", "1", "--jobs", "1", "--format", "json") == 0
    out, err = capsys.readouterr()
    tree = json.loads(out)
    assert set(tree) == KEYS
    first = Report(Scope(1, 2), sample.verdicts[:2])
    assert tree == first.tree()
    assert tree["worlds"] == 2 and tree["failing_seeds"] == []
    assert tree["delivered"] == sum(v.counts["delivered"] for v in first.verdicts)
    assert err == ""


def test_text_says_that_this_is_insecure_and_what_became_of_the_worlds(
    worlds: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    worlds()
    assert run("--worlds", "3", "--seed", "5", "--jobs", "1") == 0
    out = capsys.readouterr().out
    assert out.startswith("INSECURE") and "512 bits" in out
    assert "completed" in out and "packets reordered" in out and "digest" in out


@pytest.mark.parametrize(
    ("ending", "blame", "code"),
    [("aborted", False, 0), ("wrong", False, 1), ("unfinished", False, 1), ("aborted", True, 1)],
)
def test_the_exit_code_says_whether_a_world_shows_a_bug(
    ending: str, blame: bool, code: int, worlds: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    worlds(s6=(ending, blame))
    assert run("--worlds", "3", "--seed", "5", "--jobs", "1", "--nodes", "5", "--format", "json") == code
    tree = json.loads(capsys.readouterr().out)
    assert tree["failing_seeds"] == ([6] if code else [])
    assert tree[ending] == 1 and tree["false_blame"] == blame
    assert run("--worlds", "3", "--seed", "5", "--jobs", "1", "--nodes", "5") == code
    out = capsys.readouterr().out
    assert ("tacita simulate --seed 6 --worlds 1 --nodes 5" in out) is bool(code)


@pytest.mark.parametrize(
    "arguments", [["--nodes", "2"], ["--nodes", "8"], ["--bits", "100"], ["--worlds", "0"], ["--misbehaving", "101"]]
)
def test_worlds_that_cannot_be_are_refused_with_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().err.startswith("tacita: ")


def test_worlds_on_two_processes_are_the_same(sample: Report) -> None:
    assert report.simulate(Scope(1, 2, jobs=2)).verdicts == sample.verdicts[:2]
