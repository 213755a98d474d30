"""The secret part of a node's key file: its share, encrypted under a passphrase (docs/keys.md).

scrypt makes a key of the passphrase, AES-256-GCM encrypts; the key's identifier is authenticated along, so that a share
of another key or epoch does not open. The passphrase lies in a file of its own, which may live on another medium; the
node makes one on first use. It is never an argument of a command.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tacita.crypto.encoding import read_json
from tacita.crypto.entropy import Entropy
from tacita.crypto.threshold import KeyShare
from tacita.node import files
from tacita.protocols.faults import LocalFault
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.terms import canonical_json

FORMAT = "tacita-share/1"
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 15, 8, 1
FILE_NAME = "passphrase"
ENVIRONMENT = "TACITA_PASSPHRASE_FILE"
MAX_PASSPHRASE = 4096


def passphrase(folder: Path, entropy: Entropy | None = None) -> bytes:
    """From the file that the environment names, else from the data folder; made there if `entropy` is given."""
    path = secret_path(folder)
    if entropy is not None and path == folder / FILE_NAME and not path.exists():
        files.write(path, entropy.token(32).hex().encode() + b"\n", files.PRIVATE)
    data = files.read_private(path, "passphrase file", MAX_PASSPHRASE).strip()
    if not data:
        raise LocalFault(f"the passphrase file {path} is empty; put the passphrase of this node's key share into it")
    return data


def secret_path(folder: Path) -> Path:
    """Where the passphrase lies."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else folder / FILE_NAME


def seal_share(certificate: KeyCertificate, share: KeyShare, secret: bytes, entropy: Entropy) -> dict[str, Any]:
    """The tree of key-share.json."""
    salt, nonce = entropy.token(16), entropy.token(12)
    plain = canonical_json({"s": format(share.secret, "x")})
    tree = {
        "format": FORMAT,
        "key_id": certificate.identifier.hex(),
        "index": share.index,
        "epoch": certificate.key.epoch,
        "provenance": certificate.key.provenance,
        "kdf": {"name": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": salt.hex()},
    }
    box = nonce + AESGCM(stretch(secret, salt)).encrypt(nonce, plain, canonical_json(tree))
    return {**tree, "s": base64.b64encode(box).decode()}


def open_share(tree: dict[str, Any], certificate: KeyCertificate, secret: bytes) -> KeyShare:
    """The inverse; raises LocalFault with what to do."""
    public = {name: value for name, value in tree.items() if name != "s"}
    expected = {
        "format": FORMAT,
        "key_id": certificate.identifier.hex(),
        "epoch": certificate.key.epoch,
        "provenance": certificate.key.provenance,
    }
    if any(public.get(name) != value for name, value in expected.items()):
        raise LocalFault("the key share belongs to another key or epoch than key.json; restore both from one backup")
    try:
        kdf = {"name": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": public["kdf"]["salt"]}
        if public["kdf"] != kdf or set(public) != {*expected, "index", "kdf"}:
            raise ValueError("unknown entries")
        box, salt = base64.b64decode(tree["s"], validate=True), bytes.fromhex(kdf["salt"])
        plain = AESGCM(stretch(secret, salt)).decrypt(box[:12], box[12:], canonical_json(public))
        fields = read_json(plain)
        return KeyShare(int(public["index"]), int(fields["s"], 16))
    except InvalidTag:
        raise LocalFault("the key share does not open; check the passphrase file, or restore the share") from None
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise LocalFault("the key share file is damaged; restore it from a backup") from None


def stretch(secret: bytes, salt: bytes) -> bytes:
    """An encryption key from a passphrase."""
    return Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(secret)
