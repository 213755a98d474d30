"""The node's durable memory: facts that must never be said twice in two ways (SQLite, WAL, synchronous FULL)."""

import sqlite3
from pathlib import Path

from tacita.protocols.faults import LocalFault


class Journal:
    """Implements protocols.party.Store; every fact is on disk before `remember` returns."""

    def __init__(self, path: Path) -> None:
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS facts (kind TEXT, key BLOB, value BLOB, PRIMARY KEY (kind, key))"
            )
        except sqlite3.Error as error:
            raise LocalFault(f"the journal {path} cannot be opened ({error}); check the disk and permissions") from None
        path.chmod(0o600)

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        """See Store."""
        try:
            self._database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", (kind, key, value))
        except sqlite3.Error as error:
            raise LocalFault(f"the journal cannot be written ({error}); free disk space and start again") from None
        stored = self.recall(kind, key)
        assert stored is not None
        return stored

    def recall(self, kind: str, key: bytes) -> bytes | None:
        """See Store."""
        row = self._database.execute("SELECT value FROM facts WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return bytes(row[0]) if row else None

    def close(self) -> None:
        """Release the file."""
        self._database.close()
