"""A node's data folder: what must be there, who may read it, and what a damaged file leads to."""

import json
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.deploy.cluster import Admission, admit, enrol
from tacita.node import files
from tacita.node.config import Folder, Loaded
from tacita.node.identity import Pair
from tacita.node.server import Node
from tacita.protocols.faults import CallerMistake, LocalFault, TacitaError
from tacita.protocols.stages.certify import key_tree
from tests.cluster_in_memory import insecure_key

SECRET_FILES = ("identity.json", "tls.json", "key-share.json", "passphrase")
KEY_FILES = ("key-share.json", "passphrase")


def change(path: Path, how: Callable[[dict[str, Any]], Any]) -> None:
    tree = json.loads(path.read_text())
    how(tree)
    path.write_text(json.dumps(tree))
    path.chmod(0o600)


def refusal(folder: Path) -> TacitaError:
    with pytest.raises(TacitaError) as caught:
        Loaded.read(folder)
    return caught.value


def test_a_founded_folder_loads_and_shows_no_secret(alice: Path) -> None:
    loaded = Loaded.read(alice)
    assert loaded.address == "127.0.0.1:7001" and loaded.roster.names == ("alice", "bob", "carol")
    secrets = list(json.loads((alice / "identity.json").read_text()).values())[1:]
    secrets.append(format(loaded.share.secret, "x"))
    for shown in (repr(loaded), str(loaded), repr(loaded.identity), repr(loaded.tls), repr(loaded.share)):
        assert "PRIVATE KEY" not in shown
        assert all(secret not in shown and str(int(secret, 16)) not in shown for secret in secrets)


@pytest.mark.parametrize("file", SECRET_FILES)
def test_secret_files_are_their_owner_s_alone(founded: Path, file: str) -> None:
    for name in ("alice", "bob", "carol"):
        assert stat.S_IMODE((founded / name / file).stat().st_mode) == 0o600
        assert stat.S_IMODE((founded / name).stat().st_mode) == 0o700


@pytest.mark.parametrize("file", SECRET_FILES)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_secret_that_others_may_read_is_refused(alice: Path, file: str, mode: int) -> None:
    (alice / file).chmod(mode)
    error = refusal(alice)
    assert isinstance(error, LocalFault) and "chmod 600" in str(error) and file in str(error)


@pytest.mark.parametrize("file", ["identity.json", "tls.json"])
def test_unknown_and_missing_keys_are_refused(alice: Path, file: str) -> None:
    change(alice / file, lambda tree: tree.update(debug=True))
    assert "missing or unknown keys" in str(refusal(alice))
    change(alice / file, lambda tree: (tree.pop("debug"), tree.popitem()))
    assert "missing or unknown keys" in str(refusal(alice))


DAMAGE: dict[str, Any] = {
    "identity.json": {"signing": "zz", "sealing": "00", "multi": 5},
    "tls.json": {"own": {"certificate": "no PEM", "key": "no PEM"}, "operator": [], "authority": 7},
}


@pytest.mark.parametrize(("file", "key"), [(file, key) for file, keys in DAMAGE.items() for key in keys])
def test_a_damaged_value_gives_a_sentence_that_does_not_repeat_it(alice: Path, file: str, key: str) -> None:
    change(alice / file, lambda tree: tree.update({key: DAMAGE[file][key]}))
    error = refusal(alice)
    assert isinstance(error, LocalFault) and f"{alice / file} is damaged" in str(error)
    assert error.__cause__ is None and error.__suppress_context__


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
@pytest.mark.parametrize("file", [*SECRET_FILES, "roster.json", "key.json"])
def test_a_file_that_is_something_else_gives_a_sentence(alice: Path, file: str, content: bytes) -> None:
    (alice / file).write_bytes(content)
    message = str(refusal(alice))
    assert "Traceback" not in message and "\n" not in message and len(message) > 20


def test_a_folder_that_is_no_node_says_which_command_comes_next(alice: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    assert "run tacita node init first" in str(refusal(empty)) and isinstance(refusal(empty), CallerMistake)
    enrol(empty, "dave", "127.0.0.1:7004", SystemEntropy())
    assert "run tacita node admit" in str(refusal(empty))
    with pytest.raises(CallerMistake, match="already holds a node"):
        enrol(empty, "dave", "127.0.0.1:7004", SystemEntropy())


def test_files_of_two_nodes_or_clusters_do_not_mix(alice: Path, founded: Path, tmp_path: Path) -> None:
    for file in KEY_FILES:
        shutil.copy(founded / "bob" / file, alice)
    with pytest.raises(LocalFault, match="another place in the roster"):
        Node(alice)
    enrol(tmp_path / "other" / "alice", "alice", "127.0.0.1:7001", SystemEntropy())
    for file in KEY_FILES:
        shutil.copy(founded / "alice" / file, alice)
    shutil.copy(tmp_path / "other" / "alice" / "identity.json", alice)
    with pytest.raises(LocalFault, match="other keys for this node"):
        Node(alice)
    enrol(tmp_path / "dave", "dave", "127.0.0.1:7004", SystemEntropy())
    shutil.copy(tmp_path / "dave" / "identity.json", alice)
    with pytest.raises(LocalFault, match="no node dave"):
        _ = Loaded.read(alice).address


def test_a_node_refuses_a_key_that_is_too_short(alice: Path) -> None:
    with pytest.raises(LocalFault, match="1024 bits; keys of 2048 or 3072 bits"):
        Node(alice)


def test_a_dealt_key_is_refused_with_what_to_do(alice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, shares = insecure_key(3)
    loaded = replace(Loaded.read(alice), held=(key, shares[0]))
    files.write_json(alice / "key.json", key_tree(key))
    for refused in (lambda: Loaded.read(alice), lambda: Node(alice)):
        with pytest.raises(LocalFault, match=r"dealt keys are refused.*tacita keygen --out.*tacita node key propose"):
            refused()
    # Should a file ever pass: the node asks again before it uses a key.
    monkeypatch.setattr(Loaded, "read", lambda _: loaded)
    with pytest.raises(LocalFault, match=r"was dealt.*tacita keygen --out.*tacita node key propose"):
        Node(alice)


def test_an_admission_of_the_time_of_dealers_is_refused(founded: Path) -> None:
    folder = Folder(founded / "bob")
    tree = {**Admission(folder.roster(), folder.tls()).tree(), "key": None, "share": None}
    with pytest.raises(CallerMistake, match="not an admission file"):
        Admission.read(tree)


def test_an_admission_fits_the_node_it_was_made_for_alone(alice: Path, founded: Path, tmp_path: Path) -> None:
    folder = Folder(founded / "bob")
    admission = Admission(folder.roster(), folder.tls())
    for wrong in (admission, replace(admission, tls=replace(admission.tls, own=Pair(b"no PEM", b"")))):
        with pytest.raises(CallerMistake, match="not for alice"):
            admit(alice, wrong)
    enrol(tmp_path / "bob", "bob", "127.0.0.1:7002", SystemEntropy())
    with pytest.raises(CallerMistake, match="other keys of bob; enrol again"):
        admit(tmp_path / "bob", admission)
    again = Admission.read(json.loads(json.dumps(admission.tree())))
    assert again == admission and "PRIVATE KEY" not in repr(again)


def test_a_participant_keeps_its_key(alice: Path) -> None:
    folder = Folder(alice)
    first = folder.participant("erin", SystemEntropy())
    assert folder.participant("erin", SystemEntropy()).public == first.public
    path = alice / "participants" / "erin.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text("{}")
    with pytest.raises(LocalFault, match="damaged"):
        folder.participant("erin", SystemEntropy())
