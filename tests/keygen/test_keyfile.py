"""Key files and the sealed journal: encrypted, for their owner only, and refused in every damaged or mixed state."""

import json

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.threshold import KeyShare
from tacita.deploy.attack.liars import all_made
from tacita.deploy.attack.ring import Ring
from tacita.node import keyfile
from tacita.node.config import Folder
from tacita.node.journal import Journal
from tacita.node.sealed import SECRET_KINDS, SealedJournal
from tacita.protocols.faults import LocalFault


@pytest.fixture(scope="module")
def made():
    ring = Ring(seed="key files")
    outcomes = ring.run()
    assert all_made(outcomes)
    return ring, outcomes


@pytest.fixture
def folder(made, tmp_path):
    ring, outcomes = made
    folder = Folder(tmp_path)
    folder.save_roster(ring.roster)
    folder.save_key(outcomes["node1"].certificate, outcomes["node1"].share, SeededEntropy("files"))
    return folder


def edit(path, change) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def test_a_key_comes_back_from_its_files(made, folder) -> None:
    certificate, share = made[1]["node1"].certificate, made[1]["node1"].share
    assert (folder.certificate(), folder.key(), folder.share()) == (certificate, certificate.key, share)
    for name in ("key-share.json", "passphrase"):
        assert (folder.path / name).stat().st_mode & 0o777 == 0o600
    assert format(abs(share.secret), "x") not in (folder.path / "key-share.json").read_text()


def test_a_share_opens_with_its_passphrase_only(folder, tmp_path, monkeypatch) -> None:
    (folder.path / "passphrase").write_text("another one\n")
    with pytest.raises(LocalFault, match="does not open"):
        folder.share()
    (folder.path / "passphrase").write_text("\n")
    with pytest.raises(LocalFault, match="empty"):
        folder.share()
    monkeypatch.setenv(keyfile.ENVIRONMENT, str(tmp_path / "elsewhere"))
    with pytest.raises(LocalFault, match="cannot be opened"):
        folder.share()


def test_a_passphrase_that_others_can_read_is_refused(folder) -> None:
    (folder.path / "passphrase").chmod(0o644)
    with pytest.raises(LocalFault, match="chmod 600"):
        folder.share()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.update(s=t["s"][:-4] + "AAA="),
        lambda t: t.update(s="no base64"),
        lambda t: t.update(index=2),
        lambda t: t.update(epoch=1),
        lambda t: t.update(key_id="00" * 32),
        lambda t: t["kdf"].update(n=2),
        lambda t: t.update(kdf=None),
        lambda t: t.pop("s"),
        lambda t: t.update(more=1),
        lambda t: t.update(format="other"),
    ],
)
def test_a_damaged_or_foreign_share_is_refused(folder, change) -> None:
    edit(folder.path / "key-share.json", change)
    with pytest.raises(LocalFault):
        folder.share()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["key"].update(epoch=1),
        lambda t: t["key"].update(kappa="5"),
        lambda t: t["signatures"].pop("node2"),
        lambda t: t["origin"].update(epoch=3),
        lambda t: t.update(roster="00" * 32),
        lambda t: t.pop("origin"),
        lambda t: t.update(format="other"),
    ],
)
def test_a_key_file_without_all_signatures_on_just_this_key_is_refused(folder, change) -> None:
    edit(folder.path / "key.json", change)
    with pytest.raises(LocalFault, match="damaged"):
        folder.key()


def test_a_key_that_calls_itself_dealerless_without_a_certificate_is_refused(folder) -> None:
    tree = json.loads((folder.path / "key.json").read_text())["key"]
    (folder.path / "key.json").write_text(json.dumps(tree))
    with pytest.raises(LocalFault, match="no certificate"):
        folder.key()


def test_the_journal_holds_no_secret_of_a_ceremony_in_the_clear(tmp_path) -> None:
    journal, entropy = Journal(tmp_path / "journal.sqlite"), SeededEntropy("journal")
    store = SealedJournal.open(journal, b"passphrase", entropy)
    for kind in sorted(SECRET_KINDS):
        assert store.remember(kind, b"key", b"a secret value") == b"a secret value"
        assert store.remember(kind, b"key", b"another value") == b"a secret value"
        assert store.recall(kind, b"key") == b"a secret value"
        assert b"a secret value" not in (journal.recall(kind, b"key") or b"")
    store.remember("keygen/said", b"key", b"public words")
    assert journal.recall("keygen/said", b"key") == b"public words"
    again = SealedJournal.open(journal, b"passphrase", entropy)
    assert again.recall("keygen/batch", b"key") == b"a secret value"
    with pytest.raises(LocalFault, match="passphrase"):
        SealedJournal.open(journal, b"other", entropy).recall("keygen/batch", b"key")
    for kind in SECRET_KINDS:
        store.forget(kind, b"key")
        assert store.recall(kind, b"key") is None
    journal.compact()
    journal.close()


def test_what_is_forgotten_is_gone_from_the_files_of_the_journal(tmp_path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.remember("kind", b"key", b"needle" * 40)
    journal.forget("kind", b"key")
    journal.compact()
    journal.close()
    assert all(b"needle" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_share_has_no_place_in_a_repr() -> None:
    assert "4711" not in repr(KeyShare(1, 4711))
