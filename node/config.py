"""A node's data folder.

identity.json      0600  signing, envelope and BLS keys
tls.json           0600  TLS key and certificate, the operator's pair, the cluster authority's certificate
key-share.json     0600  this node's share of the threshold key, encrypted under the passphrase
passphrase         0600  opens key-share.json; may be moved elsewhere (TACITA_PASSPHRASE_FILE)
roster.json key.json     the cluster and its public key, with all nodes' signatures
journal.sqlite           tickets, spent auctions, key ceremonies
participants/      0700  signing keys of the participants that this node speaks for
inbox/<session>/   0700  terms.json, inputs.csv and budget.csv of a session to run
sessions/<session>/      outcome.json, certificate.json, receipts/, private/<participant>.json (0600), evidence.json
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import CryptoError
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.node import files
from tacita.node.identity import Identity, Pair, fingerprint
from tacita.node.keyfile import open_share, passphrase, seal_share
from tacita.protocols.faults import CallerMistake, LocalFault, VerificationFailed
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.roster import Roster

MAKE_A_KEY = (
    "make a key without dealer: tacita keygen --out with a new folder for local nodes, or delete key.json and "
    "key-share.json at every node and run tacita node key propose"
)


@dataclass(frozen=True)
class Tls:
    """Certificates of one node."""

    authority: bytes
    own: Pair
    operator: Pair


@dataclass(frozen=True)
class Folder:
    """Paths in a node's data folder."""

    path: Path

    def identity(self) -> Identity:
        """The node's keys; raises CallerMistake if this is no node folder."""
        if not (self.path / "identity.json").exists():
            raise CallerMistake(f"{self.path} is no node folder; run tacita node init first")
        tree = self._secret("identity.json", "identity file", {"name", "signing", "sealing", "multi"})
        with _damaged(self.path / "identity.json", "identity file"):
            return Identity.read(tree)

    def _secret(self, name: str, what: str, keys: set[str]) -> dict[str, Any]:
        tree = files.read_secret(self.path / name, what)
        if not isinstance(tree, dict) or set(tree) != keys:
            raise LocalFault(f"{what} {self.path / name} has missing or unknown keys; restore it from a backup")
        return tree

    def save_identity(self, identity: Identity) -> None:
        """Store fresh keys."""
        files.private_folder(self.path)
        files.write_json(self.path / "identity.json", identity.tree(), files.PRIVATE)

    def tls(self) -> Tls:
        """The node's certificates."""
        tree = self._secret("tls.json", "certificate file", {"authority", "own", "operator"})
        with _damaged(self.path / "tls.json", "certificate file"):
            pairs = {n: Pair(tree[n]["certificate"].encode(), tree[n]["key"].encode()) for n in ("own", "operator")}
            for pair in pairs.values():
                fingerprint(pair.certificate)
            return Tls(tree["authority"].encode(), pairs["own"], pairs["operator"])

    def save_tls(self, tls: Tls) -> None:
        """Store certificates."""
        tree: dict[str, Any] = {"authority": tls.authority.decode()}
        for name, pair in (("own", tls.own), ("operator", tls.operator)):
            tree[name] = {"certificate": pair.certificate.decode(), "key": pair.key.decode()}
        files.write_json(self.path / "tls.json", tree, files.PRIVATE)

    def roster(self) -> Roster:
        """The cluster; raises CallerMistake if this node has not joined one."""
        if not (self.path / "roster.json").exists():
            raise CallerMistake(
                f"{self.path} has not joined a cluster; run tacita node admit with the founder's admission file"
            )
        return Roster.read(files.read_json(self.path / "roster.json", "roster"))

    def has_key(self) -> bool:
        """Whether the nodes have made their key."""
        return (self.path / "key.json").exists()

    def certificate(self) -> KeyCertificate:
        """The key certificate, verified; a dealt key is refused. Raises LocalFault."""
        tree = files.read_json(self.path / "key.json", "key file")
        if not isinstance(tree, dict) or "format" not in tree:
            raise LocalFault(
                f"the key file {self.path / 'key.json'} carries no certificate of a key ceremony, and dealt keys are "
                f"refused; {MAKE_A_KEY}"
            )
        try:
            certificate = KeyCertificate.read(tree)
            certificate.verify(self.roster())
        except VerificationFailed as error:
            raise LocalFault(
                f"the key file {self.path / 'key.json'} is damaged ({error}); restore it from another node"
            ) from None
        return certificate

    def key(self) -> ThresholdKey:
        """The cluster's public key."""
        return self.certificate().key

    def share(self) -> KeyShare:
        """This node's key share."""
        tree = files.read_secret(self.path / "key-share.json", "key share")
        if not isinstance(tree, dict):
            raise LocalFault("the key share file is damaged; restore it from a backup")
        return open_share(tree, self.certificate(), passphrase(self.path))

    def save_key(self, certificate: KeyCertificate, share: KeyShare, entropy: Entropy) -> None:
        """Store a certified key. Writing the share decides; what a crash leaves of the rest, `settle` completes."""
        tree = seal_share(certificate, share, passphrase(self.path, entropy), entropy)
        files.write_json(self._next_key, certificate.tree())
        files.write_json(self.path / "key-share.json", tree, files.PRIVATE)
        self.settle()

    @property
    def _next_key(self) -> Path:
        return self.path / "key.next.json"

    def settle(self) -> None:
        """Give the key certificate that belongs to the stored share its place; forget one without share."""
        if not self._next_key.exists():
            return
        share = self.path / "key-share.json"
        tree = files.read_secret(share, "key share") if share.exists() else {}
        certificate = KeyCertificate.read(files.read_json(self._next_key, "key file"))
        if isinstance(tree, dict) and tree.get("key_id") == certificate.identifier.hex():
            self._next_key.replace(self.path / "key.json")
        else:
            self._next_key.unlink()

    def save_roster(self, roster: Roster) -> None:
        """Store the cluster; its key is made later."""
        files.write_json(self.path / "roster.json", roster.tree())

    def participant(self, name: str, entropy: Entropy) -> SigningKey:
        """The participant's signing key, made on first use."""
        path = files.private_folder(self.path / "participants") / f"{name}.json"
        if path.exists():
            tree = files.read_secret(path, "participant key")
            with _damaged(path, "participant key"):
                return SigningKey(bytes.fromhex(tree["signing"]))
        key = SigningKey.generate(entropy)
        files.write_json(path, {"name": name, "signing": key.seed.hex()}, files.PRIVATE)
        return key

    def inbox(self, session: str) -> Path:
        """Where the inputs of a session are put for this node."""
        return files.private_folder(files.private_folder(self.path / "inbox") / session)

    def session(self, session: str) -> Path:
        """Where results of a session go."""
        return self.path / "sessions" / session


