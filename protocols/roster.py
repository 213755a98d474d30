"""The roster: the nodes of a cluster with their public keys, in the order that numbers them 1..m."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tacita.crypto.errors import InvalidSignature
from tacita.crypto.signature import BLS_PUBLIC_BYTES, BLS_SIGNATURE_BYTES, PUBLIC_BYTES, check_possession
from tacita.crypto.transcript import digest
from tacita.protocols.faults import CallerMistake
from tacita.protocols.terms import canonical_json, check_name

MIN_NODES, MAX_NODES = 3, 7


@dataclass(frozen=True)
class Node:
    """One node as everybody knows it."""

    name: str
    address: str
    """host:port where it listens."""
    identity: bytes
    """Ed25519 public key."""
    sealing: bytes
    """X25519 public key. Sessions seal envelopes to a fresh key each, see Reading.envelope_keys."""
    multi: bytes
    """BLS12-381 public key."""
    possession: bytes
    """Proof of possession of `multi`."""

    def tree(self) -> dict[str, str]:
        """As in roster.json."""
        keys = {k: getattr(self, k).hex() for k in ("identity", "sealing", "multi", "possession")}
        return {"name": self.name, "address": self.address, **keys}


@dataclass(frozen=True)
class Roster:
    """The nodes; node i has index i + 1 in every secret sharing."""

    nodes: tuple[Node, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(node.name for node in self.nodes)

    @property
    def threshold(self) -> int:
        """t: the largest number of corrupt nodes with an honest majority."""
        return (len(self.nodes) - 1) // 2

    def index(self, name: str) -> int:
        """0-based position of a node."""
        return self.names.index(name)

    @cached_property
    def digest(self) -> bytes:
        """Identifies the cluster."""
        return digest("roster", ("roster", self.encode()))

    def tree(self) -> dict[str, Any]:
        """As in roster.json."""
        return {"nodes": [node.tree() for node in self.nodes]}

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(self.tree())

    def check_possession(self) -> None:
        """Refuse BLS keys without proof of possession (slow: a pairing check per node); raises CallerMistake."""
        for node in self.nodes:
            try:
                check_possession(node.multi, node.possession)
            except InvalidSignature:
                raise CallerMistake(f"the roster's BLS key of {node.name} has no valid proof of possession") from None

    @staticmethod
    def read_node(tree: Any) -> Node:
        """One node, as in enrolment.json; raises CallerMistake."""
        return _node(tree)

    @staticmethod
    def read(tree: Any) -> "Roster":
        """Parse and check shape, sizes and uniqueness; raises CallerMistake."""
        entries = tree.get("nodes") if isinstance(tree, Mapping) else None
        if not isinstance(entries, list) or set(tree) != {"nodes"}:
            raise CallerMistake("a roster must hold a list of nodes and nothing else; take the cluster's roster.json")
        check_size(len(entries))
        roster = Roster(tuple(_node(entry) for entry in entries))
        for field in ("name", "address", "identity", "sealing", "multi"):
            if len({getattr(node, field) for node in roster.nodes}) != len(roster.nodes):
                raise CallerMistake(f"two nodes of the roster have the same {field}; every node needs its own")
        return roster


def check_size(nodes: int) -> None:
    """Refuse clusters without an honest majority, or larger than tested."""
    if nodes < MIN_NODES:
        raise CallerMistake(
            f"{nodes} nodes cannot compute privately: with fewer than 3 a single node would hold every secret; "
            "use 3 to 7 nodes"
        )
    if nodes > MAX_NODES:
        raise CallerMistake(f"{nodes} nodes are more than the {MAX_NODES} that are supported; use 3 to 7 nodes")


def _node(entry: Any) -> Node:
    sizes = {
        "identity": PUBLIC_BYTES,
        "sealing": PUBLIC_BYTES,
        "multi": BLS_PUBLIC_BYTES,
        "possession": BLS_SIGNATURE_BYTES,
    }
    if not isinstance(entry, Mapping) or set(entry) != {"name", "address", *sizes}:
        raise CallerMistake("a node of the roster has missing or unknown keys; take the cluster's roster.json")
    if not all(isinstance(value, str) for value in entry.values()) or not 1 <= len(entry["address"]) <= 255:
        raise CallerMistake("a node of the roster holds something that is not text; take the cluster's roster.json")
    return Node(
        check_name(entry["name"], "node name"),
        entry["address"],
        *(_hex(entry[name], size, f"{name} of a node of the roster") for name, size in sizes.items()),
    )


def _hex(value: str, size: int, what: str) -> bytes:
    try:
        data = bytes.fromhex(value)
    except ValueError:
        data = b""
    if len(data) != size or data.hex() != value:
        raise CallerMistake(f"the {what} is not {size} bytes in lower-case hex; take the cluster's roster.json")
    return data
