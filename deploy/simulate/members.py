"""INSECURE: the keys of a whole cluster, made from seeds that everybody knows. Real nodes accept none of them.

A toy modulus is far below the 2048 bits that a node and `tacita verify` ask for. Longer ones are accepted as what
their provenance says, `dealer-insecure`, and the roster of such a cluster is nobody's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.sealing import SealingKey
from tacita.crypto.signature import MultiSigningKey, SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey, deal
from tacita.protocols.party import Hosted
from tacita.protocols.roster import Node, Roster


@lru_cache(maxsize=8)
def insecure_key(parties: int, bits: int) -> tuple[ThresholdKey, tuple[KeyShare, ...]]:
    """The same key for everybody who asks."""
    key, shares = deal(bits, parties, (parties - 1) // 2, SeededEntropy(f"key/{parties}/{bits}"))
    return key, tuple(shares)


@lru_cache(maxsize=64)
def multi_key(seed: str) -> MultiSigningKey:
    """The BLS key of a seed."""
    return MultiSigningKey(SeededEntropy(seed).token(32))


@lru_cache(maxsize=64)
def public_multi(seed: bytes) -> tuple[bytes, bytes]:
    """Its public side and the proof of possession; slow, so once per process."""
    key = MultiSigningKey(seed)
    return key.public, key.prove_possession()


class MemoryStore:
    """Facts of one node, in memory."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, bytes], bytes] = {}

    def remember(self, kind: str, key: bytes, value: bytes) -> bytes:
        """See Store."""
        return self.facts.setdefault((kind, key), value)

    def recall(self, kind: str, key: bytes) -> bytes | None:
        """See Store."""
        return self.facts.get((kind, key))


@dataclass
class Members:
    """The nodes of one cluster with all their keys."""

    parties: int
    seed: str = "cluster"

    def __post_init__(self) -> None:
        self.names = tuple(f"node{i + 1}" for i in range(self.parties))
        self.identities = {n: SigningKey(SeededEntropy(f"{self.seed}/id/{n}").token(32)) for n in self.names}
        self.sealing = {n: SealingKey(SeededEntropy(f"{self.seed}/seal/{n}").token(32)) for n in self.names}
        self.multi = {n: multi_key(f"{self.seed}/multi/{n}") for n in self.names}
        nodes = [
            Node(n, f"memory:{i}", self.identities[n].public, self.sealing[n].public, *public_multi(self.multi[n].seed))
            for i, n in enumerate(self.names)
        ]
        self.roster = Roster(tuple(nodes))

    def keys(self, name: str, bits: int) -> dict[str, Any]:
        """The fields of `Party` that identify a node."""
        key, shares = insecure_key(self.parties, bits)
        return {
            "name": name,
            "roster": self.roster,
            "key": key,
            "share": shares[self.names.index(name)],
            "identity": self.identities[name],
            "multi": self.multi[name],
        }

    def host(self, participants: Mapping[str, Any]) -> dict[str, str]:
        """{participant: node}, round-robin in alphabetical order."""
        return {n: self.names[i % self.parties] for i, n in enumerate(sorted(participants))}

    def hosted_by(self, node: str, inputs: Mapping[str, Any]) -> list[Hosted]:
        """The participants that this node speaks for."""
        return [
            Hosted(
                n,
                SigningKey(SeededEntropy(f"{self.seed}/bidder/{n}").token(32)),
                tuple(sorted(inputs[n].slots)),
                inputs[n],
            )
            for n, host in self.host(inputs).items()
            if host == node
        ]
