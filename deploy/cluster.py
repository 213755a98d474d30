"""Founding a cluster: enrolments of nodes become a roster, certificates and key shares.

A node enrols with its public keys. Whoever founds the cluster makes the TLS authority; the nodes then make their key
among themselves. `found` deals a key, for tests only: that dealer could decrypt and forge everything, so such a key
says `dealer-insecure` wherever it shows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.crypto.threshold import KeyShare, ThresholdKey, deal
from tacita.node import files
from tacita.node.config import Folder, Tls
from tacita.node.identity import Identity, Pair, issue, make_authority
from tacita.protocols.faults import CallerMistake
from tacita.protocols.roster import Node, Roster, check_size
from tacita.protocols.stages.certify import key_tree, read_key
from tacita.protocols.terms import check_name


@dataclass(frozen=True)
class Admission:
    """What a founder hands to one node: secret, for that node's operator only."""

    roster: Roster
    key: ThresholdKey | None
    """None in a cluster whose nodes make their key themselves; otherwise an INSECURE dealt one."""
    share: KeyShare | None = field(repr=False)
    tls: Tls = field(repr=False)

    def tree(self) -> dict[str, Any]:
        """As in <name>.admission.json."""
        return {
            "roster": self.roster.tree(),
            "key": key_tree(self.key) if self.key else None,
            "share": {"index": self.share.index, "secret": format(self.share.secret, "x")} if self.share else None,
            "authority": self.tls.authority.decode(),
            "own": {"certificate": self.tls.own.certificate.decode(), "key": self.tls.own.key.decode()},
            "operator": {"certificate": self.tls.operator.certificate.decode(), "key": self.tls.operator.key.decode()},
        }

    @staticmethod
    def read(tree: Any) -> "Admission":
        """The inverse of tree; raises CallerMistake."""
        try:
            pairs = {n: Pair(tree[n]["certificate"].encode(), tree[n]["key"].encode()) for n in ("own", "operator")}
            return Admission(
                Roster.read(tree["roster"]),
                read_key(tree["key"]) if tree["key"] is not None else None,
                KeyShare(int(tree["share"]["index"]), int(tree["share"]["secret"], 16)) if tree["share"] else None,
                Tls(tree["authority"].encode(), pairs["own"], pairs["operator"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise CallerMistake("this is not an admission file; take the one the founder made for this node") from None


def enrol(folder: Path, name: str, address: str, entropy: Entropy) -> Node:
    """Make a node's keys in its data folder and return its public enrolment."""
    check_name(name, "node name")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CallerMistake(f"address '{address}' must be host:port; give the address other nodes reach this one at")
    if (folder / "identity.json").exists():
        raise CallerMistake(f"{folder} already holds a node; choose an empty folder")
    identity = Identity.generate(name, entropy)
    Folder(folder).save_identity(identity)
    node = identity.node(address)
    files.write_json(folder / "enrolment.json", node.tree())
    return node


def found_without_key(nodes: Sequence[Node]) -> dict[str, Admission]:
    """Check the enrolments and make roster and certificates; the nodes make their key themselves."""
    check_size(len(nodes))
    roster = Roster.read({"nodes": [node.tree() for node in nodes]})
    roster.check_possession()
    authority = make_authority(roster.digest.hex()[:12])

    def tls(name: str) -> Tls:
        return Tls(authority.certificate, issue(authority, name), issue(authority, f"operator.{name}"[:64]))

    return {name: Admission(roster, None, None, tls(name)) for name in roster.names}


def found(nodes: Sequence[Node], bits: int, entropy: Entropy) -> dict[str, Admission]:
    """INSECURE, for tests: the same, and the founder deals the key."""
    admissions = found_without_key(nodes)
    key, shares = deal(bits, len(nodes), (len(nodes) - 1) // 2, entropy)
    return {
        name: replace(admission, key=key, share=shares[i]) for i, (name, admission) in enumerate(admissions.items())
    }


def admit(folder: Path, admission: Admission) -> None:
    """Store an admission in the data folder of the node it was made for."""
    identity = Folder(folder).identity()
    names = admission.roster.names
    misplaced = (
        admission.share is not None and admission.share.index != (*names, identity.name).index(identity.name) + 1
    )
    if identity.name not in names or misplaced:
        raise CallerMistake(f"this admission is not for {identity.name}; take the file that carries its name")
    if admission.roster.nodes[names.index(identity.name)].identity != identity.signing.public:
        raise CallerMistake(f"this admission was made for other keys of {identity.name}; enrol again")
    Folder(folder).save_tls(admission.tls)
    if admission.key is None or admission.share is None:
        Folder(folder).save_roster(admission.roster)
    else:
        Folder(folder).save_cluster(admission.roster, admission.key, admission.share)


def read_enrolment(path: Path) -> dict[str, Any]:
    """An enrolment file's tree."""
    tree = files.read_json(path, "enrolment")
    if not isinstance(tree, dict):
        raise CallerMistake(f"{path} is not an enrolment file; take the enrolment.json of a node")
    return tree


def dump(tree: Any) -> str:
    """Readable JSON."""
    return json.dumps(tree, indent=2)
