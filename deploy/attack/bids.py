"""Bid objects that a dishonest participant makes; the rest of its session is honest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tacita.crypto.encoding import Writer, byte_width
from tacita.crypto.entropy import Entropy, SeededEntropy
from tacita.crypto.paillier import EncryptionKey
from tacita.crypto.sealing import seal
from tacita.crypto.shamir import share
from tacita.crypto.transcript import digest
from tacita.deploy.attack.behaviour import Behaviour, Change
from tacita.deploy.attack.instance import a1
from tacita.deploy.attack.patching import Patch, Patches
from tacita.protocols.envelope import Envelope
from tacita.protocols.stages import certify, commit
from tacita.protocols.stages.commit import BidObject, Opening
from tacita.protocols.stages.setup import Setup
from tacita.protocols.terms import canonical_json

CHEAT = "cat"
"""Hosted by node3, which is therefore the deviating node."""

BLIND = 54321
"""The blinding integer that forged objects deal."""

KEYS: list[bytes] = []
"""The nodes' keys for CHEAT's envelopes, from its latest object."""

Forge = Callable[[Setup, BidObject, Sequence[int]], BidObject]


def cheat(patch: Patch, forge: Forge) -> list[str]:
    """CHEAT commits to, signs and opens what `forge` makes of its honest object; returns who cheated, once it did."""
    honest, cheated = commit.make_object, list[str]()

    def make(
        setup: Setup, name: str, values: Sequence[int], keys: Sequence[bytes], entropy: Entropy
    ) -> tuple[BidObject, Opening]:
        bid, opening = honest(setup, name, values, keys, entropy)
        if name == CHEAT:
            KEYS[:] = keys
            changed = forge(setup, bid, values)
            assert changed != bid, "the deviating object must differ"
            cheated.append(name)
            bid = changed
        return bid, opening

    patch.setattr(commit, "make_object", make)
    return cheated


def with_field(number: int, make: Callable[[Setup, Any], int]) -> Forge:
    """One ciphertext replaced by an integer made from the honest one."""

    def forge(setup: Setup, bid: BidObject, _: Sequence[int]) -> BidObject:
        fields = list(bid.fields)
        fields[number] = make(setup, fields[number])
        return replace(bid, fields=tuple(fields))

    return forge


def with_values(change: Callable[[list[int]], list[int]]) -> Forge:
    """Commitment, ciphertexts and shares of other values, under the proof of the honest ones."""

    def forge(setup: Setup, bid: BidObject, values: Sequence[int]) -> BidObject:
        entropy, other = SeededEntropy("other values"), change(list(values))
        fields = tuple(setup.parameters.key.encrypt(v, entropy)[0] for v in other)
        commitment = setup.parameters.group.commit(other, 12345)
        blinds = tuple(setup.parameters.key.encrypt(BLIND, entropy)[0] for _ in bid.blinds)
        return deal(setup, replace(bid, fields=fields, blinds=blinds, commitment=commitment), other)

    return forge


def deal(
    setup: Setup,
    bid: BidObject,
    values: Sequence[int],
    body_for: Callable[[str, bytes], bytes] = lambda node, body: body,
    hashed: bool = True,
) -> BidObject:
    """Shares of `values` in new envelopes, changed by `body_for`; hashed as sent or, if not `hashed`, as honest."""
    entropy, prime, nodes = SeededEntropy("deal"), setup.demand.prime, setup.roster.nodes
    width = byte_width(prime.bit_length())
    dealt = [share(v, prime, setup.roster.threshold, len(nodes), entropy) for v in (*values, *[BLIND] * setup.attempts)]
    hashes, envelopes = [], []
    for i, node in enumerate(nodes):
        honest = entropy.token(commit.SALT_BYTES) + b"".join(row[i].to_bytes(width, "big") for row in dealt)
        body = body_for(node.name, honest)
        hashes.append(digest("shares", ("shares", body if hashed else honest)))
        envelopes.append(seal(KEYS[i], body, commit._envelope_context(setup, CHEAT, node.name), entropy))
    return replace(bid, share_hashes=tuple(hashes), envelopes=tuple(envelopes))


# ---- the catalogue of bad bids ------------------------------------------------------------------------------------


def others(forge: Callable[[Setup, BidObject, BidObject], BidObject]) -> Forge:
    """What CHEAT makes when it somehow has ann's object, at the latest from its opening."""

    def make(setup: Setup, bid: BidObject, _: Sequence[int]) -> BidObject:
        values = setup.instance.fields.values(a1()[1]["ann"])  # type: ignore[attr-defined]
        ann, _opening = HONEST_MAKE(setup, "ann", values, KEYS, SeededEntropy("ann's object"))
        return forge(setup, bid, ann)

    return make


HONEST_MAKE = commit.make_object


MALFORMED: dict[str, Callable[[Setup, Any], int]] = {
    "zero": lambda s, c: 0,
    "N": lambda s, c: s.key.modulus,
    "a multiple of N": lambda s, c: 12345 * s.key.modulus,
    "N squared": lambda s, c: s.key.encryption.square,
    "of Jacobi symbol -1": lambda s, c: c * negative_symbol(s.key.modulus) % s.key.encryption.square,
    "all ones": lambda s, c: (1 << 8 * s.key.encryption.ciphertext_bytes) - 1,
}


