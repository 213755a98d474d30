"""Shares that are not shares of what was encrypted: the dealer is named, and nobody can be framed (A18, A41).

Each attack has its control: the same deviation where exactly the check that stops it is missing, and what it gains.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tacita.deploy.attack.dealing import Shares, bidder, for_one_node, no_check, node, shifted
from tacita.protocols import attempt, verify
from tacita.protocols.channel import Channel
from tacita.protocols.faults import ConversionMismatch, InconsistentOpening, ProtocolFault
from tacita.protocols.party import Result
from tacita.protocols.stages import bind
from tests.adversary.deviation import Deviant, errors, run, to


def outcome(outcomes: Mapping[str, Result | BaseException]) -> Mapping[str, Any]:
    results = [r for r in outcomes.values() if isinstance(r, Result)]
    assert len(results) == len(outcomes), outcomes
    return results[0].outcome


@pytest.mark.parametrize("parties", [3, 4])
@pytest.mark.parametrize("which", [0, 1, 2, -1], ids=["value", "slope", "third", "blind"])
def test_a_bidder_that_deals_shares_of_another_bid_is_named(
    monkeypatch: pytest.MonkeyPatch, parties: int, which: int
) -> None:
    cluster = Deviant(parties)
    fields = setup_of(cluster).instance.field_count("cat")
    with bidder(shifted(which % (fields + 1), 3)):
        for error in errors(cluster, run(cluster)):
            assert type(error) is ConversionMismatch and error.culprit == "cat", repr(error)
    assert not {"ticket", "partials"} & set(cluster.rounds())


def test_control_without_the_check_another_bid_wins_under_a_valid_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cat encrypts and proves a value of 6 and deals shares of 12: it gets more than its committed bid buys."""
    honest = outcome(run(Deviant(3)))
    cluster = Deviant(3)
    monkeypatch.setattr(attempt, "check_dealings", no_check)
    unit = 1 << 32
    scale = 16  # the bound on values in these terms: value 6 is 6/16 of the unit
    with bidder(shifted(0, 6 * unit // scale)):
        results = run(cluster)
    forged = outcome(results)
    assert forged["allocation"]["cat"][0] > honest["allocation"]["cat"][0] + 0.5
    result = next(iter(results.values()))
    assert isinstance(result, Result)
    assert verify.verify(result.certificate, cluster.roster, None, True).outcome["price"] == forged["price"]


@pytest.mark.parametrize("which", [0, 1, -1], ids=["first mask", "second mask", "blind"])
def test_a_node_that_deals_shares_of_other_masks_is_named(monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    cluster = Deviant(3)
    values = len(cluster_outputs(cluster))
    with node(shifted(which % (values + 1), 1 << 20)):
        for error in errors(cluster, run(cluster)):
            assert type(error) is ConversionMismatch and error.culprit == "node3", repr(error)
    assert not {"ticket", "partials"} & set(cluster.rounds())


def test_control_without_the_check_a_node_shifts_the_published_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = outcome(run(Deviant(3)))
    cluster = Deviant(3)
    monkeypatch.setattr(attempt, "check_dealings", no_check)
    with node(shifted(0, 1 << 24)):
        forged = outcome(run(cluster))
    assert forged != honest and {k for k in honest if honest[k] != forged[k]} & {"allocation", "price", "supply"}


@pytest.mark.parametrize(("make", "index"), [(bidder, 0), (bidder, 3), (node, 1)])
def test_shares_that_fit_no_polynomial_stop_the_session_and_name_nobody(
    monkeypatch: pytest.MonkeyPatch, make: Any, index: int
) -> None:
    """With four nodes, the three honest ones alone can see it; who lied they cannot."""
    cluster = Deviant(4, liar="node4" if make is bidder else "node3")
    with make(for_one_node(0, index)):
        for error in errors(cluster, run(cluster)):
            assert type(error) is InconsistentOpening, repr(error)


@pytest.mark.parametrize("parties", [3, 4, 5])
def test_a_node_that_lies_about_its_share_frames_no_dealer(parties: int) -> None:
    """Old rule (bisection by subsets): a node shifts its share when the victim is in the subset, and frames it."""

    def plus_one(payload: bytes) -> bytes:
        return (int.from_bytes(payload, "big") ^ 1).to_bytes(len(payload), "big")

    cluster = Deviant(parties, lies={"bind all": plus_one, "bind each": plus_one})
    for error in errors(cluster, run(cluster)):
        assert type(error) is InconsistentOpening and not hasattr(error, "culprit"), repr(error)


def test_a_part_of_the_coin_that_was_not_committed_to_is_refused() -> None:
    cluster = Deviant(3, lies={"bind coin": lambda p: bytes([p[0] ^ 1]) + p[1:]})
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, ProtocolFault) and error.culprit == "node3", repr(error)


def test_control_a_coin_that_dealers_can_compute_lets_two_errors_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors ρ₁ in field 0 and −ρ₀ in field 1 vanish in the sum if ρ is known when the shares are dealt."""
    original = bind.combinations
    rho: list[int] = []

    def predictable(setup: Any, session_id: bytes, coins: Any, everybody: Sequence[Any]) -> Any:
        return original(setup, bytes(32), dict.fromkeys(setup.roster.names, bytes(32)), everybody)

    def cancelling(number: int, shares: Shares, prime: int) -> Shares:
        error = {0: rho[1], 1: -rho[0]}.get(number, 0)
        return [(s + error) % prime for s in shares]

    fields = setup_of(Deviant(3)).instance.field_count("cat")
    transcript = bind.Transcript("bind").absorb("session", bytes(32))
    for name in ("node1", "node2", "node3"):
        transcript.absorb("node", name).absorb("coin", bytes(32))
    for dealer in ("ann", "bob", "cat"):
        rho = transcript.absorb("dealer", dealer).challenges("rho", fields, bind.CHALLENGE_BITS)

    def ended(check: bool) -> list[Any]:
        passed: list[bool] = []
        real = bind.check_total

        def noted(*arguments: Any) -> bool:
            passed.append(real(*arguments))
            return passed[-1]

        with monkeypatch.context() as patch, bidder(cancelling):
            patch.setattr(bind, "check_total", noted)
            if not check:
                patch.setattr(bind, "combinations", predictable)
            run(Deviant(3))
        return passed

    assert ended(check=False) == [True, True, True]
    assert ended(check=True) == [False, False, False]


def test_what_is_decrypted_is_hidden_by_blinds_80_bits_wider() -> None:
    """Whatever the fields are, Σ ρ·x is below 2^(blind bits − 80) in magnitude: the sum says nothing about them."""
    cluster = Deviant(3)
    setup = setup_of(cluster)
    for e in setup.enrolled:
        largest = max(max(abs(b.lo), abs(b.hi)) for b in setup.demand.inputs)
        most = setup.instance.field_count(e.name) * (1 << bind.CHALLENGE_BITS) * largest
        assert most.bit_length() + 80 <= setup.input_blind_bits(e.name)
    masks_most = sum((1 << bind.CHALLENGE_BITS) << v.mask_bits for v in setup.output_values)
    assert masks_most.bit_length() + 80 <= setup.mask_blind_bits


def test_no_partial_decryption_before_everybody_has_everybodys_share() -> None:
    """A node that is silent in the opening of the shares sees no partial decryption."""
    cluster = Deviant(3, deadline=0.6, rewrite=lambda e, r: None if e.round == "bind all" else e)
    errors(cluster, run(cluster))
    assert "bind all partials" not in cluster.rounds()


def test_a_partial_decryption_of_the_check_does_not_stand_for_another_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its proof names session, round and prover: sent as another node's, or with a bit changed, it is refused."""
    cluster = Deviant(3, rewrite=to("bind all partials", lambda p: p[:-1] + bytes([p[-1] ^ 1])))
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, ProtocolFault) and error.culprit == "node3", repr(error)


def setup_of(cluster: Deviant) -> Any:
    from tests.adversary.honest import a1

    return cluster.setup(a1()[0])


def cluster_outputs(cluster: Deviant) -> Sequence[Any]:
    return setup_of(cluster).output_values


def test_channel_is_the_only_way_out_of_the_check() -> None:
    """The stage module itself sends nothing: what it computes leaves through the channel in two rounds."""
    assert not any(isinstance(value, Channel) for value in vars(bind).values())
