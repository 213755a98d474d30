"""A node's keys: signing, envelopes, BLS, and TLS certificates from a local authority per cluster."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tacita.crypto.entropy import Entropy
from tacita.crypto.sealing import SealingKey
from tacita.crypto.signature import MultiSigningKey, SigningKey
from tacita.protocols.roster import Node

YEARS_AUTHORITY, DAYS_CERTIFICATE = 10, 825


@dataclass(frozen=True)
class Identity:
    """The secret keys of one node."""

    name: str
    signing: SigningKey = field(repr=False)
    sealing: SealingKey = field(repr=False)
    multi: MultiSigningKey = field(repr=False)

    @staticmethod
    def generate(name: str, entropy: Entropy) -> "Identity":
        """Fresh keys."""
        return Identity(
            name, SigningKey(entropy.token(32)), SealingKey(entropy.token(32)), MultiSigningKey(entropy.token(32))
        )

    def node(self, address: str) -> Node:
        """The roster entry."""
        return Node(
            self.name,
            address,
            self.signing.public,
            self.sealing.public,
            self.multi.public,
            self.multi.prove_possession(),
        )

    def tree(self) -> dict[str, str]:
        """For identity.json, which only the owner may read."""
        secrets = {"signing": self.signing.seed, "sealing": self.sealing.secret, "multi": self.multi.seed}
        return {"name": self.name, **{k: v.hex() for k, v in secrets.items()}}

    @staticmethod
    def read(tree: dict[str, Any]) -> "Identity":
        """The inverse of tree."""
        signing, sealing, multi = (bytes.fromhex(tree[k]) for k in ("signing", "sealing", "multi"))
        if {len(signing), len(sealing), len(multi)} != {32}:
            raise ValueError("a secret key has 32 bytes")
        return Identity(tree["name"], SigningKey(signing), SealingKey(sealing), MultiSigningKey(multi))


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_authority(cluster: str) -> Pair:
    """A certificate authority for one cluster (TLS only: what nodes say is signed by their own keys)."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(f"tacita {cluster}"))
        .issuer_name(_name(f"tacita {cluster}"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS_AUTHORITY))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def issue(authority: Pair, name: str) -> Pair:
    """A certificate for `name` (also its only subject alternative name), usable as client and server."""
    signer = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS_CERTIFICATE))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def common_name(certificate_pem: bytes) -> str:
    """Whom a certificate is for; empty if it is none."""
    try:
        subject = x509.load_pem_x509_certificate(certificate_pem).subject
    except ValueError:
        return ""
    return "".join(str(part.value) for part in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def fingerprint(certificate_pem: bytes) -> bytes:
    """SHA-256 of the certificate."""
    return x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256())
