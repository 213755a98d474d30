"""A bug of ours is said to be one: exit code 70 and a report that quotes no value, never "your mistake"."""

import stat
from pathlib import Path

import pytest

from tests.integration.canary import BIDS, sample
from tests.integration.injection import inject
from tests.integration.running import Ran, leftovers, tacita

pytestmark = pytest.mark.cluster

IN_ENGINE = """
async def trunc(self, a, bits, width):
    raise ZeroDivisionError(f"division of {a} by zero")
module.SharedEngine._trunc = trunc
"""
IN_NODE = """
def make(setup, participant, values, recipients, entropy):
    raise ZeroDivisionError(f"cannot divide {values[0]} = 13.728193645501")
module.make_object = make
"""
IN_COMMAND = """
def fill(manifest, terms, texts, placed):
    raise ZeroDivisionError(f"cannot divide {texts}")
module.fill_inboxes = fill
"""


def run(idle: Path, folder: Path, module: str, body: str) -> Ran:
    """`tacita run` with a bug planted in every process that imports the module."""
    env = inject(folder / "patch", module, body)
    (folder / "tmp").mkdir()
    arguments = sample(folder.name[-40:].replace("_", "-").strip("-"), "public", 60).write(folder)
    out = folder / "out"
    return tacita(
        "run", "auction", *arguments, "--cluster", idle, "--out", out, env={**env, "TMPDIR": str(folder / "tmp")}
    )


def check(ran: Ran, folder: Path) -> Path:
    """The exit code, the sentence, and the report it names."""
    assert ran.code == 70, ran.err
    assert leftovers(ran.mark) == []
    assert "bug of ours" in ran.sentence
    report = Path(ran.sentence.rsplit(" ", 1)[1])
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    said = report.read_text() + ran.err + ran.out
    assert "ZeroDivisionError" in report.read_text()
    for number in (n for bid in BIDS["public"].values() for n in bid):
        assert number not in said and number.replace(".", "") not in said
    assert not list((folder / "out").iterdir())
    return report


def test_a_bug_in_the_engine_is_reported_by_the_node(idle: Path, tmp_path: Path) -> None:
    report = check(run(idle, tmp_path, "tacita.protocols.mpc.shared", IN_ENGINE), tmp_path)
    assert report.parent.name == "reports" and idle in report.parents
    assert " in trunc" in report.read_text(), "the report says where"


def test_a_bug_in_the_node_is_reported_by_the_node(idle: Path, tmp_path: Path) -> None:
    report = check(run(idle, tmp_path, "tacita.protocols.stages.commit", IN_NODE), tmp_path)
    assert idle in report.parents and " in make" in report.read_text()


def test_a_bug_in_the_command_is_reported_by_the_command(idle: Path, tmp_path: Path) -> None:
    report = check(run(idle, tmp_path, "tacita.deploy.local", IN_COMMAND), tmp_path)
    assert report.parent == tmp_path / "tmp" and " in fill" in report.read_text()
