"""Files appear whole or not at all, only their owner reads the private ones, and every failure is a sentence."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from tacita.node import files
from tacita.protocols.faults import CallerMistake, LocalFault


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("mode", [files.PRIVATE, files.PUBLIC])
def test_a_file_has_its_permissions_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o000)
    try:
        files.write(tmp_path / "new" / "file", b"content", mode)
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "new" / "file").stat().st_mode) == mode


@pytest.mark.parametrize("step", ["fsync", "fchmod", "open"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    files.write(tmp_path / "file", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(LocalFault, match="No space left"):
        files.write(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_readers_see_the_old_or_the_new_content_and_never_a_part(tmp_path: Path) -> None:
    contents = {bytes([i]) * 100_000 for i in range(4)}
    files.write(tmp_path / "file", next(iter(contents)))
    stop, seen = threading.Event(), set[bytes]()

    def read() -> None:
        while not stop.is_set():
            seen.add((tmp_path / "file").read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        for content in contents:
            files.write(tmp_path / "file", content)
    stop.set()
    reader.join()
    assert seen <= contents


def test_a_parent_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalFault, match="cannot be written"):
        files.write(tmp_path / "file" / "below", b"x")
    with pytest.raises(CallerMistake, match="is a file; give a folder"):
        files.private_folder(tmp_path / "file")


def test_files_that_cannot_be_read_are_the_caller_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "deep").write_bytes(b"[" * 100_000)
    with pytest.raises(CallerMistake, match=r"inputs .*Is a directory"):
        files.read_text(tmp_path, "inputs")
    with pytest.raises(CallerMistake, match="No such file"):
        files.read_text(tmp_path / "missing", "inputs")
    with pytest.raises(CallerMistake, match="not UTF-8"):
        files.read_text(tmp_path / "binary", "inputs")
    with pytest.raises(CallerMistake, match="not valid JSON"):
        files.read_json(tmp_path / "deep", "roster")
    with pytest.raises(CallerMistake, match="no valid path"):
        files.read_text(Path("a\0b"), "inputs")


def test_what_does_not_tell_its_size_is_bounded_all_the_same() -> None:
    with pytest.raises(CallerMistake, match="larger than 1 MiB"):
        files.read(Path("/dev/zero"), "inputs", 1 << 20)


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("bidder,slot\n",))
    writer.start()
    assert files.read_text(tmp_path / "pipe", "inputs") == "bidder,slot\n"
    writer.join()


def test_a_secret_behind_a_link_or_of_another_user_is_refused(tmp_path: Path) -> None:
    files.write_json(tmp_path / "secret", {"a": 1}, files.PRIVATE)
    assert files.read_secret(tmp_path / "secret", "key") == {"a": 1}
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(LocalFault, match="cannot be opened"):
        files.read_secret(tmp_path / "link", "key")
    if os.geteuid() == 0:
        os.chown(tmp_path / "secret", 12345, -1)
        with pytest.raises(LocalFault, match="read by others"):
            files.read_secret(tmp_path / "secret", "key")


def test_private_folders_become_private_even_if_they_were_not(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    files.private_folder(tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_a_folder_for_results_is_made_or_refused_before_anything_is_computed(tmp_path: Path) -> None:
    files.results_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700 and names(tmp_path / "a" / "b") == []
    files.results_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CallerMistake, match="is a file"):
        files.results_folder(tmp_path / "file")
    with pytest.raises(CallerMistake, match="cannot be written"):
        files.results_folder(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "a" / "b" / "private").mkdir()
    files.results_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "private" / "alice.json").write_text("{}")
    with pytest.raises(CallerMistake, match="private results of an earlier session"):
        files.results_folder(tmp_path / "a" / "b")
