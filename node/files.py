"""Files that appear whole or not at all, and folders that only their owner reads."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from tacita.protocols.faults import CallerMistake, LocalFault
from tacita.protocols.terms import canonical_json

PRIVATE, PUBLIC = 0o600, 0o644


def write(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write to a temporary neighbour with the final permissions, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
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
        if path.stat().st_size > limit:
            raise CallerMistake(f"{what} {path} is larger than {limit >> 20} MiB; give the right file")
        return path.read_bytes()
    except OSError as error:
        raise CallerMistake(f"{what} {path} cannot be read ({error.strerror}); give the right path") from None


def read_text(path: Path, what: str) -> str:
    """Read UTF-8 text that the caller named; raises CallerMistake."""
    try:
        return read(path, what).decode()
    except UnicodeDecodeError:
        raise CallerMistake(f"{what} {path} is not UTF-8 text; give the right file") from None


def read_json(path: Path, what: str) -> Any:
    """Read JSON that the caller named; raises CallerMistake."""
    try:
        return json.loads(read_text(path, what))
    except (ValueError, RecursionError):
        raise CallerMistake(f"{what} {path} is not valid JSON; give the right file") from None


def read_secret(path: Path, what: str) -> Any:
    """Read a JSON file of this node that nobody else may read; raises LocalFault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise LocalFault(f"{what} {path} cannot be opened ({error.strerror}); restore it or start afresh") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_mode & 0o077 or status.st_uid != os.geteuid():
            raise LocalFault(f"{what} {path} can be read by others; run chmod 600 on it and check who had access")
        try:
            return json.loads(file.read())
        except ValueError:
            raise LocalFault(f"{what} {path} is damaged; restore it from a backup") from None


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise LocalFault(f"folder {path} cannot be made ({error.strerror}); check permissions") from None
    return path
