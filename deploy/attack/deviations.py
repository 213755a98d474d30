"""What a node says instead, stage by stage; shared by the cases of the harness and by tests/adversary.

A function that takes a `Scene` looks at what was said before: the attacker hears everything that is said to it, and
may use every key of its own. The key shares of others are never touched.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.behaviour import Change, first_bit, last_bit
from tacita.deploy.attack.bids import CHEAT, deal
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.mpc.frames import HEAD
from tacita.protocols.party import Job
from tacita.protocols.stages import certify, commit, release
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.masks import make_masks
from tacita.protocols.stages.setup import Setup

Scene = Any
"""deploy.attack.scene.Scene, or a scene of tests that tells the same about itself."""
Rewrite = Callable[[Envelope, str], Any]

# ---- freeze and coins -----------------------------------------------------------------------------------------------


def other_freeze(scene: Scene) -> Change:
    return lambda _: scene.identities["node3"].sign("freeze", bytes(32))


def grind(scene: Scene) -> Change:
    """node3 sees the parts of the others and tries its own until cat comes first (A90)."""
    setup = scene.setup()

    def change(mine: bytes) -> bytes:
        seen = {s: e.payload[:32] for s, r, e in scene.log if e.round == "coins" and s in scene.honest}
        assert len(seen) == len(scene.honest), "the others moved first"
        for k in range(1000):
            coin = k.to_bytes(32, "big")
            if certify.auction_order(setup.auction_id, {**seen, "node3": coin}, ("ann", "bob", "cat"))[0] == CHEAT:
                return coin + mine[32:]
        raise AssertionError

    return change


# ---- dealt shares and masks -----------------------------------------------------------------------------------------


def dealt(body_for: Callable[[str, bytes], bytes], hashed: bool = True) -> Callable[..., BidObject]:
    return lambda setup, bid, values: deal(setup, bid, values, body_for, hashed)


def only(victim: str, change: Change) -> Callable[[str, bytes], bytes]:
    return lambda node, body: change(body) if node == victim else body


def exchanged(setup: Setup, bid: BidObject, values: Sequence[int]) -> BidObject:
    first, *rest = bid.envelopes
    return replace(bid, envelopes=(rest[0], first, *rest[1:]))


BAD_DEALS: dict[str, Callable[..., BidObject]] = {
    "a share outside the field": dealt(only("node1", lambda b: b[:32] + b"\xff" * (len(b) - 32))),
    "one share too few": dealt(only("node1", lambda b: b[: 32 + (len(b) - 32) * 3 // 4])),
    "no share at all": dealt(only("node1", lambda b: b[:32])),
    "an empty body": dealt(only("node1", lambda b: b"")),
    "another share than hashed": dealt(only("node1", lambda b: b[:-1] + bytes([b[-1] ^ 1])), hashed=False),
    "another salt than hashed": dealt(only("node1", first_bit), hashed=False),
    "envelopes exchanged": exchanged,
    "an envelope of zeros": lambda s, bid, v: replace(
        bid, envelopes=(bytes(len(bid.envelopes[0])), *bid.envelopes[1:])
    ),
    "an empty envelope": lambda s, bid, v: replace(bid, envelopes=(b"", *bid.envelopes[1:])),
    "a point of small order": lambda s, bid, v: replace(
        bid, envelopes=(bytes([1]) + bytes(31) + bid.envelopes[0][32:], *bid.envelopes[1:])
    ),
}


def masks_of(scene: Scene, name: str) -> bytes:
    return bytes(next(e.payload for s, _, e in scene.log if (s, e.round) == (name, "masks")))


def cancelling(scene: Scene) -> Change:
    """A63: (Enc(r1)·Enc(r2))⁻¹·Enc(x): the others' masks would cancel in the decryption."""
    key = scene.key.encryption
    width = key.ciphertext_bytes

    def change(mine: bytes) -> bytes:
        product = 1
        for name in scene.honest:
            product = product * int.from_bytes(masks_of(scene, name)[:width], "big") % int(key.square)
        known_mask, _ = key.encrypt(7, SeededEntropy("x"))
        cancelled = pow(product, -1, int(key.square)) * int(known_mask) % int(key.square)
        return cancelled.to_bytes(width, "big") + mine[width:]

    return change


def yesterday(scene: Scene) -> Change:
    """Valid masks of the same node in another session."""
    setup = scene.setup()
    return lambda _: make_masks(setup, bytes(32), "node3", SeededEntropy("yesterday")).posted


def of_zero(scene: Scene, payload: bytes) -> bytes:
    """Zero in place of the first ciphertext."""
    width = scene.key.encryption.ciphertext_bytes
    return bytes(width) + payload[width:]


MASKS: dict[str, Callable[[Scene], Change]] = {
    "that cancel the others": cancelling,
    "of another session": yesterday,
    "of another node": lambda scene: lambda _: masks_of(scene, "node1"),
    "with a changed proof": lambda scene: lambda mine: mine[:-40] + bytes([mine[-40] ^ 1]) + mine[-39:],
    "without a proof": lambda scene: lambda mine: mine[: scene.key.encryption.ciphertext_bytes] + bytes(4),
    "of zero": lambda scene: lambda mine: of_zero(scene, mine),
    "and more": lambda scene: lambda mine: mine + b"\0",
    "cut short": lambda scene: lambda mine: mine[:-1],
    "of nothing": lambda scene: lambda mine: b"",
}


