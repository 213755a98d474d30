"""`tacita attack`: the catalogue is whole, rows mean what they say, and nothing in production switches a check off."""

import ast
import inspect
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tacita.cli import attack
from tacita.cli.main import app
from tacita.deploy.attack import catalogue
from tacita.deploy.attack.case import CASES, Case, Play, Row, Shown, run_case
from tacita.deploy.attack.evidence import judged, judged_apart
from tacita.deploy.attack.patching import Defence, Patches, watched, without
from tacita.deploy.attack.session import prepare
from tacita.protocols import messages
from tacita.protocols.evidence import to_file
from tacita.protocols.faults import CallerMistake, InvalidEncodingFault
from tacita.protocols.policies.registry import complete_terms
from tests.adversary.honest import tree

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ("A07", "A10", "A19", "A23", "A38", "A61", "A63", "A75")
"""Inputs, broadcast, computation, verification, TLS, proofs, masks, key: the rest by `make attacks`."""
MAY_NOT_APPLY = {"A09", "A28", "A64", "A65", "A82", *(f"A{n}" for n in (*range(45, 52), 58, 59, 60))}


def test_every_id_has_a_case_or_a_reason() -> None:
    assert sorted(CASES) == catalogue.ids() == [f"A{n:02d}" for n in range(1, 92)]
    for id, found in CASES.items():
        assert bool(found.play) != bool(found.not_applicable), id
        assert not found.not_applicable or id in MAY_NOT_APPLY, id
        assert (found.defence is None) == (found.play is None)


def test_every_named_defence_exists_and_no_two_names_are_one_function() -> None:
    for found in CASES.values():
        if found.defence is not None:
            owner, name = found.defence.place()
            assert inspect.getattr_static(owner, name) is not None
            assert owner.__module__ if isinstance(owner, type) else owner.__name__.startswith("tacita.")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    before = {id: inspect.getattr_static(*CASES[id].defence.place()) for id in SAMPLE}  # type: ignore[union-attr]
    found = {row.case: row for row in catalogue.run_many(SAMPLE, 3, 1, 1)}
    after = {id: inspect.getattr_static(*CASES[id].defence.place()) for id in SAMPLE}  # type: ignore[union-attr]
    assert before == after, "a check is still replaced"
    return found


@pytest.mark.parametrize("id", SAMPLE)
def test_an_attack_comes_to_nothing_and_its_control_does_harm(rows: dict[str, Row], id: str) -> None:
    assert rows[id].ok, rows[id].reasons
    assert rows[id].control_succeeded and rows[id].harm


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| \n").split(" | ")]


def test_the_printed_table_is_the_one_that_the_command_writes(rows: dict[str, Row]) -> None:
    text = (ROOT / "tests/adversary/README.md").read_text()
    printed = text.split(attack.BEGIN)[1].split(attack.END)[0].strip().splitlines()
    assert len(printed) == 2 + 91
    for id, line in zip(catalogue.ids(), printed[2:], strict=True):
        assert cells(line)[:3] == [id, CASES[id].title, CASES[id].expected]
        defence = CASES[id].defence
        assert defence is None or f"`{defence.name.removeprefix('tacita.')}`" in line, id
        if id in rows:
            assert line == catalogue.table([rows[id]]).splitlines()[2], "run `make attack-table`"


# ---- what the harness itself must notice ----------------------------------------------------------------------------

CHECK = Defence("tacita.protocols.messages.list_of", lambda honest: lambda node, value: value)


def planted(play: object, **changes: object) -> Row:
    settings = {"variants": {"": "R InvalidEncoding"}, "defence": CHECK}
    return run_case(Case("A00", "planted", "R InvalidEncoding", play, **{**settings, **changes}), 3, 1, judged)  # type: ignore[arg-type]


def refused(play: Play) -> Shown:
    try:
        messages.list_of("node3", {})
    except InvalidEncodingFault:
        return Shown("R InvalidEncoding")
    return Shown("P", harm="a dictionary passes for a list")


def test_a_row_is_ok_only_with_a_refusal_and_a_harm() -> None:
    assert planted(refused).ok
    harmless = planted(lambda play: Shown(refused(play).verdict))
    assert not harmless.ok and harmless.control_succeeded is False
    succeeds = planted(lambda play: Shown(refused(play).verdict, harm="always"))
    assert not succeeds.ok and "the attack succeeded" in succeeds.reasons[0]
    never_asked = planted(lambda play: Shown("R InvalidEncoding", harm=""))
    assert not never_asked.ok and "was never asked" in never_asked.reasons[0]
    silent = planted(lambda play: Shown(refused(play).verdict, deviated=False, harm=refused(play).harm))
    assert not silent.ok and "nothing that deviates was sent" in silent.reasons
    other = planted(refused, variants={"": "I Equivocation by node3"})
    assert not other.ok and "the verdict is R InvalidEncoding, not I Equivocation" in other.reasons
    otherwise = planted(refused, deviation="for a reason")
    assert otherwise.ok and otherwise.reasons == ("otherwise than the catalogue: for a reason",)


