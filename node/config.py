"""A node's data folder.

identity.json      0600  signing, envelope and BLS keys
tls.json           0600  TLS key and certificate, the operator's pair, the cluster authority's certificate
key-share.json     0600  this node's share of the threshold key
roster.json key.json     the cluster and its public key
journal.sqlite           tickets and spent auctions
participants/      0700  signing keys of the participants that this node speaks for
inbox/<session>/   0700  terms.json, inputs.csv and budget.csv of a session to run
sessions/<session>/      outcome.json, certificate.json, receipts, private/<participant>.json (0600)
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.node import files
from tacita.node.identity import Identity, Pair
from tacita.protocols.faults import LocalFault
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import key_tree, read_key


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
        """The node's keys."""
        return Identity.read(files.read_secret(self.path / "identity.json", "identity file"))

    def save_identity(self, identity: Identity) -> None:
        """Store fresh keys."""
        files.private_folder(self.path)
        files.write_json(self.path / "identity.json", identity.tree(), files.PRIVATE)

    def tls(self) -> Tls:
        """The node's certificates."""
        tree = files.read_secret(self.path / "tls.json", "certificate file")
        pairs = {n: Pair(tree[n]["certificate"].encode(), tree[n]["key"].encode()) for n in ("own", "operator")}
        return Tls(tree["authority"].encode(), pairs["own"], pairs["operator"])

    def save_tls(self, tls: Tls) -> None:
        """Store certificates."""
        tree: dict[str, Any] = {"authority": tls.authority.decode()}
        for name, pair in (("own", tls.own), ("operator", tls.operator)):
            tree[name] = {"certificate": pair.certificate.decode(), "key": pair.key.decode()}
        files.write_json(self.path / "tls.json", tree, files.PRIVATE)

    def roster(self) -> Roster:
        """The cluster."""
        return Roster.read(files.read_json(self.path / "roster.json", "roster"))

    def key(self) -> ThresholdKey:
        """The cluster's public key."""
        try:
            return read_key(files.read_json(self.path / "key.json", "key file"))
        except (ValueError, KeyError, TypeError):
            raise LocalFault(
                f"the key file {self.path / 'key.json'} is damaged; restore it from another node"
            ) from None

    def share(self) -> KeyShare:
        """This node's key share."""
        tree = files.read_secret(self.path / "key-share.json", "key share")
        try:
            return KeyShare(int(tree["index"]), int(tree["secret"], 16))
        except (ValueError, KeyError, TypeError):
            raise LocalFault("the key share file is damaged; restore it from a backup") from None

    def save_cluster(self, roster: Roster, key: ThresholdKey, share: KeyShare) -> None:
        """Store what the cluster agreed on and this node's share."""
        files.write_json(self.path / "roster.json", roster.tree())
        files.write_json(self.path / "key.json", key_tree(key))
        secret = {"index": share.index, "secret": format(share.secret, "x"), "provenance": key.provenance}
        files.write_json(self.path / "key-share.json", secret, files.PRIVATE)

    def participant(self, name: str, entropy: Entropy) -> SigningKey:
        """The participant's signing key, made on first use."""
        path = files.private_folder(self.path / "participants") / f"{name}.json"
        if path.exists():
            return SigningKey(bytes.fromhex(files.read_secret(path, "participant key")["signing"]))
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
    key: ThresholdKey
    share: KeyShare = field(repr=False)

    @staticmethod
    def read(path: Path) -> "Loaded":
        """Load a data folder; raises CallerMistake or LocalFault with what to do."""
        folder = Folder(path)
        if not (path / "identity.json").exists():
            raise LocalFault(f"{path} is no node folder; run tacita node init first")
        if not (path / "roster.json").exists():
            raise LocalFault(f"{path} has not joined a cluster; run tacita node roster with all enrolments")
        return Loaded(folder, folder.identity(), folder.tls(), folder.roster(), folder.key(), folder.share())

    @property
    def address(self) -> str:
        """host:port of this node."""
        return self.roster.nodes[self.roster.index(self.identity.name)].address
