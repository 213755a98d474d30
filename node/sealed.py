"""The secrets of a key ceremony in the journal, encrypted under the node's passphrase.

Seeds, the winner's parts and the unfinished share are AES-256-GCM boxes, bound to their place; what was said in public
stays as it is.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tacita.crypto.entropy import Entropy
from tacita.node.journal import Journal
from tacita.node.keyfile import stretch
from tacita.protocols.faults import LocalFault

SECRET_KINDS = frozenset({"keygen/batch", "keygen/winner", "keygen/theta", "keygen/key", "key/pending"})
NONCE_BYTES, SALT_BYTES = 12, 16


@dataclass(frozen=True)
class SealedJournal:
    """Implements keygen's KeyStore on a journal."""

    journal: Journal
    key: bytes = field(repr=False)
    entropy: Entropy

    @staticmethod
    def open(journal: Journal, passphrase: bytes, entropy: Entropy) -> "SealedJournal":
        """Derive the journal's key; its salt is made on first use."""
        salt = journal.remember("keygen/salt", b"", entropy.token(SALT_BYTES))
        return SealedJournal(journal, stretch(passphrase, salt), entropy)

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        """See Store."""
        if kind not in SECRET_KINDS:
            return self.journal.remember(kind, key, value)
        nonce = self.entropy.token(NONCE_BYTES)
        box = nonce + AESGCM(self.key).encrypt(nonce, value, kind.encode() + b"/" + key)
        return self._open(kind, key, self.journal.remember(kind, key, box))

    def recall(self, kind: str, key: bytes) -> bytes | None:
        """See Store."""
        stored = self.journal.recall(kind, key)
        return self._open(kind, key, stored) if stored is not None and kind in SECRET_KINDS else stored

    def forget(self, kind: str, key: bytes) -> None:
        """See KeyStore."""
        self.journal.forget(kind, key)

    def _open(self, kind: str, key: bytes, box: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], kind.encode() + b"/" + key)
        except InvalidTag:
            raise LocalFault(
                "a secret in the journal does not open; give the passphrase file that this ceremony was begun with"
            ) from None
