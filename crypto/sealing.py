"""Envelopes: bytes for one recipient's X25519 key, by key-committing authenticated encryption.

An ephemeral key pair, HKDF-SHA256 over the shared point and both public keys, ChaCha20-Poly1305. ChaCha20-Poly1305
alone does not commit to its key, so 32 bytes of the derived key material stand in front as a commitment: one
envelope opens to one plaintext only.
"""

import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import InvalidEncoding

OVERHEAD = 32 + 32 + 16
"""Ephemeral key, key commitment, tag."""


@dataclass(frozen=True)
class SealingKey:
    """An X25519 key from 32 secret bytes."""

    secret: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()


def check_recipient(public: bytes) -> None:
    """Refuse a key for which sealing fails: points of small order; raises InvalidEncoding."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise InvalidEncoding("a key for envelopes is no public key") from None


def _keys(shared: bytes, ephemeral: bytes, recipient: bytes, associated: bytes) -> tuple[bytes, bytes]:
    info = b"tacita/v1/envelope" + ephemeral + recipient + len(associated).to_bytes(4, "big") + associated
    material = HKDF(algorithm=SHA256(), length=64, salt=None, info=info).derive(shared)
    return material[:32], material[32:]


def seal(recipient: bytes, plaintext: bytes, associated: bytes, entropy: Entropy) -> bytes:
    """ephemeral public key ‖ key commitment ‖ ciphertext; `associated` says what the envelope is for."""
    ephemeral = X25519PrivateKey.from_private_bytes(entropy.token(32))
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    key, commitment = _keys(shared, public, recipient, associated)
    # The key is used once, so a constant nonce is safe.
    return public + commitment + ChaCha20Poly1305(key).encrypt(bytes(12), plaintext, associated)


def unseal(recipient: SealingKey, envelope: bytes, associated: bytes) -> bytes:
    """Open an envelope; raises InvalidEncoding if it was not sealed for this key and purpose."""
    if len(envelope) < OVERHEAD:
        raise InvalidEncoding("an envelope is too short")
    public, commitment, body = envelope[:32], envelope[32:64], envelope[64:]
    try:
        shared = X25519PrivateKey.from_private_bytes(recipient.secret).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
        key, expected = _keys(shared, public, recipient.public, associated)
        if not hmac.compare_digest(expected, commitment):
            raise InvalidEncoding("an envelope does not commit to its key")
        return ChaCha20Poly1305(key).decrypt(bytes(12), body, associated)
    except (InvalidTag, ValueError):
        raise InvalidEncoding("an envelope does not open with this node's key") from None
