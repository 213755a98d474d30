"""Stage 1: what a participant or its host can do with a bid object (A01–A10)."""

from collections.abc import Callable, Sequence

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import quadratic
from tacita.deploy.attack.bids import (
    CHEAT,
    FORGERIES,
    HONEST_MAKE,
    KEYS,
    MALFORMED,
    cheat,
    others,
    second_thoughts,
    with_field,
)
from tacita.protocols.faults import (
    Equivocation,
    InvalidEncodingFault,
    InvalidProofFault,
    ProtocolFault,
)
from tacita.protocols.stages import commit
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.setup import Setup
from tests.adversary.deviation import Deviant, assert_all_name, errors, finished, run
from tests.adversary.honest import LINES, A1Cluster, auction, tree


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_ciphertext_is_refused_before_its_proof(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A01: it is the check of the ciphertext that refuses it, not an equation of the proof."""
    cheated, cluster = cheat(monkeypatch, with_field(0, MALFORMED[what])), Deviant(3)
    outcomes = run(cluster)
    cluster.told += cheated
    assert_all_name(cluster, outcomes, InvalidProofFault, CHEAT)
    assert all("its bid object is refused: a ciphertext" in str(e) for e in errors(cluster, outcomes))


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
    cheat(monkeypatch, others(lambda s, cat, ann: ann))
    cluster = Deviant(3)
    (result, *_) = finished(cluster, run(cluster))
    assert result.outcome["allocation"][CHEAT] == pytest.approx(result.outcome["allocation"]["ann"], abs=1e-6)


# ---- commit and open --------------------------------------------------------------------------------------------


def test_a_bid_that_changes_after_the_others_are_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A07."""
    cluster = Deviant(3)
    cluster.lies = second_thoughts(monkeypatch)
    assert_all_name(cluster, run(cluster), Equivocation, "node3")


def test_control_without_the_hash_the_last_mover_raises_its_bid(monkeypatch: pytest.MonkeyPatch) -> None:
    (honest, *_) = finished(Deviant(3), run(Deviant(3)))
    monkeypatch.setattr(commit, "object_hash", lambda public, envelopes: bytes(32))
    cluster = Deviant(3)
    cluster.lies = second_thoughts(monkeypatch)
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
