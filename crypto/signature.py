"""Identities (Ed25519) and the aggregated certificate signature (BLS12-381 with proof of possession).

Every signature is over a domain tag and raw bytes. BLS uses the proof-of-possession ciphersuite: a key counts only
after `check_possession`, which stops rogue keys (attack A16). py_ecc does the pairing arithmetic; blspy, if
installed, gives byte-identical signatures some hundred times faster.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import InvalidSignature

PUBLIC_BYTES, SIGNATURE_BYTES = 32, 64
BLS_PUBLIC_BYTES, BLS_SIGNATURE_BYTES = 48, 96

try:
    import blspy as _blspy
except ImportError:
    _blspy = None
_fast: ModuleType | None = _blspy


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key from a 32-byte seed."""

    seed: bytes = field(repr=False)

    @staticmethod
    def generate(entropy: Entropy) -> "SigningKey":
        """A fresh identity."""
        return SigningKey(entropy.token(32))

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return _private(self.seed).public_key().public_bytes_raw()

    def sign(self, domain: str, message: bytes) -> bytes:
        """A 64-byte signature over domain and message."""
        return _private(self.seed).sign(_tagged(domain, message))


@lru_cache(maxsize=64)
def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=512)
def _public(data: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(data)


def _tagged(domain: str, message: bytes) -> bytes:
    tag = b"tacita/v1/" + domain.encode()
    return len(tag).to_bytes(2, "big") + tag + message


def verify_signature(public: bytes, domain: str, message: bytes, signature: bytes) -> None:
    """Return None, or raise InvalidSignature."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature("a public key or signature has a wrong length")
    if (int.from_bytes(public, "little") & (1 << 255) - 1) % (2**255 - 19) == 1:
        raise InvalidSignature("small order")
    try:
        _public(public).verify(signature, _tagged(domain, message))
    except (_Mismatch, ValueError):
        raise InvalidSignature(f"a signature for {domain} does not verify") from None


def _scheme() -> Any:
    # Imported late: half a second that only signing and checking need.
    limit = sys.getrecursionlimit()
    from py_ecc.bls.ciphersuites import G2ProofOfPossession

    # py_ecc raises the limit to 100000, with which deeply nested JSON of a peer overflows the C stack and kills us.
    sys.setrecursionlimit(limit)
    return G2ProofOfPossession


def load() -> None:
    """Import the pairing arithmetic now, so that the first signature does not wait for it."""
    _scheme()


@lru_cache(maxsize=64)
def _scalar(seed: bytes) -> int:
    """The secret scalar of a seed, by the key generation of the BLS standard as py_ecc implements it."""
    return int(_scheme().KeyGen(seed))


@dataclass(frozen=True)
class MultiSigningKey:
    """A BLS12-381 key from a 32-byte seed (public keys in G1, signatures in G2)."""

    seed: bytes = field(repr=False)

    @property
    def _secret(self) -> int:
        return _scalar(self.seed)

    @property
    def _fast_key(self) -> Any:
        assert _fast is not None
        return _fast.PrivateKey.from_bytes(self._secret.to_bytes(32, "big"))

    @property
    def public(self) -> bytes:
        """The 48-byte public key."""
        if _fast is not None:
            return bytes(self._fast_key.get_g1())
        return bytes(_scheme().SkToPk(self._secret))

    def prove_possession(self) -> bytes:
        """The 96-byte proof that this key's owner holds the secret."""
        if _fast is not None:
            return bytes(_fast.PopSchemeMPL.pop_prove(self._fast_key))
        return bytes(_scheme().PopProve(self._secret))

    def sign(self, message: bytes) -> bytes:
        """A 96-byte signature; the ciphersuite separates it from proofs of possession."""
        if _fast is not None:
            return bytes(_fast.PopSchemeMPL.sign(self._fast_key, message))
        return bytes(_scheme().Sign(self._secret, message))


def check_possession(public: bytes, proof: bytes) -> None:
    """Refuse a BLS key without proof of possession, outside the subgroup or the identity (InvalidSignature)."""
    if len(public) != BLS_PUBLIC_BYTES or len(proof) != BLS_SIGNATURE_BYTES or not _possesses(public, proof):
        raise InvalidSignature("a BLS key comes without a valid proof of possession")


@lru_cache(maxsize=64)
def _possesses(public: bytes, proof: bytes) -> bool:
    if _fast is not None:
        try:
            key = _fast.G1Element.from_bytes(public)
            return bool(_fast.PopSchemeMPL.pop_verify(key, _fast.G2Element.from_bytes(proof)))
        except ValueError:
            return False
    return bool(_scheme().PopVerify(public, proof))


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """One signature for all signers of the same message."""
    if _fast is not None:
        return bytes(_fast.AugSchemeMPL.aggregate([_fast.G2Element.from_bytes(s) for s in signatures]))
    return bytes(_scheme().Aggregate(list(signatures)))


def verify_aggregate(publics: Sequence[bytes], message: bytes, signature: bytes) -> None:
    """Return None if every key signed the message, else raise InvalidSignature. Check possession first."""
    # 0xc0 marks the point at infinity, which would verify for everybody in one of the two libraries.
    sizes_fit = all(len(p) == BLS_PUBLIC_BYTES and not p[0] & 0x40 for p in publics)
    sizes_fit = sizes_fit and len(signature) == BLS_SIGNATURE_BYTES
    if not publics or not sizes_fit or not _aggregate_holds(tuple(publics), message, signature):
        raise InvalidSignature("the aggregated BLS signature does not verify for these signers")


@lru_cache(maxsize=64)
def _aggregate_holds(publics: tuple[bytes, ...], message: bytes, signature: bytes) -> bool:
    if _fast is not None:
        try:
            keys = [_fast.G1Element.from_bytes(p) for p in publics]
            point = _fast.G2Element.from_bytes(signature)
            return bool(_fast.PopSchemeMPL.fast_aggregate_verify(keys, message, point))
        except ValueError:
            return False
    return bool(_scheme().FastAggregateVerify(list(publics), message, signature))