@dataclass(frozen=True)
class Loaded:
    """Everything a node needs to start, read once."""

    folder: Folder
    identity: Identity = field(repr=False)
    tls: Tls = field(repr=False)
    roster: Roster
    held: tuple[ThresholdKey, KeyShare] | None = field(repr=False)
    """The key and this node's share; None until the nodes have made their key."""
    key_id: bytes = b""
    """Identifier of the key's certificate."""

    @staticmethod
    def read(path: Path) -> "Loaded":
        """Load a data folder; raises CallerMistake or LocalFault with what to do."""
        folder = Folder(path)
        identity, roster = folder.identity(), folder.roster()
        folder.settle()
        if not folder.has_key():
            return Loaded(folder, identity, folder.tls(), roster, None)
        certificate = folder.certificate()
        return Loaded(folder, identity, folder.tls(), roster, (certificate.key, folder.share()), certificate.identifier)

    @property
    def key(self) -> ThresholdKey:
        """The cluster's key; raises CallerMistake if there is none yet."""
        return self._held[0]

    @property
    def share(self) -> KeyShare:
        """This node's share of it."""
        return self._held[1]

    @property
    def _held(self) -> tuple[ThresholdKey, KeyShare]:
        if self.held is None:
            raise CallerMistake(f"the nodes have no key yet; run tacita node key join --data {self.folder.path}")
        return self.held

    @property
    def address(self) -> str:
        """host:port of this node."""
        return address(self.roster, self.identity.name)


def address(roster: Roster, name: str) -> str:
    """host:port of a node; raises LocalFault if a folder mixes files of two clusters."""
    if name not in roster.names:
        raise LocalFault(f"the roster in this folder has no node {name}; restore the folder's files from one backup")
    return roster.nodes[roster.index(name)].address


@contextmanager
def _damaged(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged file leads to into a sentence that repeats nothing of it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, CryptoError):
        raise LocalFault(f"{what} {path} is damaged; restore it from a backup") from None
