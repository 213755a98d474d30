"""Files that appear whole or not at all, and folders that only their owner reads."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from tacita.crypto import encoding
from tacita.protocols.faults import CallerMistake, LocalFault
from tacita.protocols.terms import canonical_json

PRIVATE, PUBLIC = 0o600, 0o644
SECRET_BYTES = 1 << 20


def write(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write to a temporary neighbour with the final permissions, flush to disk, rename."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise LocalFault(
            f"{path} cannot be written ({error.strerror}); check the folder's space and permissions"
        ) from None


def write_json(path: Path, tree: Any, mode: int = PUBLIC) -> None:
    """Readable JSON with a final newline."""
    write(path, (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), mode)


def write_canonical(path: Path, tree: Any, mode: int = PUBLIC) -> None:
    """Canonical JSON with a final newline."""
    write(path, canonical_json(tree) + b"\n", mode)


def read(path: Path, what: str, limit: int = 256 << 20) -> bytes:
    """Read a file that the caller named; raises CallerMistake."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)  # a pipe or device does not tell its size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        raise CallerMistake(f"{what} {path} cannot be read ({reason}); give the right path") from None
    if len(data) > limit:
        raise CallerMistake(f"{what} {path} is larger than {limit >> 20} MiB; give the right file")
    return data


def read_text(path: Path, what: str) -> str:
    """Read UTF-8 text that the caller named; raises CallerMistake."""
    try:
        return read(path, what).decode()
    except UnicodeDecodeError:
        raise CallerMistake(f"{what} {path} is not UTF-8 text; give the right file") from None


def read_json(path: Path, what: str) -> Any:
    """Read JSON that the caller named; raises CallerMistake."""
    try:
        return encoding.read_json(read_text(path, what).encode())
    except ValueError:
        raise CallerMistake(f"{what} {path} is not valid JSON; give the right file") from None


def read_secret(path: Path, what: str) -> Any:
    """Read a JSON file of this node that nobody else may read; raises LocalFault."""
    try:
        return encoding.read_json(read_private(path, what, SECRET_BYTES))
    except ValueError:
        raise LocalFault(f"{what} {path} is damaged; restore it from a backup") from None


def read_private(path: Path, what: str, limit: int) -> bytes:
    """Read a file of this node that nobody else may read; raises LocalFault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise LocalFault(f"{what} {path} cannot be opened ({error.strerror}); restore it or start afresh") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_mode & 0o077 or status.st_uid != os.geteuid():
            raise LocalFault(f"{what} {path} can be read by others; run chmod 600 on it and check who had access")
        try:
            return file.read(limit)
        except OSError:
            raise LocalFault(f"{what} {path} is damaged; restore it from a backup") from None


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter."""
    if path.exists() and not path.is_dir():
        raise CallerMistake(f"{path} is a file; give a folder")
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise LocalFault(f"folder {path} cannot be made ({error.strerror}); check permissions") from None
    return path


def results_folder(path: Path) -> None:
    """Make sure, before anything is computed, that results can be written here; raises CallerMistake."""
    private = path / "private"
    try:
        if not path.exists():
            path.mkdir(parents=True, mode=0o700)
        if not path.is_dir():
            raise CallerMistake(f"--out {path} is a file; give a folder, or a new path")
        if private.exists() and (not private.is_dir() or any(private.iterdir())):
            raise CallerMistake(f"{private} holds private results of an earlier session; give another --out folder")
        probe = path / f".{secrets.token_hex(4)}"
        probe.touch(mode=PRIVATE, exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise CallerMistake(f"--out {path} cannot be written ({error.strerror}); give another folder") from None
