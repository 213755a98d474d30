"""One deviation of every kind that leaves evidence, each run once; what the honest nodes hold afterwards."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pytest

from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.sealing import SealingKey
from tacita.deploy.attack import bids, dealing, deviations
from tacita.protocols import evidence, releasing
from tacita.protocols.channel import MAX_WAITING_MESSAGES
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.faults import Evidence, ProtocolFault
from tacita.protocols.mpc.frames import EngineFrame
from tacita.protocols.party import Result
from tacita.protocols.reading import complaint
from tacita.protocols.terms import canonical_json
from tests.adversary.deviation import Deviant, drop, first_bit, last_bit, run, silence, to

Change = Callable[[bytes], bytes]
CORRUPT = ("node3", bids.CHEAT)
"""Everybody else is honest in these sessions."""
UNDO = ExitStack()
"""Ends what lasts for one session."""


@dataclass(frozen=True)
class Indictment:
    """Evidence that an honest node ended up with."""

    kind: str
    culprit: str
    fault: str
    evidence: Evidence
    cluster: Deviant

    @property
    def file(self) -> bytes:
        return evidence.to_file(self.evidence, self.cluster.roster)


def lie(round_name: str, change: Change) -> Callable[[pytest.MonkeyPatch], Deviant]:
    return lambda patch: Deviant(3, lies={round_name: change})


def other_terms(payload: bytes) -> bytes:
    return canonical_json({**json.loads(payload), "terms": "00" * 32})


def two_participants(payload: bytes) -> bytes:
    tree = json.loads(payload)
    return canonical_json({**tree, "enrolled": tree["enrolled"] * 2})


def unsigned_freeze(patch: pytest.MonkeyPatch) -> Deviant:
    cluster = Deviant(3)
    cluster.lies["freeze"] = lambda _: cluster.identities["node3"].sign("freeze", bytes(32))
    return cluster


def cheating(forge: bids.Forge) -> Callable[[pytest.MonkeyPatch], Deviant]:
    def make(patch: pytest.MonkeyPatch) -> Deviant:
        bids.cheat(patch, forge)
        return Deviant(3)

    return make


def dealt_badly(setup: Any, bid: Any, values: Sequence[int]) -> Any:
    return bids.deal(setup, bid, values, lambda n, body: body[:-1] + b"\0" if n == "node1" else body, hashed=False)


def false_complaint(patch: pytest.MonkeyPatch) -> Deviant:
    cluster = Deviant(3)
    cluster.watch_sessions(patch)
    cluster.lies["shares"] = lambda _: complaint("ann", cluster.envelope_keys["ann"])
    return cluster


def wrong_dealing(make: Any, which: int) -> Callable[[pytest.MonkeyPatch], Deviant]:
    def prepare(patch: pytest.MonkeyPatch) -> Deviant:
        UNDO.enter_context(make(dealing.shifted(which, 3)))
        return Deviant(3)

    return prepare


def each_cut(patch: pytest.MonkeyPatch) -> Deviant:
    cluster = wrong_dealing(dealing.bidder, 0)(patch)
    cluster.lies["bind each"] = lambda p: p[:-1]
    return cluster


def each_partials(patch: pytest.MonkeyPatch) -> Deviant:
    cluster = wrong_dealing(dealing.bidder, 0)(patch)
    cluster.lies["bind each partials"] = last_bit
    return cluster


def broken_frame() -> Deviant:
    cluster = Deviant(3)
    sent = itertools.count()

    def tamper(sender: int, receiver: int, data: bytes) -> bytes:
        last = (sender, receiver) == (2, 0) and next(sent) == 7
        return deviations.BROKEN["values outside the field"](data) if last else data

    cluster.engine_tamper = tamper
    return cluster


def bad_ticket(change: Change) -> Callable[[pytest.MonkeyPatch], Deviant]:
    return lambda patch: Deviant(3, deadline=3.0, lies={"ticket": change}, rewrite=silence("signed"))


def readdressed(round_name: str, receiver: str) -> Callable[[pytest.MonkeyPatch], Deviant]:
    """To this receiver, or each copy to the one who gets it."""
    return lambda patch: Deviant(
        3, rewrite=lambda e, r: replace(e, receiver=receiver or r) if e.round == round_name else e
    )


def twice(e: Envelope, r: str) -> Any:
    key = Deviant(3).identities["node3"]
    return [sign(e, key), sign(replace(e, receiver=r), key)] if e.round == "coins" else e


def far_ahead(e: Envelope, r: str) -> Any:
    key = Deviant(3).identities["node3"]
    rounds = [f"round {k}" for k in range(MAX_WAITING_MESSAGES + 1)]
    return [sign(replace(e, round=name), key) for name in rounds] if e.round == "masks" else e


def passes_on(patch: pytest.MonkeyPatch) -> Deviant:
    def rewrite(e: Envelope, r: str) -> Envelope | None:
        if e.round == "ticket" and r == "node2":
            return None
        return replace(e, payload=first_bit(e.payload)) if e.round == "signed" else e

    return Deviant(3, deadline=1.5, rewrite=rewrite)


def accuses(patch: pytest.MonkeyPatch) -> Deviant:
    """node3 gives up with evidence against node1 in which the second message is made up."""
    cluster = Deviant(3)

    def rewrite(e: Envelope, r: str) -> Any:
        if e.round != "freeze":
            return e
        heard = next(x for s, _, x in cluster.log if (s, x.round) == ("node1", "open"))
        copies = [
            sign(heard, cluster.identities["node1"]),
            sign(replace(heard, payload=b"x"), cluster.identities["node3"]),
        ]
        claim = evidence.encode(Evidence("equivocation", tuple(copies)), cluster.roster)
        return [sign(replace(e, round="abort", payload=claim), cluster.identities["node3"])]

    cluster.rewrite = rewrite
    return cluster


KINDS: dict[str, tuple[str, str, Callable[[pytest.MonkeyPatch], Deviant]]] = {
    "two messages": ("node3", "Equivocation", lambda patch: Deviant(3, rewrite=to("commit", last_bit, ["node1"]))),
    "other terms": ("node3", "ParamMismatch", lie("hello", other_terms)),
    "a participant twice": ("node3", "ProtocolFault", lie("hello", two_participants)),
    "no envelope keys": ("node3", "InvalidEncodingFault", lie("envelope keys", lambda p: bytes(96))),
    "no commitment": ("node3", "InvalidEncodingFault", lie("commit", lambda p: b"{}")),
    "an unsigned commitment": (
        "node3",
        "ProtocolFault",
        lie("commit", lambda p: p[:-10] + (b"0" if p[-10:-9] != b"0" else b"1") + p[-9:]),
    ),
    "another object": ("node3", "Equivocation", lie("open", lambda p: p[:100] + first_bit(p[100:]))),
    "an object that is cut": ("node3", "InvalidEncodingFault", lie("open", lambda p: p[:-1])),
    "a bid out of range": (
        bids.CHEAT,
        "InvalidProofFault",
        cheating(bids.with_values(lambda v: [v[0] * 4, *v[1:]])),
    ),
    "no ciphertext": (bids.CHEAT, "InvalidProofFault", cheating(bids.with_field(0, lambda s, c: 0))),
    "another set signed": ("node3", "ProtocolFault", unsigned_freeze),
    "another coin": ("node3", "ProtocolFault", lie("coins", first_bit)),
    "another key contribution": ("node3", "ProtocolFault", lambda patch: Deviant(3, rewrite=to("keys", first_bit))),
    "no confirmation": ("node3", "InvalidEncodingFault", lie("confirm keys", lambda p: p[:-1])),
    "bad shares": (bids.CHEAT, "BadKeyShare", cheating(dealt_badly)),
    "a false complaint": ("node3", "FalseComplaint", false_complaint),
    "a complaint that opens nothing": (
        "node3",
        "FalseComplaint",
        lie("shares", lambda _: complaint("ann", SealingKey(bytes(32)))),
    ),
    "unproven masks": ("node3", "InvalidProofFault", lie("masks", last_bit)),
    "mask shares outside the field": (
        "node3",
        "BadKeyShare",
        lambda patch: Deviant(3, rewrite=to("mask shares", lambda p: b"\xff" * len(p))),
    ),
    "another binding coin": ("node3", "ProtocolFault", lie("bind coin", first_bit)),
    "no field element": ("node3", "InvalidEncodingFault", lie("bind all", lambda p: b"\xff" * len(p))),
    "a wrong partial decryption in the check": ("node3", "BadPartialDecryption", lie("bind all partials", last_bit)),
    "no field elements, each": ("node3", "InvalidEncodingFault", each_cut),
    "wrong partial decryptions in the check, each": ("node3", "BadPartialDecryption", each_partials),
    "a bidder's shares of another bid": (bids.CHEAT, "ConversionMismatch", wrong_dealing(dealing.bidder, 0)),
    "a node's shares of other masks": ("node3", "ConversionMismatch", wrong_dealing(dealing.node, 0)),
    "a broadcast for one": ("node3", "ProtocolFault", readdressed("freeze", "")),
    "a private message for all": ("node3", "ProtocolFault", readdressed("mask shares", "*")),
    "the same for one and for all": ("node3", "ProtocolFault", lambda patch: Deviant(3, rewrite=twice)),
    "rounds that do not exist": ("node3", "ProtocolFault", lambda patch: Deviant(3, rewrite=far_ahead)),
    "no field elements from the engine": ("node3", "InvalidEncodingFault", lambda patch: broken_frame()),
    "no signature on the ticket": ("node3", "ProtocolFault", bad_ticket(first_bit)),
    "no BLS signature on the ticket": ("node3", "ProtocolFault", bad_ticket(last_bit)),
    "half a ticket": ("node3", "InvalidEncodingFault", bad_ticket(lambda p: p[:-1])),
    "signatures passed on changed": ("node3", "ProtocolFault", passes_on),
    "a wrong partial decryption": (
        "node1",
        "BadPartialDecryption",
        lambda patch: Deviant(3, liar="node1", lies={"partials": last_bit}),
    ),
    "an accusation that does not hold": ("node3", "FalseComplaint", accuses),
}
"""Kind → (culprit, fault, the cluster in which it happens)."""


@lru_cache(maxsize=len(KINDS))
def indict(kind: str) -> tuple[Indictment, ...]:
    """What every honest node holds that can prove the fault."""
    culprit, fault, prepare = KINDS[kind]
    with UNDO, pytest.MonkeyPatch.context() as patch:
        patch.setattr(releasing, "DISPUTE_SECONDS", 0.0)
        cluster = prepare(patch)
        if kind == "signatures passed on changed":
            cluster.tamper = drop(cluster, "node1", "signed", cluster.tamper)
        outcomes = run(cluster)
    held = [e for name in cluster.honest for e in _evidence(outcomes, name)]
    assert held, (kind, [repr(outcomes[name])[:200] for name in cluster.honest])
    return tuple(Indictment(kind, culprit, fault, e, cluster) for e in held)


def _evidence(outcomes: Mapping[str, Result | BaseException], name: str) -> Sequence[Evidence]:
    ended = outcomes[name]
    if isinstance(ended, Result):
        return ended.evidence
    return [ended.evidence] if isinstance(ended, ProtocolFault) and ended.evidence else []


@lru_cache(maxsize=1)
def honest_session() -> tuple[Deviant, list[bytes], Any]:
    """An honest session: its cluster, every signed message but engine frames, and node1's session object."""
    cluster = Deviant(3)
    with pytest.MonkeyPatch.context() as patch:
        cluster.watch_sessions(patch)
        outcomes = run(cluster)
    assert all(isinstance(r, Result) for r in outcomes.values())
    said = dict.fromkeys(data for received in cluster.traffic.values() for data in received if not is_frame(data))
    return cluster, list(said), cluster.sessions["node1"][0]


def is_frame(data: bytes) -> bool:
    """Whether this is from engine to engine."""
    try:
        EngineFrame.decode(data)
    except InvalidEncoding:
        return False
    return True
