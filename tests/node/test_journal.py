"""What a node has said stays said: over a crash, a second value, and a damaged file."""

import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tacita.node.journal import Journal
from tacita.protocols.faults import LocalFault

REMEMBER = """
import os, signal, sys
from pathlib import Path
from tacita.node.journal import Journal
journal = Journal(Path(sys.argv[1]))
for i in range(50):
    journal.remember("ticket", bytes([i]), b"digest %d" % i)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def filled(path: Path) -> bytes:
    """A closed journal with a few pages."""
    journal = Journal(path)
    for i in range(200):
        journal.remember("ticket", i.to_bytes(32, "big"), bytes([i]) * 64)
    journal.close()
    return path.read_bytes()


def test_a_second_value_never_overwrites_the_first(path: Path) -> None:
    journal = Journal(path)
    assert journal.remember("ticket", b"auction", b"first") == b"first"
    assert journal.remember("ticket", b"auction", b"second") == b"first"
    assert journal.remember("spent", b"auction", b"second") == b"second", "another kind is another fact"
    journal.close()
    again = Journal(path)
    assert again.remember("ticket", b"auction", b"third") == b"first"
    assert again.recall("ticket", b"auction") == b"first" and again.recall("ticket", b"other") is None


def test_two_processes_on_one_journal_agree(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    assert one.remember("ticket", b"auction", b"first") == b"first"
    assert other.remember("ticket", b"auction", b"second") == b"first"


def test_what_was_remembered_survives_a_kill_right_after(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", REMEMBER, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    journal = Journal(path)
    assert [journal.recall("ticket", bytes([i])) for i in range(50)] == [b"digest %d" % i for i in range(50)]


def test_every_fact_is_flushed_to_the_disk(path: Path) -> None:
    journal = Journal(path)
    assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_process_that_dies_in_the_middle_of_a_write_loses_only_that_write(path: Path, tmp_path: Path) -> None:
    """The log that SQLite keeps beside the file, cut at many places: earlier facts stay."""
    journal = Journal(path)
    sizes = []
    for i in range(6):
        journal.remember("ticket", bytes([i]), bytes([i]) * 300)
        sizes.append(path.with_name("journal.sqlite-wal").stat().st_size)
    log = path.with_name("journal.sqlite-wal").read_bytes()
    for cut in range(sizes[0], len(log), 777):
        copy = tmp_path / f"cut{cut}" / "journal.sqlite"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        copy.with_name("journal.sqlite-wal").write_bytes(log[:cut])
        again = Journal(copy)
        whole = sum(size <= cut for size in sizes)
        assert [again.recall("ticket", bytes([i])) for i in range(whole)] == [bytes([i]) * 300 for i in range(whole)]
        assert again.remember("ticket", b"\x05", b"later") in (b"later", b"\x05" * 300)
        again.close()
    journal.close()


@pytest.mark.parametrize("what", ["garbage", "first page", "truncated", "middle page", "directory"])
def test_a_damaged_journal_is_a_sentence_and_not_an_empty_one(path: Path, what: str) -> None:
    data = filled(path)
    if what == "directory":
        path.unlink()
        path.mkdir()
    else:
        damaged = {
            "garbage": b"\xa5" * len(data),
            "first page": b"SQLite format 3\0" + b"\xa5" * 84 + data[100:],
            "truncated": data[: len(data) // 2],
            "middle page": data[:8192] + b"\xa5" * 4096 + data[12288:],
        }
        path.write_bytes(damaged[what])
    with pytest.raises(LocalFault) as caught:
        Journal(path)
    message = str(caught.value)
    assert "journal" in message and "\n" not in message and len(message) > 40


def test_a_disk_that_fails_later_is_a_sentence_too(path: Path) -> None:
    journal = Journal(path)
    journal.remember("ticket", b"auction", b"first")
    journal._database.close()
    with pytest.raises(LocalFault, match="journal cannot be read"):
        journal.recall("ticket", b"auction")
    with pytest.raises(LocalFault, match="journal cannot be written"):
        journal.remember("ticket", b"auction", b"second")


def test_only_the_owner_reads_the_journal_and_the_files_beside_it(path: Path) -> None:
    journal = Journal(path)
    journal.remember("ticket", b"auction", b"first")
    beside = sorted(p.name for p in path.parent.iterdir())
    assert beside == ["journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal"]
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}


def test_a_journal_behind_a_link_is_refused(path: Path, tmp_path: Path) -> None:
    filled(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalFault, match="cannot be opened"):
        Journal(path)


def test_a_journal_of_the_first_version_loads(path: Path) -> None:
    """This schema was written by 0.1: whatever comes later must read it."""
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE facts (kind TEXT, key BLOB, value BLOB, PRIMARY KEY (kind, key))")
    old.execute("INSERT INTO facts VALUES ('spent', x'01', x'02')")
    old.commit()
    old.close()
    assert Journal(path).recall("spent", b"\x01") == b"\x02"