def with_masks(change: Callable[[int], int]) -> Callable[[Job], Job]:
    def changed(masks: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        return {label: [change(r) for r in row] for label, row in masks.items()}

    return lambda job: replace(job, masks=changed(job.masks))


# ---- engine bytes ---------------------------------------------------------------------------------------------------


def message(data: bytes) -> tuple[int, bytes]:
    """(step, payload) of the first engine message in a frame."""
    step, size = HEAD.unpack_from(data)
    return step, data[HEAD.size : HEAD.size + size]


def repeated(data: bytes) -> bytes:
    return data + data


def flood(data: bytes) -> bytes:
    """Messages for steps that never come."""
    return data + b"".join(HEAD.pack(1 << 40 | i, 0) for i in range(3000))


BROKEN: dict[str, Change] = {
    "the same message twice": repeated,
    "three times": lambda d: d + d + d,
    "an announcement of 4 GiB": lambda d: HEAD.pack(message(d)[0], 0xFFFFFFFF) + d[HEAD.size :],
    "4 GiB announced behind a good message": lambda d: d + HEAD.pack(1 << 40, 0xFFFFFFFF),
    "one byte more": lambda d: HEAD.pack(message(d)[0], len(message(d)[1]) + 1) + message(d)[1] + b"\0",
    "nothing inside": lambda d: HEAD.pack(message(d)[0], 0),
    "values outside the field": lambda d: HEAD.pack(*map(len_or, message(d))) + b"\xff" * len(message(d)[1]),
    "a flood of empty messages": flood,
}


def len_or(part: Any) -> int:
    return part if isinstance(part, int) else len(part)


# ---- ticket and release ---------------------------------------------------------------------------------------------

BAD_TICKETS: dict[str, Change] = {
    "a wrong Ed25519 signature": first_bit,
    "a wrong BLS signature": last_bit,
    "BLS infinity": lambda p: p[:64] + b"\xc0" + bytes(95),
    "cut short": lambda p: p[:-1],
    "more": lambda p: p + b"\0",
    "nothing": lambda p: b"",
}


def aborts(receiver: str, scene: Scene) -> Rewrite:
    """node3 signs the ticket towards all but one node; when that one has signed, it says that the session is over."""

    def rewrite(envelope: Envelope, to_whom: str) -> Any:
        if to_whom != receiver or envelope.round not in ("ticket", "signed", "partials"):
            return None if envelope.round == "partials" else envelope
        stop = replace(envelope, round="abort", payload=b"", sequence=99)
        return [sign(stop, scene.identities["node3"])] if envelope.round == "signed" else None

    return rewrite


UNFAIR: dict[str, Callable[[str, Scene], Rewrite]] = {
    "silent to one": lambda victim, _: (
        lambda e, r: None if e.round == "partials" or (r == victim and e.round in ("ticket", "signed")) else e
    ),
    "a bad signature to one": lambda victim, _: (
        lambda e, r: (
            None
            if e.round == "partials" or (r == victim and e.round == "signed")
            else replace(e, payload=last_bit(e.payload))
            if (r, e.round) == (victim, "ticket")
            else e
        )
    ),
    "an abort to one": lambda victim, scene: aborts(victim, scene),
}


FRAMES: dict[str, Change] = {
    "Ed25519 of node1": first_bit,
    "BLS of node1": lambda p: p[:159] + bytes([p[159] ^ 1]) + p[160:],
    "its own": last_bit,
    "too short": lambda p: p[:-1],
    "empty": lambda p: b"",
    "a node's twice": lambda p: p[:160] + p[:160] + p[320:],
}


def early(scene: Scene) -> Rewrite:
    """node3 asks for decryption before there is a ticket, by sending its own partial decryptions first."""
    sent: list[int] = []

    def rewrite(e: Envelope, r: str) -> Any:
        if e.round != "masks" or len(sent) == 2:
            return e
        sent.append(1)
        first = replace(e, round="partials", payload=bytes(500), sequence=77)
        return [sign(e, scene.identities["node3"]), sign(first, scene.identities["node3"])]

    return rewrite


def of_a_bid(scene: Scene) -> Change:
    """A34: valid partial decryptions of ann's ciphertexts instead of the outputs."""
    setup = scene.setup()

    def change(mine: bytes) -> bytes:
        opened = next(e.payload for s, _, e in scene.log if (s, e.round) == ("node2", "open"))
        public = commit.split_object(setup, "node2", "bob", opened[4:])[0]
        fields = commit.verify_public(setup, "bob", public).fields
        outputs = [fields[0]] * len(setup.outputs)
        share = scene.shares[setup.roster.index(scene.liar)]
        return release.decrypt_partially(setup, bytes(32), scene.liar, share, outputs, SeededEntropy("bid"))

    return change


def shifted(scene: Scene) -> Change:
    """w·(1 + N)^δ: the plaintext moves by a multiple of δ."""
    key = scene.key.encryption
    width = key.ciphertext_bytes

    def change(mine: bytes) -> bytes:
        w = int.from_bytes(mine[:width], "big") * int(key.with_plaintext(1 << 20)) % int(key.square)
        return w.to_bytes(width, "big") + mine[width:]

    return change


PARTIALS: dict[str, Callable[[Scene], Change]] = {
    "shifted": shifted,
    "of a bid": of_a_bid,
    "with a broken proof": lambda scene: last_bit,
    "of zero": lambda scene: lambda p: of_zero(scene, p),
    "cut short": lambda scene: lambda p: p[:-1],
    "and more": lambda scene: lambda p: p + b"\0",
    "of nothing": lambda scene: lambda p: b"",
}
