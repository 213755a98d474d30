"""The key certificate: the public key, where it comes from, and the signatures of all m nodes (K6).

Only a complete certificate activates a key. Anybody who knows the roster verifies it offline: the signatures, and that
the verification keys of every quorum decrypt the known ciphertext.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from tacita.crypto.errors import InvalidKey, InvalidSignature
from tacita.crypto.integers import multi_power
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey, verify_signature
from tacita.crypto.threshold import DEALERLESS, ThresholdKey, check_key, lagrange
from tacita.crypto.transcript import Transcript
from tacita.protocols.faults import ProtocolFault, VerificationFailed
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import key_tree, read_key
from tacita.protocols.terms import canonical_json

FORMAT = "tacita-key/1"
DOMAIN = "key-certificate"


@dataclass(frozen=True)
class Origin:
    """The ceremony that made a key, or the refresh or resharing that made its present shares."""

    kind: str
    """ceremony, refresh or reshare."""
    session: bytes
    epoch: int
    """Epoch of the ceremony in which the key was made, so the number of aborts before it."""
    batches: int
    """Batches begun by then."""
    transcript: bytes
    """Digest of what was broadcast from the last test of N to the verification keys, or in the renewal."""
    secret_bits: int
    """|D| < 2^secret_bits for the shared decryption exponent D: bounds of the next refresh follow from it."""
    parent: bytes = bytes(32)
    """Identifier of the key that was refreshed or reshared."""
    reshares: int = 0
    """How often this key's secret has been handed on; after 16 times a new ceremony is due."""

    def tree(self) -> dict[str, Any]:
        """As in the key file."""
        fields = ("kind", "session", "epoch", "batches", "transcript", "secret_bits", "parent", "reshares")
        values = {name: getattr(self, name) for name in fields}
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}

    @staticmethod
    def read(tree: Mapping[str, Any]) -> "Origin":
        """The inverse; raises ValueError, KeyError or TypeError."""
        binary = {name: bytes.fromhex(tree[name]) for name in ("session", "transcript", "parent")}
        numbers = {name: tree[name] for name in ("epoch", "batches", "secret_bits", "reshares")}
        if set(tree) != {"kind", *binary, *numbers} or any(type(n) is not int for n in numbers.values()):
            raise ValueError("an origin has unknown entries")
        if tree["kind"] not in ("ceremony", "refresh", "reshare") or any(len(b) != 32 for b in binary.values()):
            raise ValueError("an origin has impossible entries")
        return Origin(
            kind=tree["kind"],
            session=binary["session"],
            transcript=binary["transcript"],
            parent=binary["parent"],
            epoch=numbers["epoch"],
            secret_bits=numbers["secret_bits"],
            batches=numbers["batches"],
            reshares=numbers["reshares"],
        )


@dataclass(frozen=True)
class KeyCertificate:
    """A key that all nodes of a roster signed."""

    key: ThresholdKey
    origin: Origin
    roster: bytes
    """Digest of the roster."""
    signatures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def identifier(self) -> bytes:
        """key_id = H(N, κ, v, v_1..m, t, epoch, roster, session, ceremony epoch, …): what every node signs."""
        transcript = Transcript("key-certificate").absorb("roster", self.roster)
        transcript.absorb("key", canonical_json(key_tree(self.key)))
        return transcript.absorb("origin", canonical_json(self.origin.tree())).digest()

    def sign(self, key: SigningKey) -> bytes:
        """One node's signature."""
        return key.sign(DOMAIN, self.identifier)

    def completed(self, signatures: Mapping[str, bytes]) -> "KeyCertificate":
        """With all signatures."""
        return replace(self, signatures=dict(sorted(signatures.items())))

    def tree(self) -> dict[str, Any]:
        """As in key.json."""
        return {
            "format": FORMAT,
            "key": key_tree(self.key),
            "origin": self.origin.tree(),
            "roster": self.roster.hex(),
            "signatures": {name: data.hex() for name, data in self.signatures.items()},
        }

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(self.tree())

    @staticmethod
    def read(tree: Any) -> "KeyCertificate":
        """The inverse of tree; raises VerificationFailed."""
        try:
            if tree["format"] != FORMAT or set(tree) != {"format", "key", "origin", "roster", "signatures"}:
                raise ValueError("unknown format")
            signatures = {str(name): bytes.fromhex(data) for name, data in tree["signatures"].items()}
            roster = bytes.fromhex(tree["roster"])
            return KeyCertificate(read_key(tree["key"]), Origin.read(tree["origin"]), roster, signatures)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise VerificationFailed("this is not a key certificate; take key.json of a node") from None

    def verify(self, roster: Roster) -> None:
        """Offline: everybody's signature, provenance, and every quorum's verification keys; VerificationFailed."""
        if self.roster != roster.digest or set(self.signatures) != set(roster.names):
            raise VerificationFailed("the key certificate is of another roster, or not signed by all of its nodes")
        if self.key.provenance != DEALERLESS:
            raise VerificationFailed("the key certificate is for a key whose provenance is not dealerless")
        if (self.key.parties, self.key.threshold) != (len(roster.nodes), roster.threshold):
            raise VerificationFailed("the key certificate is for another number of nodes")
        for node in roster.nodes:
            check_signature(self, node.name, node.identity, self.signatures[node.name])
        try:
            check_key(self.key)
            check_quorums(self.key)
        except InvalidKey as error:
            raise VerificationFailed(str(error)) from None


def check_signature(certificate: KeyCertificate, name: str, identity: bytes, signature: bytes) -> None:
    """Raises VerificationFailed."""
    try:
        if len(signature) != SIGNATURE_BYTES:
            raise InvalidSignature("a signature has a wrong length")
        verify_signature(identity, DOMAIN, certificate.identifier, signature)
    except InvalidSignature:
        raise VerificationFailed(f"the signature of {name} on the key does not verify") from None


def check_signatures(certificate: KeyCertificate, roster: Roster, said: Mapping[int, bytes]) -> None:
    """K6: everybody's signature by party number; raises Blame."""
    for party, data in said.items():
        node = roster.nodes[party - 1]
        try:
            check_signature(certificate, node.name, node.identity, data)
        except VerificationFailed as error:
            raise Blame(party, str(error), ProtocolFault) from None


def check_quorums(key: ThresholdKey) -> None:
    """Self-certification: the verification keys of every t+1 nodes decrypt the known ciphertext (InvalidKey)."""
    encryption = key.encryption
    expected = encryption.with_plaintext(2 * key.mu * key.kappa)
    for points in combinations(range(1, key.parties + 1), key.threshold + 1):
        bases = [key.verification[i - 1] for i in points]
        exponents = [lagrange(points, i, key.delta) for i in points]
        if multi_power(bases, exponents, encryption.square) != expected:
            raise InvalidKey(f"the verification keys of nodes {points} do not decrypt the known ciphertext")