def test_a_culprit_without_evidence_is_no_conviction() -> None:
    prepare(3)
    play = CASES["A10"].play
    assert play is not None
    with Patches() as patch:
        shown = play(Play(3, 1, "two bids", True, patch))
    assert judged(shown, "node3", False) and not judged(shown, "node2", False)
    assert shown.roster is not None
    data = to_file(shown.evidence[0], shown.roster)
    assert judged_apart(data, shown.roster) == "node3" and judged_apart(data[:-2], shown.roster) == ""
    shown.evidence = ()
    assert judged(shown, "node3", False) is False


def test_what_is_replaced_is_put_back() -> None:
    honest = messages.list_of
    with without(CHECK) as seen:
        assert messages.list_of("node3", 7) == 7 and seen.calls == 1
        assert messages.list_of is not honest
    with watched(CHECK) as seen, pytest.raises(InvalidEncodingFault):
        messages.list_of("node3", 7)
    assert (seen.calls, seen.refusals) == (1, 1)
    assert messages.list_of is honest
    with pytest.raises(AttributeError):
        Defence("tacita.protocols.messages.no_such_check").place()


# ---- nothing in production switches a check off ---------------------------------------------------------------------


def sources(*floors: str) -> list[Path]:
    return [path for floor in floors for path in sorted((ROOT / floor).rglob("*.py")) if "_pb2" not in path.name]


def test_nothing_but_the_command_imports_the_harness() -> None:
    for path in sources("crypto", "protocols", "node", "proto", "deploy", "src/tacita/cli"):
        if path.is_relative_to(ROOT / "deploy/attack") or path.name == "attack.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not any("deploy.attack" in name for name in (module, *names)), path
            assert "mock" not in f"{module} {names}", path


READS = {
    "GRPC_VERBOSITY": "node/main.py",
    "MPYC_NOUVLOOP": "protocols/mpc/runtime.py",
    "ENVIRONMENT": "node/keyfile.py",
}
"""gRPC is told to be silent, MPyC not to look at other event loops; a node may be told where its passphrase file is."""


def test_no_module_below_deploy_reads_the_environment_or_replaces_an_attribute() -> None:
    for path in sources("crypto", "protocols", "node"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.Call | ast.Subscript) else ""
            if re.match(r"os\.(getenv|environ)\b", text):
                assert any(name in text and path == ROOT / where for name, where in READS.items()), f"{path}: {text}"
            assert not re.match(r"setattr\((?!self)", text), f"{path}: {text}"


SWITCHES = ("verify", "check", "attack", "security_checks", "skip", "unsafe", "defence", "binding", "echo")


@pytest.mark.parametrize("name", SWITCHES)
def test_no_terms_switch_a_check_off(name: str) -> None:
    for changed in ({name: False}, {"session": {name: False}}, {"solver": {"method": "table", name: False}}):
        with pytest.raises(CallerMistake, match=name):
            complete_terms({**tree("public"), **changed})


@pytest.mark.parametrize("command", ["run", "verify", "judge", "demo", "simulate", "attack run"])
@pytest.mark.parametrize("name", SWITCHES)
def test_no_option_of_a_command_switches_a_check_off(command: str, name: str) -> None:
    for option in (f"--no-{name}", f"--without-{name}", f"--skip-{name}"):
        assert CliRunner().invoke(app, [*command.split(), option]).exit_code != 0


def test_no_environment_switches_a_check_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        for value in ("0", "off", "false"):
            monkeypatch.setenv(f"TACITA_{name.upper()}", value)
            monkeypatch.setenv(f"TACITA_NO_{name.upper()}", "1")
    assert os.environ["TACITA_NO_VERIFY"] == "1"
    assert catalogue.run_one("A10", 3, 2).ok


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_command_lists_runs_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert attack.list_(format="json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["case"] for entry in listed] == catalogue.ids()
    assert attack.run(["A70", "A09"], jobs=1, format="json") == 0
    printed = json.loads(capsys.readouterr().out)
    names = {"case", "expected", "verdict", "culprit_named", "evidence_checked", "control_succeeded", "ok"}
    assert all(set(row) == names for row in printed) and [row["case"] for row in printed] == ["A09", "A70"]
    for wrong in (["A92"], ["a10"], ["all", "A01"]):
        with pytest.raises(CallerMistake):
            attack.run(wrong)
    with pytest.raises(CallerMistake):
        attack.run(["A01"], nodes=2)
    with pytest.raises(CallerMistake, match="marks"):
        attack.table(into=ROOT / "README.md")