def negative_symbol(modulus: int) -> int:
    from gmpy2 import jacobi

    return next(y for y in range(2, 100) if jacobi(y, modulus) == -1)


def re_randomised(setup: Setup, fields: Sequence[Any]) -> tuple[Any, ...]:
    """c·r^(2N): the same plaintexts."""
    n, square = setup.key.modulus, setup.key.encryption.square
    return tuple(c * pow(7, 2 * n, square) % square for c in fields)


def plus_one(setup: Setup, fields: Sequence[Any]) -> tuple[Any, ...]:
    """The first plaintext plus one."""
    return (fields[0] * (1 + setup.key.modulus) % setup.key.encryption.square, *fields[1:])


FORGERIES: dict[str, Forge] = {
    # A02: the values of A1 in units, beyond the bounds of the terms or wrapping around.
    "a value above its bound": with_values(lambda v: [v[0] * 4, *v[1:]]),
    "a negative value": with_values(lambda v: [-1, *v[1:]]),
    "a quantity above its bound": with_values(lambda v: [*v[:2], 1 << 40, *v[3:]]),
    "a slope of zero": with_values(lambda v: [v[0], 0, *v[2:]]),
    "an inverse that is none": with_values(lambda v: [*v[:-1], v[-1] + 2]),
    # A06: cat has ann's object before its own opens.
    "the object of another bidder": others(lambda s, cat, ann: replace(ann, envelopes=cat.envelopes)),
    "another's bid, re-randomised": others(lambda s, cat, ann: replace(ann, fields=re_randomised(s, ann.fields))),
    "another's bid plus one": others(lambda s, cat, ann: replace(ann, fields=plus_one(s, ann.fields))),
    "another's ciphertexts": others(lambda s, cat, ann: replace(cat, fields=ann.fields)),
    "another's commitment": others(lambda s, cat, ann: replace(cat, commitment=ann.commitment)),
    "another's proof": others(lambda s, cat, ann: replace(cat, proof=ann.proof)),
    "fields in another order": lambda s, bid, _: replace(bid, fields=(*bid.fields[1:], bid.fields[0])),
    "the inverse of C_bid": lambda s, bid, _: replace(
        bid, commitment=pow(bid.commitment, -1, s.parameters.group.modulus)
    ),
}


def second_thoughts(patch: Patch) -> dict[str, Change]:
    """cat commits to its bid and, when it has seen the others' bids, opens another one: valid, proven, its own."""
    late = dict[str, bytes]()
    make = commit.make_object

    def both(setup: Setup, name: str, values: Sequence[int], keys: Sequence[bytes], entropy: Any) -> Any:
        if name == CHEAT:
            higher, _ = make(setup, name, [values[0] * 2, *values[1:]], keys, SeededEntropy("late"))
            late[name] = higher.encode(setup, name)
        return make(setup, name, values, keys, entropy)

    patch.setattr(commit, "make_object", both)
    return {"open": lambda _: len(late[CHEAT]).to_bytes(4, "big") + late[CHEAT]}


def unreduced(setup: Setup, bid: BidObject, values: Sequence[int]) -> BidObject:
    """A whole honest object whose first ciphertext is written as c + N², proof and all."""
    encrypt, entropy, first = EncryptionKey.encrypt, SeededEntropy("unreduced"), [True]

    def large(key: EncryptionKey, plaintext: Any, source: Entropy) -> tuple[Any, Any]:
        c, r = encrypt(key, plaintext, source)
        while first[0] and c + key.square >= 1 << 8 * key.ciphertext_bytes:
            c, r = encrypt(key, plaintext, source)
        c, first[0] = c + key.square if first[0] else c, False
        return c, r

    with Patches() as patch:
        patch.setattr(EncryptionKey, "encrypt", large)
        return HONEST_MAKE(setup, CHEAT, values, KEYS, entropy)[0]


class SplitBid(Behaviour):
    """node3 commits cat to one bid towards node1 and to another towards everybody else, and opens both."""

    def __init__(self, scene: Any) -> None:
        super().__init__()
        self._scene, self._other = scene, dict[str, bytes]()

    def on_send(self, envelope: Envelope, receiver: str) -> Envelope:
        """See Behaviour."""
        if receiver != "node1" or envelope.round not in ("commit", "open"):
            return envelope
        if not self._other:
            setup, signer = self._scene.setup(), self._scene.bidder(CHEAT)
            values = setup.instance.fields.values(self._scene.inputs[CHEAT])
            place = 32 * setup.instance.participants.index(CHEAT)
            keys = [self._scene.heard(name, "envelope keys")[place : place + 32] for name in self._scene.names]
            bid, _ = HONEST_MAKE(setup, CHEAT, [values[0] * 2, *values[1:]], keys, SeededEntropy("split"))
            object_hash = commit.object_hash(bid.public_bytes(setup, CHEAT), commit.envelopes_digest(bid.envelopes))
            message = certify.bid_signature_message(setup.auction_id, CHEAT, object_hash)
            entry = {"object": object_hash.hex(), "signature": signer.sign("bid", message).hex()}
            data = bid.encode(setup, CHEAT)
            self._other = {"commit": canonical_json({CHEAT: entry}), "open": Writer().blob(data).to_bytes()}
        return replace(envelope, payload=self._other[envelope.round])
