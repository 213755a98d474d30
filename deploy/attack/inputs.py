"""A01–A10: bids that are malformed, out of range, copied, changed, or not the same for everybody."""

from tacita.deploy.attack.behaviour import Behaviour, last_bit, silence, to
from tacita.deploy.attack.bids import CHEAT, FORGERIES, MALFORMED, SplitBid, cheat, others, second_thoughts, with_field
from tacita.deploy.attack.bids import unreduced as unreduced_bid
from tacita.deploy.attack.case import Play, Shown, case, skip
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.session import (
    crashed,
    honest_blamed,
    play_session,
    worthless_certificate,
    wrong_output,
)

CHECK = Defence("tacita.crypto.paillier.EncryptionKey.check")


@case(
    "A01",
    "malformed ciphertext",
    "I InvalidCiphertext",
    CHECK,
    culprit=CHEAT,
    accepts="I InvalidProof",
    variants=("not reduced", *MALFORMED),
)
def malformed(play: Play) -> Shown:
    forge = unreduced_bid if play.variant == "not reduced" else with_field(0, MALFORMED[play.variant])
    cheated = cheat(play.patch, forge)
    return play_session(play, Behaviour(), worthless_certificate, later=True, deviated=lambda: cheated)


@case(
    "A02",
    "bid out of its range",
    "I InvalidProof",
    Defence("tacita.crypto.proofs.quadratic.verify"),
    culprit=CHEAT,
    variants=[name for name in FORGERIES if " another" not in name and "other" not in name],
)
def out_of_range(play: Play) -> Shown:
    cheated = cheat(play.patch, FORGERIES[play.variant])
    return play_session(play, Behaviour(), wrong_output, deviated=lambda: cheated)


@case(
    "A06",
    "a rival's bid, copied or malleated",
    "I InvalidProof",
    Defence(
        "tacita.protocols.stages.commit._context",
        lambda honest: lambda setup, _: honest(setup, "anybody"),
        prevents=True,
    ),
    culprit=CHEAT,
    variants=("verbatim", *(name for name in FORGERIES if "another" in name)),
)
def copied(play: Play) -> Shown:
    forge = others(lambda s, cat, ann: ann) if play.variant == "verbatim" else FORGERIES[play.variant]
    cheated = cheat(play.patch, forge)
    return play_session(play, Behaviour(), wrong_output, deviated=lambda: cheated)


@case(
    "A07",
    "last mover: opens another bid, or none",
    "I Equivocation",
    Defence(
        "tacita.protocols.stages.commit.object_hash", lambda honest: lambda public, envelopes: bytes(32), prevents=True
    ),
    culprit="node3",
    variants={"opens another bid": "", "two commitments": "", "never opens": "D Absent"},
)
def last_mover(play: Play) -> Shown:
    behaviour = {
        "opens another bid": lambda: Behaviour(lies=second_thoughts(play.patch), rushes=True),
        "two commitments": lambda: Behaviour(rewrite=to("commit", last_bit, ["node1"])),
        "never opens": lambda: Behaviour(rewrite=silence("open")),
    }[play.variant]()
    return play_session(play, behaviour, wrong_output)


LENGTHS = {
    "bind all, empty": ("bind all", lambda p: b""),
    "bind all, one more": ("bind all", lambda p: p + p),
    "confirm keys, one less": ("confirm keys", lambda p: p[:-32]),
    "open, no bid": ("open", lambda p: b""),
    "open, two bids": ("open", lambda p: p + p),
    "masks, none": ("masks", lambda p: b""),
    "coins, short": ("coins", lambda p: p[:-1]),
}
OTHER_LEAVES = {"masks, none": "I InvalidProof", "coins, short": "I ProtocolFault"}


@case(
    "A08",
    "sequences of a wrong length",
    "I InvalidEncoding",
    Defence(
        "tacita.protocols.messages.field_elements",
        lambda honest: (
            lambda node, data, prime, count: honest(node, data, prime, len(data) // ((prime.bit_length() + 7) // 8))
        ),
    ),
    culprit="node3",
    variants={
        name: {"masks": "I InvalidProof", "coins": "I ProtocolFault"}.get(name.split(",")[0], "") for name in LENGTHS
    },
)
def wrong_length(play: Play) -> Shown:
    round_name, change = LENGTHS[play.variant]
    return play_session(play, Behaviour(lies={round_name: change}), crashed)


skip("A09", "wrong product of a gadget", "I InvalidProof", "the plan `encrypted` with gadgets 1 and 2 is not built")


@case(
    "A10",
    "different commitments to different nodes",
    "I Equivocation",
    Defence("tacita.protocols.channel.Channel._dispute"),
    culprit="node3",
    variants={"two bids": "", "masks": "", "bind coin": "", "omitted to one": "D Absent"},
)
def split(play: Play) -> Shown:
    if play.variant == "two bids":
        return play_session(play, SplitBid, honest_blamed)
    if play.variant == "omitted to one":
        return play_session(play, Behaviour(rewrite=silence("commit", ["node1"])), honest_blamed)
    return play_session(play, Behaviour(rewrite=to(play.variant, last_bit, ["node1"])), honest_blamed)
