"""Bid objects that a dishonest participant makes; the rest of its session is honest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.encoding import byte_width
from tacita.crypto.entropy import Entropy, SeededEntropy
from tacita.crypto.sealing import seal
from tacita.crypto.shamir import share
from tacita.crypto.transcript import digest
from tacita.protocols.stages import commit
from tacita.protocols.stages.commit import BidObject, Opening
from tacita.protocols.stages.setup import Setup

CHEAT = "cat"
"""Hosted by node3, which is therefore the deviating node."""

BLIND = 54321
"""The blinding integer that forged objects deal."""

KEYS: list[bytes] = []
"""The nodes' keys for CHEAT's envelopes, from its latest object."""

Forge = Callable[[Setup, BidObject, Sequence[int]], BidObject]


def cheat(patch: pytest.MonkeyPatch, forge: Forge) -> list[str]:
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
        blind, _ = setup.parameters.key.encrypt(BLIND, entropy)
        return deal(setup, replace(bid, fields=fields, blind=blind, commitment=commitment), other)

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
    dealt = [share(v, prime, setup.roster.threshold, len(nodes), entropy) for v in (*values, BLIND)]
    hashes, envelopes = [], []
    for i, node in enumerate(nodes):
        honest = entropy.token(commit.SALT_BYTES) + b"".join(row[i].to_bytes(width, "big") for row in dealt)
        body = body_for(node.name, honest)
        hashes.append(digest("shares", ("shares", body if hashed else honest)))
        envelopes.append(seal(KEYS[i], body, commit._envelope_context(setup, CHEAT, node.name), entropy))
    return replace(bid, share_hashes=tuple(hashes), envelopes=tuple(envelopes))
