"""Stage 1: what a participant or its host can do with a bid object (A01–A10)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import quadratic
from tacita.protocols.faults import (
    Equivocation,
    InvalidEncodingFault,
    InvalidProofFault,
    ProtocolFault,
)
from tacita.protocols.stages import commit
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.setup import Setup
from tests.adversary.bids import CHEAT, KEYS, Forge, cheat, with_field, with_values
from tests.adversary.deviation import Deviant, assert_all_name, errors, finished, run
from tests.adversary.honest import LINES, A1Cluster, a1, auction, tree


def others(forge: Callable[[Setup, BidObject, BidObject], BidObject]) -> Forge:
    """What CHEAT makes when it somehow has ann's object, at the latest from its opening."""

    def make(setup: Setup, bid: BidObject, _: Sequence[int]) -> BidObject:
        values = setup.instance.fields.values(a1()[1]["ann"])  # type: ignore[attr-defined]
        ann, _opening = HONEST_MAKE(setup, "ann", values, KEYS, SeededEntropy("ann's object"))
        return forge(setup, bid, ann)

    return make


HONEST_MAKE = commit.make_object


# ---- ciphertexts and proofs -------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_ciphertext_is_refused_before_its_proof(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A01: it is the check of the ciphertext that refuses it, not an equation of the proof."""
    cheated, cluster = cheat(monkeypatch, with_field(0, MALFORMED[what])), Deviant(3)
    outcomes = run(cluster)
    cluster.told += cheated
    assert_all_name(cluster, outcomes, InvalidProofFault, CHEAT)
    assert all("its bid object is refused: a ciphertext" in str(e) for e in errors(cluster, outcomes))


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


@pytest.mark.parametrize("what", FORGERIES)
def test_a_bid_that_its_proof_does_not_cover_names_the_bidder(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cheated, cluster = cheat(monkeypatch, FORGERIES[what]), Deviant(3)
    outcomes = run(cluster)
    cluster.told += cheated
    assert_all_name(cluster, outcomes, InvalidProofFault, CHEAT)


def test_a_proof_of_another_session_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A40: cat made this object, with the same values, for an auction of another name."""
    terms, _ = auction(tree("public", name="yesterday"), LINES)

    def replay(setup: Setup, bid: BidObject, values: Sequence[int]) -> BidObject:
        old = A1Cluster(3).setup(terms)
        assert old.auction_id != setup.auction_id
        return HONEST_MAKE(old, CHEAT, values, KEYS, SeededEntropy("yesterday"))[0]

    cheated, cluster = cheat(monkeypatch, replay), Deviant(3)
    outcomes = run(cluster)
    cluster.told += cheated
    assert_all_name(cluster, outcomes, InvalidProofFault, CHEAT)


def test_control_without_the_proof_a_bid_out_of_range_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harm: cat's value above the bound of the terms, which nobody else may use, takes the goods."""
    (honest, *_) = finished(Deviant(3), run(Deviant(3)))
    monkeypatch.setattr(quadratic, "verify", lambda *_: None)
    cheat(monkeypatch, FORGERIES["a value above its bound"])
    cluster = Deviant(3)
    (result, *_) = finished(cluster, run(cluster))
    assert result.outcome["allocation"][CHEAT][0] > honest.outcome["allocation"][CHEAT][0] + 1
    assert result.outcome["allocation"]["ann"][0] < honest.outcome["allocation"]["ann"][0]


def test_control_without_the_bidder_in_the_context_a_copied_object_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the context tells ann's proof from cat's; then cat wins exactly what ann's bid would."""
    context = commit._context
    monkeypatch.setattr(commit, "_context", lambda setup, _: context(setup, "anybody"))
    monkeypatch.setattr(commit, "_envelope_context", lambda setup, _, node: bytes(32))
    cheat(monkeypatch, others(lambda s, cat, ann: ann))
    cluster = Deviant(3)
    (result, *_) = finished(cluster, run(cluster))
    assert result.outcome["allocation"][CHEAT] == pytest.approx(result.outcome["allocation"]["ann"], abs=1e-6)


# ---- commit and open --------------------------------------------------------------------------------------------


def second_thoughts(cluster: Deviant, monkeypatch: pytest.MonkeyPatch) -> None:
    """cat commits to its bid and, when it has seen the others' bids, opens another one: valid, proven, its own."""
    late = dict[str, bytes]()
    make = commit.make_object

    def both(setup: Setup, name: str, values: Sequence[int], keys: Sequence[bytes], entropy: Any) -> Any:
        if name == CHEAT:
            higher, _ = make(setup, name, [values[0] * 2, *values[1:]], keys, SeededEntropy("late"))
            late[name] = higher.encode(setup, name)
        return make(setup, name, values, keys, entropy)

    monkeypatch.setattr(commit, "make_object", both)
    cluster.lies["open"] = lambda _: len(late[CHEAT]).to_bytes(4, "big") + late[CHEAT]


def test_a_bid_that_changes_after_the_others_are_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A07."""
    cluster = Deviant(3)
    second_thoughts(cluster, monkeypatch)
    assert_all_name(cluster, run(cluster), Equivocation, "node3")


def test_control_without_the_hash_the_last_mover_raises_its_bid(monkeypatch: pytest.MonkeyPatch) -> None:
    (honest, *_) = finished(Deviant(3), run(Deviant(3)))
    monkeypatch.setattr(commit, "object_hash", lambda public, envelopes: bytes(32))
    cluster = Deviant(3)
    second_thoughts(cluster, monkeypatch)
    (result, *_) = finished(cluster, run(cluster))
    assert result.outcome["allocation"][CHEAT][0] > honest.outcome["allocation"][CHEAT][0]


@pytest.mark.parametrize(
    ("round_name", "change", "leaf"),
    [
        ("commit", lambda p: p.replace(b'"cat"', b'"ann"'), InvalidEncodingFault),
        ("commit", lambda p: b"{}", InvalidEncodingFault),
        ("commit", lambda p: p.replace(b'"object":"', b'"object":"00')[: len(p)], InvalidEncodingFault),
        ("commit", lambda p: p[:-10] + bytes([p[-10] ^ 1]) + p[-9:], ProtocolFault),
        ("open", lambda p: b"", InvalidEncodingFault),
        ("open", lambda p: p[:-1], InvalidEncodingFault),
        ("open", lambda p: p + p, InvalidEncodingFault),
        ("open", lambda p: p + b"\0", InvalidEncodingFault),
        ("open", lambda p: b"\xff\xff\xff\xff" + p[4:], InvalidEncodingFault),
        ("open", lambda p: p[:100] + bytes([p[100] ^ 1]) + p[101:], Equivocation),
        ("open", lambda p: p[:-5] + bytes([p[-5] ^ 1]) + p[-4:], Equivocation),
    ],
)
def test_a_host_that_changes_what_its_participant_signed_is_named(
    round_name: str, change: Callable[[bytes], bytes], leaf: type[ProtocolFault]
) -> None:
    """The participant's signature is on the hash, so a changed object or envelope is its host's doing."""
    cluster = Deviant(3, lies={round_name: change})
    for error in errors(cluster, run(cluster)):
        assert type(error) is leaf and error.culprit == "node3", repr(error)
    assert cluster.told == [round_name]
