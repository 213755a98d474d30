"""The node's durable memory: facts that must never be said twice in two ways (SQLite, WAL, synchronous FULL)."""

import os
import sqlite3
from pathlib import Path

from tacita.protocols.faults import LocalFault

RESTORE = (
    "check the disk, then restore the newest copy or found the cluster anew: "
    "with an old journal a node could sign twice"
)


class Journal:
    """Implements protocols.party.Store; every fact is on disk before `remember` returns."""

    def __init__(self, path: Path) -> None:
        try:
            # sqlite gives the files beside it the mode of the database, so that is private from the start.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise LocalFault(
                f"the journal {path} cannot be opened ({error.strerror}); check the disk and permissions"
            ) from None
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("PRAGMA secure_delete=ON")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS facts (kind TEXT, key BLOB, value BLOB, PRIMARY KEY (kind, key))"
            )
            damage = self._database.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise LocalFault(f"the journal {path} cannot be opened ({error}); {RESTORE}") from None
        if damage != "ok":
            self._database.close()
            raise LocalFault(f"the journal {path} is damaged; {RESTORE}")

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        """See Store."""
        try:
            self._database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", (kind, key, value))
        except sqlite3.Error as error:
            raise LocalFault(f"the journal cannot be written ({error}); free disk space and start again") from None
        stored = self.recall(kind, key)
        if stored is None:
            raise LocalFault(f"the journal forgot what it was just told; {RESTORE}")
        return stored

    def recall(self, kind: str, key: bytes) -> bytes | None:
        """See Store."""
        try:
            row = self._database.execute("SELECT value FROM facts WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        except sqlite3.Error as error:
            raise LocalFault(f"the journal cannot be read ({error}); {RESTORE}") from None
        return bytes(row[0]) if row else None

    def forget(self, kind: str, key: bytes) -> None:
        """See keygen's KeyStore: the value is overwritten, not only unlinked."""
        try:
            self._database.execute("DELETE FROM facts WHERE kind = ? AND key = ?", (kind, key))
        except sqlite3.Error as error:
            raise LocalFault(f"the journal cannot be written ({error}); free disk space and start again") from None

    def compact(self) -> None:
        """Bring what was overwritten out of the write-ahead log, too."""
        try:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise LocalFault(f"the journal cannot be written ({error}); free disk space and start again") from None

    def close(self) -> None:
        """Release the file."""
        self._database.close()
