"""Founding a cluster: enrolments of nodes become a roster and TLS certificates.

A node enrols with its public keys. Whoever founds the cluster makes the TLS authority and forgets its key; the nodes
then make their threshold key among themselves, so the founder can neither decrypt nor forge.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.node import files
from tacita.node.config import Folder, Tls
from tacita.node.identity import Identity, Pair, common_name, issue, make_authority
from tacita.protocols.faults import CallerMistake
from tacita.protocols.roster import Node, Roster, check_size
from tacita.protocols.terms import check_name


@dataclass(frozen=True)
class Admission:
    """What a founder hands to one node: it holds TLS keys, so it is for that node's operator only."""

    roster: Roster
    tls: Tls = field(repr=False)

    def tree(self) -> dict[str, Any]:
        """As in <name>.admission.json."""
        return {
            "roster": self.roster.tree(),
            "authority": self.tls.authority.decode(),
            "own": {"certificate": self.tls.own.certificate.decode(), "key": self.tls.own.key.decode()},
            "operator": {"certificate": self.tls.operator.certificate.decode(), "key": self.tls.operator.key.decode()},
        }

    @staticmethod
    def read(tree: Any) -> "Admission":
        """The inverse of tree; raises CallerMistake."""
        try:
            if set(tree) != {"roster", "authority", "own", "operator"}:
                raise ValueError("unknown entries")
            pairs = {n: Pair(tree[n]["certificate"].encode(), tree[n]["key"].encode()) for n in ("own", "operator")}
            tls = Tls(tree["authority"].encode(), pairs["own"], pairs["operator"])
            return Admission(Roster.read(tree["roster"]), tls)
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


def found(nodes: Sequence[Node]) -> dict[str, Admission]:
    """Check the enrolments and make roster and certificates; the nodes make their key themselves."""
    check_size(len(nodes))
    roster = Roster.read({"nodes": [node.tree() for node in nodes]})
    roster.check_possession()
    authority = make_authority(roster.digest.hex()[:12])

    def tls(name: str) -> Tls:
        return Tls(authority.certificate, issue(authority, name), issue(authority, f"operator.{name}"[:64]))

    return {name: Admission(roster, tls(name)) for name in roster.names}


def admit(folder: Path, admission: Admission) -> None:
    """Store an admission in the data folder of the node it was made for."""
    identity = Folder(folder).identity()
    names = admission.roster.names
    if identity.name not in names or common_name(admission.tls.own.certificate) != identity.name:
        raise CallerMistake(f"this admission is not for {identity.name}; take the file that carries its name")
    if admission.roster.nodes[names.index(identity.name)].identity != identity.signing.public:
        raise CallerMistake(f"this admission was made for other keys of {identity.name}; enrol again")
    Folder(folder).save_tls(admission.tls)
    Folder(folder).save_roster(admission.roster)


def read_enrolment(path: Path) -> dict[str, Any]:
    """An enrolment file's tree."""
    tree = files.read_json(path, "enrolment")
    if not isinstance(tree, dict):
        raise CallerMistake(f"{path} is not an enrolment file; take the enrolment.json of a node")
    return tree


def dump(tree: Any) -> str:
    """Readable JSON."""
    return json.dumps(tree, indent=2)
