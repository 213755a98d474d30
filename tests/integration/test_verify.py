"""`tacita verify` checks a certificate offline, in a process that knows nothing of nodes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tacita.protocols.stages.certify import Certificate
from tests.integration import samples
from tests.integration.running import MARK, Ran, Running, outcome, succeeded, tacita

pytestmark = pytest.mark.cluster


def verify(folder: Path, *more: object) -> Ran:
    return tacita("verify", folder / "certificate.json", *more)


def test_a_certificate_is_valid_for_those_who_know_the_roster(a1: Path) -> None:
    ran = succeeded(verify(a1, "--roster", a1 / "roster.json"))
    assert "inputs_bound: yes, security: abort, provenance: dealerless" in ran.out
    assert ran.out.count("  ok  ") >= 9 and ran.err == ""


def test_the_json_form_repeats_the_outcome_of_the_session(a1: Path) -> None:
    ran = succeeded(verify(a1, "--roster", a1 / "roster.json", "--format", "json"))
    tree = json.loads(ran.out)
    assert tree["valid"] is True and tree["signers"] == "known"
    session = outcome(a1)
    assert tree["outcome"] == {key: session[key] for key in tree["outcome"]}
    assert {"allocation", "payment", "price", "welfare"} <= set(tree["outcome"])
    assert tree["digest"] == session["certificate"]


def test_without_a_roster_the_signers_are_unknown(a1: Path) -> None:
    ran = verify(a1)
    assert ran.code == 5 and "signed by unknown keys" in ran.sentence


def test_another_cluster_s_roster_is_refused(a1: Path, idle: Path) -> None:
    assert "another roster" in verify(a1, "--roster", idle / "roster.json").refused(1)


@pytest.mark.parametrize("place", [0.02, 0.2, 0.4, 0.6, 0.8, 0.97])
def test_a_flipped_byte_anywhere_is_noticed(a1: Path, tmp_path: Path, place: float) -> None:
    data = bytearray((a1 / "certificate.json").read_bytes())
    data[int(place * len(data))] ^= 1
    (tmp_path / "certificate.json").write_bytes(data)
    verify(tmp_path, "--roster", a1 / "roster.json").refused(1)


@pytest.mark.parametrize("part", ["opened", "partials", "nodes", "bids", "aggregate", "root"])
def test_a_changed_value_in_canonical_form_is_noticed(a1: Path, tmp_path: Path, part: str) -> None:
    """A change that survives the check of the form: one hex digit of one value."""
    text = (a1 / "certificate.json").read_text()
    start = text.index(f'"{part}":')
    digits = next(i for i in range(start + len(part) + 3, len(text)) if text[i : i + 40].isalnum() or part == "opened")
    place = next(i for i in range(digits + 8, len(text)) if text[i] in "12345678")
    changed = text[:place] + str(int(text[place]) + 1) + text[place + 1 :]
    Certificate.decode(changed.encode())
    (tmp_path / "certificate.json").write_text(changed)
    verify(tmp_path, "--roster", a1 / "roster.json").refused(1)


def test_a_missing_file_is_the_caller_s_mistake(a1: Path, tmp_path: Path) -> None:
    assert "cannot be read" in verify(tmp_path).refused(2)
    assert "cannot be read" in verify(a1, "--roster", tmp_path / "roster.json").refused(2)
    assert "cannot be read" in verify(a1, "--terms", tmp_path / "terms.toml").refused(2)


def test_a_terms_file_must_be_the_one_that_was_followed(a1: Path, tmp_path: Path) -> None:
    (tmp_path / "right.toml").write_text(samples.A1.terms)
    (tmp_path / "wrong.toml").write_text(samples.A1.terms.replace("quadratic = 0.5", "quadratic = 0.6"))
    (tmp_path / "broken.toml").write_text("policy = auction")
    ran = succeeded(verify(a1, "--roster", a1 / "roster.json", "--terms", tmp_path / "right.toml"))
    assert "terms agree with the given file" in ran.out
    ran = verify(a1, "--roster", a1 / "roster.json", "--terms", tmp_path / "wrong.toml")
    assert "differ from the given terms file" in ran.refused(1)
    ran = verify(a1, "--roster", a1 / "roster.json", "--terms", tmp_path / "broken.toml")
    assert "not valid TOML" in ran.refused(2)


def test_a_certificate_that_is_no_certificate_is_refused(a1: Path, tmp_path: Path) -> None:
    for content in (b"", b"{}", b"[" * 100000, b"\xff\xfe", (a1 / "outcome.json").read_bytes()):
        (tmp_path / "certificate.json").write_bytes(content)
        verify(tmp_path, "--roster", a1 / "roster.json").refused(1)


SCRIPT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("tacita.node", "tacita.deploy", "grpc", "sqlite3")) and BLOCKED:
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Refuse())
from tacita.cli.main import _run
code = _run(sys.argv[1:])
bad = [name for name in sys.modules if name.startswith(("tacita.node", "tacita.deploy", "grpc", "mpyc"))]
print("imported:", bad)
sys.exit(code)
"""


@pytest.mark.parametrize("blocked", [False, True])
def test_verifying_imports_nothing_of_a_node_and_works_without_it(a1: Path, tmp_path: Path, blocked: bool) -> None:
    shutil.copy(a1 / "certificate.json", tmp_path)
    arguments = ["verify", str(tmp_path / "certificate.json"), "--roster", str(a1 / "roster.json")]
    script = SCRIPT.replace("BLOCKED", str(blocked))
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "imported: []" in done.stdout


def test_the_nodes_are_not_asked(a1: Path, running: Running) -> None:
    """The certificate verifies where no node can be reached: in a network namespace of its own."""
    command = [sys.executable, "-m", "tacita.cli", "verify", str(a1 / "certificate.json")]
    command += ["--roster", str(running.folder / "roster.json")]
    done = subprocess.run(
        ["unshare", "--net", *command], capture_output=True, text=True, timeout=120, check=False, env={MARK: ""}
    )
    if "unshare" in done.stderr:
        pytest.skip("this machine does not allow network namespaces")
    assert done.returncode == 0, done.stderr


def test_a_key_file_shows_where_the_key_comes_from(a1: Path, running: Running, idle: Path, tmp_path: Path) -> None:
    key = running.data(running.names[0]) / "key.json"
    ran = succeeded(verify(a1, "--roster", a1 / "roster.json", "--key", key))
    assert "all nodes signed for this key as the end of key ceremony" in ran.out
    assert verify(a1, "--key", idle / "nodes" / "node1" / "key.json").refused(1).startswith("the session used another")
    tree = json.loads(key.read_text())
    tree["origin"]["epoch"] += 1
    (tmp_path / "key.json").write_text(json.dumps(tree))
    assert "signature of node1 on the key" in verify(a1, "--key", tmp_path / "key.json").refused(1)
    (tmp_path / "key.json").write_text("{}")
    assert "not a key certificate" in verify(a1, "--key", tmp_path / "key.json").refused(1)
