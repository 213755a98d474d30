"""A node's keys and certificates."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tacita.crypto.entropy import SeededEntropy, SystemEntropy
from tacita.node.identity import Identity, Pair, fingerprint, issue, make_authority
from tacita.protocols.roster import Roster


def test_an_identity_survives_its_file() -> None:
    identity = Identity.generate("alice", SystemEntropy())
    again = Identity.read(json.loads(json.dumps(identity.tree())))
    assert again.node("host:1") == identity.node("host:1")
    Roster((again.node("host:1"),)).check_possession()


def test_three_keys_come_from_three_draws() -> None:
    tree = Identity.generate("alice", SeededEntropy("identity")).tree()
    assert len(set(tree.values())) == 4


def test_no_secret_is_shown() -> None:
    identity = Identity.generate("alice", SystemEntropy())
    pair = make_authority("cluster")
    for secret in list(identity.tree().values())[1:]:
        for shown in (repr(identity), str(identity), repr(identity.signing), repr(identity.sealing)):
            assert secret not in shown and repr(bytes.fromhex(secret)) not in shown
        assert secret not in repr(identity.multi)
    assert "PRIVATE" not in repr(pair)


def certificate(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def test_a_certificate_carries_one_name_and_can_sign_no_other() -> None:
    authority = make_authority("cluster")
    own = certificate(issue(authority, "alice"))
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["alice"] and len(list(names)) == 1
    usage = set(own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usage == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    with pytest.raises(x509.ExtensionNotFound):
        own.extensions.get_extension_for_class(x509.BasicConstraints)
    own.verify_directly_issued_by(certificate(authority))


def test_an_authority_has_no_authority_below_it_and_another_cluster_s_is_another() -> None:
    authority = make_authority("cluster")
    limits = certificate(authority).extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical and limits.value.ca and limits.value.path_length == 0
    assert isinstance(certificate(authority).public_key(), ec.EllipticCurvePublicKey)
    with pytest.raises(ValueError, match=r"issuer|match"):
        certificate(issue(authority, "alice")).verify_directly_issued_by(certificate(make_authority("other")))


def test_fingerprints_tell_certificates_apart() -> None:
    authority = make_authority("cluster")
    one, other = issue(authority, "alice"), issue(authority, "alice")
    assert fingerprint(one.certificate) != fingerprint(other.certificate)
    assert fingerprint(one.certificate) == certificate(one).fingerprint(certificate(one).signature_hash_algorithm)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="PEM"):
        fingerprint(b"nothing")
