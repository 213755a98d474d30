"""Stage 5: the certificate, one canonical JSON file that holds everything needed to check the session offline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacita.crypto.encoding import FILE_VALUES, read_json
from tacita.crypto.signature import BLS_SIGNATURE_BYTES, SIGNATURE_BYTES
from tacita.crypto.threshold import ThresholdKey
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.roster import Roster
from tacita.protocols.stages.setup import Enrolled
from tacita.protocols.terms import Terms, canonical_json

FORMAT = "tacita-certificate-1"
MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class CertifiedBid:
    """A bid object without its envelopes."""

    public: bytes
    envelopes: bytes
    """Digest of the envelopes."""
    signature: bytes
    """The participant's, over the object hash and the auction id."""


@dataclass(frozen=True)
class NodePart:
    """What one node contributed."""

    coin: bytes
    nonce: bytes
    freeze: bytes
    """Ed25519 over the freeze digest."""
    masks: bytes
    ticket: bytes
    """Ed25519 over the ticket."""


@dataclass(frozen=True)
class Certificate:
    """See verify.py for what each part has to satisfy."""

    terms: Terms
    roster: Roster
    key: ThresholdKey
    attempt: int
    """Which attempt came to a ticket; counts from 1."""
    enrolled: tuple[Enrolled, ...]
    bids: Mapping[str, CertifiedBid]
    nodes: Mapping[str, NodePart]
    root: bytes
    opened: Mapping[str, tuple[int, ...]]
    """b per output label."""
    aggregate: bytes
    """BLS signature of all nodes over the ticket."""
    partials: Mapping[str, bytes]
    """t+1 nodes' partial decryptions with proofs."""

    def encode(self) -> bytes:
        """Canonical JSON with a final newline."""
        tree = {
            "format": FORMAT,
            "terms": self.terms.tree,
            "roster": self.roster.tree(),
            "key": key_tree(self.key),
            "attempt": self.attempt,
            "enrolled": [e.tree() for e in self.enrolled],
            "bids": {name: _hex_fields(bid) for name, bid in self.bids.items()},
            "nodes": {name: _hex_fields(part) for name, part in self.nodes.items()},
            "root": self.root.hex(),
            "opened": {label: [format(b, "x") for b in values] for label, values in self.opened.items()},
            "aggregate": self.aggregate.hex(),
            "partials": {name: data.hex() for name, data in self.partials.items()},
        }
        return canonical_json(tree) + b"\n"

    @staticmethod
    def decode(data: bytes) -> "Certificate":
        """Parse; refuses everything that `encode` would not have written. Raises VerificationFailed."""
        if len(data) > MAX_BYTES:
            raise VerificationFailed(f"the certificate has {len(data)} bytes, more than any session produces")
        try:
            tree = read_json(data, FILE_VALUES)
            certificate = _parse(tree)
            same = certificate.encode() == data
        except CallerMistake as error:
            raise VerificationFailed(f"the certificate is malformed: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise VerificationFailed("the certificate is malformed: it does not have the expected structure") from None
        if not same:
            raise VerificationFailed("the certificate is not in its canonical form: it was altered or re-formatted")
        return certificate


def _hex_fields(part: Any) -> dict[str, str]:
    return {name: value.hex() for name, value in vars(part).items()}


def key_tree(key: ThresholdKey) -> dict[str, Any]:
    """The public key as JSON: long integers in hex."""
    return {
        "modulus": format(key.modulus, "x"),
        "parties": key.parties,
        "threshold": key.threshold,
        "kappa": format(key.kappa, "x"),
        "mu": key.mu,
        "sigma": key.sigma,
        "v": format(key.v, "x"),
        "verification": [format(v, "x") for v in key.verification],
        "epoch": key.epoch,
        "provenance": key.provenance,
    }


def read_key(tree: Mapping[str, Any]) -> ThresholdKey:
    """The inverse of key_tree; raises ValueError, KeyError or TypeError for anything else."""
    numbers = {name: tree[name] for name in ("parties", "threshold", "mu", "sigma", "epoch")}
    small = all(type(n) is int and 0 <= n < 1 << 16 for n in numbers.values())
    if not small or not isinstance(tree["provenance"], str) or len(tree) != 10:
        raise ValueError("a key's small numbers are out of range")
    return ThresholdKey(
        modulus=_integer(tree["modulus"]),
        kappa=_integer(tree["kappa"]),
        v=_integer(tree["v"]),
        verification=tuple(_integer(v) for v in tree["verification"]),
        provenance=tree["provenance"],
        **numbers,
    )


def _integer(text: str) -> int:
    if len(text) > 1 << 14:
        raise ValueError("an integer is too long")
    return int(text, 16)


def _parse(tree: Any) -> Certificate:
    expected = {
        "format", "terms", "roster", "key", "attempt", "enrolled", "bids", "nodes", "root", "opened", "aggregate",
        "partials",
    }  # fmt: skip
    if set(tree) != expected or tree["format"] != FORMAT:
        raise ValueError("unknown format")
    if type(tree["attempt"]) is not int:
        raise ValueError("the number of the attempt is no number")
    terms = Terms(tree["terms"])
    nodes = {name: NodePart(**{k: bytes.fromhex(v) for k, v in part.items()}) for name, part in tree["nodes"].items()}
    if any(len(part.freeze) != SIGNATURE_BYTES or len(part.ticket) != SIGNATURE_BYTES for part in nodes.values()):
        raise ValueError("a signature has a wrong length")
    if any(len(value) != 32 for part in nodes.values() for value in (part.coin, part.nonce)):
        raise ValueError("a coin or nonce has a wrong length")
    root = bytes.fromhex(tree["root"])
    if len(root) != 32:
        raise ValueError("the transcript root has a wrong length")
    aggregate = bytes.fromhex(tree["aggregate"])
    if len(aggregate) != BLS_SIGNATURE_BYTES:
        raise ValueError("the aggregated signature has a wrong length")
    bids = {name: CertifiedBid(**{k: bytes.fromhex(v) for k, v in b.items()}) for name, b in tree["bids"].items()}
    return Certificate(
        terms=terms,
        roster=Roster.read(tree["roster"]),
        key=read_key(tree["key"]),
        attempt=tree["attempt"],
        enrolled=tuple(Enrolled.read(e) for e in tree["enrolled"]),
        bids=bids,
        nodes=nodes,
        root=root,
        opened={label: tuple(_integer(b) for b in values) for label, values in tree["opened"].items()},
        aggregate=aggregate,
        partials={name: bytes.fromhex(data) for name, data in tree["partials"].items()},
    )


# ---- digests that nodes and participants sign ---------------------------------------------------------------------


def bid_signature_message(auction: bytes, participant: str, object_hash: bytes) -> bytes:
    """What a participant signs to commit."""
    return digest("bid", ("auction", auction), ("participant", participant), ("object", object_hash))


def freeze_digest(auction: bytes, hashes: Mapping[str, bytes]) -> bytes:
    """H(all (participant, object hash)): what every node signs before coins are revealed."""
    transcript = Transcript("freeze").absorb("auction", auction).absorb("bids", len(hashes))
    for name in sorted(hashes):
        transcript.absorb("participant", name).absorb("object", hashes[name])
    return transcript.digest()


def coin_commitment(part: bytes, nonce: bytes, salt_owner: str) -> bytes:
    """Commitment to a node's part of the auction coin and its session nonce, with the node inside."""
    return digest("coin", ("node", salt_owner), ("coin", part), ("nonce", nonce))


def session_id(auction: bytes, freeze: bytes, parts: Mapping[str, tuple[bytes, bytes]], attempt: int) -> bytes:
    """H(auction id, attempt, freeze digest, every node's coin part and nonce); attempts count from 1."""
    transcript = Transcript("session").absorb("auction", auction).absorb("attempt", attempt).absorb("freeze", freeze)
    for name in sorted(parts):
        coin, nonce = parts[name]
        transcript.absorb("node", name).absorb("coin", coin).absorb("nonce", nonce)
    return transcript.digest()


def auction_order(auction: bytes, coins: Mapping[str, bytes], participants: tuple[str, ...]) -> tuple[str, ...]:
    """Participants ranked by H(auction coin ‖ participant): ties go to the first, rounding is trimmed at the last."""
    transcript = Transcript("auction-coin").absorb("auction", auction)
    for name in sorted(coins):
        transcript.absorb("node", name).absorb("coin", coins[name])
    coin = transcript.digest()
    return tuple(sorted(participants, key=lambda p: digest("order", ("coin", coin), ("participant", p))))
