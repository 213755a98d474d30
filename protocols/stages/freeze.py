"""The frozen set: which participant committed to which object, signed by every node once per session name.

A node stores what it froze under a name before it signs, and signs nothing else there. So two signatures of one node
on two sets of one name convict it: one set stands in a participant's receipt, the other one in a certificate that
leaves the participant out or holds another object of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import verify_signature
from tacita.crypto.transcript import digest
from tacita.protocols.faults import Equivocation
from tacita.protocols.roster import Roster
from tacita.protocols.stages import certify, commit
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.setup import Enrolled, Setup, auction_id
from tacita.protocols.terms import Terms

RECEIPT = "tacita-receipt-1"


def place(terms: Terms, roster: Roster) -> bytes:
    """What a node freezes one set for: the session's name in this cluster.

    Without a name the terms identify it: the auction id would not, a node changes that with its participants.
    """
    name = terms.session.name or terms.digest().hex()
    return digest("draw", ("roster", roster.digest), ("name", name))


@dataclass(frozen=True)
class Frozen:
    """A set of bids with everything that its digest depends on."""

    terms: Terms
    key_id: bytes
    enrolled: Sequence[Enrolled]
    objects: Mapping[str, bytes]
    """{participant: object hash}."""

    def digest(self, roster: Roster) -> bytes:
        """What the nodes sign."""
        return certify.freeze_digest(auction_id(self.terms, roster, self.key_id, self.enrolled), self.objects)

    def tree(self) -> dict[str, Any]:
        """As in receipts and evidence."""
        return {
            "terms": self.terms.tree,
            "key": self.key_id.hex(),
            "enrolled": [e.tree() for e in self.enrolled],
            "objects": {name: h.hex() for name, h in self.objects.items()},
        }

    @staticmethod
    def read(tree: Any) -> "Frozen":
        """The inverse; raises InvalidEncoding, CallerMistake, ValueError, KeyError, TypeError or AttributeError."""
        if not isinstance(tree, Mapping) or set(tree) != {"terms", "key", "enrolled", "objects"}:
            raise InvalidEncoding("this is not a set of bids")
        if len(tree["enrolled"]) > 256 * 7:
            raise InvalidEncoding("no session has so many participants")
        enrolled = [Enrolled.read(e) for e in tree["enrolled"]]
        objects = {name: bytes.fromhex(text) for name, text in tree["objects"].items()}
        return Frozen(Terms(tree["terms"]), bytes.fromhex(tree["key"]), enrolled, objects)


def receipt(setup: Setup, objects: Mapping[str, bytes], signatures: Mapping[str, bytes]) -> dict[str, Any]:
    """What a participant keeps: the set, with every node's signature."""
    frozen = Frozen(setup.terms, setup.key_id, setup.enrolled, objects)
    return {"format": RECEIPT, "set": frozen.tree(), "signatures": {n: s.hex() for n, s in signatures.items()}}


def certified(certificate: Certificate) -> Frozen:
    """The set that a certificate is about."""
    setup = Setup(certificate.terms, certificate.roster, certificate.key, certificate.enrolled)
    objects = {name: commit.object_hash(bid.public, bid.envelopes) for name, bid in certificate.bids.items()}
    return Frozen(setup.terms, setup.key_id, setup.enrolled, objects)


def check_two(roster: Roster, node: str, sets: Sequence[Frozen], signatures: Sequence[bytes]) -> None:
    """Raises Equivocation if the node signed two sets for one name, CryptoError if that is not so."""
    (first, second), identity = sets, roster.nodes[roster.index(node)].identity
    if place(first.terms, roster) != place(second.terms, roster) or first.digest(roster) == second.digest(roster):
        raise InvalidEncoding("the two sets of bids do not contradict one another")
    for frozen, signature in zip(sets, signatures, strict=True):
        verify_signature(identity, "freeze", frozen.digest(roster), signature)
    different = ", ".join(_differing(first, second))
    raise Equivocation(node, f"it signed two sets of bids for one session name ({different})")


def _differing(first: Frozen, second: Frozen) -> list[str]:
    """Participants whose object is in one set only."""
    names = sorted({*first.objects, *second.objects})
    different = [name for name in names if first.objects.get(name) != second.objects.get(name)]
    return different[:3] or ["the participants or the terms differ"]
