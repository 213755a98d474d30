"""Stage 4 before decryption: who does not sign the ticket, signs two, or shows it to some (A35, A42, A80, A83, A91)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.deviations import BAD_TICKETS, FRAMES, UNFAIR
from tacita.protocols import releasing
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope
from tacita.protocols.faults import Absent, CallerMistake, ProtocolFault, SessionAborted
from tacita.protocols.party import Result
from tests.adversary.deviation import (
    Deviant,
    assert_nothing_decrypted,
    drop,
    errors,
    finished,
    run,
    silence,
)
from tests.adversary.honest import a1

Rewrite = Callable[[Envelope, str], Any]


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages in memory need no time on top of the deadline."""
    monkeypatch.setattr(releasing, "DISPUTE_SECONDS", 0.0)


@pytest.mark.parametrize("what", BAD_TICKETS)
def test_a_node_that_does_not_sign_the_ticket_is_named_and_nothing_is_decrypted(what: str) -> None:
    """A83: the refusal is blind, because no honest node decrypts before it has all signatures."""
    deadline = 3.0 if "BLS" in what else 1.0  # pairings block the loop that all nodes of a test share
    cluster = Deviant(3, deadline=deadline, lies={"ticket": BAD_TICKETS[what]}, rewrite=silence("signed"))
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, ProtocolFault) and error.culprit == "node3", repr(error)
    assert cluster.told
    assert_nothing_decrypted(cluster)


def test_a_signature_on_another_outcome_is_no_signature_on_this_one() -> None:
    """A80: node3 signs its own ticket well, for another result."""
    cluster = Deviant(3, deadline=0.8, rewrite=silence("signed"))
    other = bytes(32)
    signed = cluster.identities["node3"].sign("ticket", other) + cluster.multi["node3"].sign(other)
    cluster.lies["ticket"] = lambda _: signed
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, ProtocolFault) and error.culprit == "node3"
    assert_nothing_decrypted(cluster)


def test_silence_at_the_ticket_is_an_absence_and_nothing_is_decrypted() -> None:
    cluster = Deviant(3, deadline=0.3, rewrite=lambda e, r: None if e.round in ("ticket", "signed") else e)
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, Absent | SessionAborted), repr(error)
    assert_nothing_decrypted(cluster)


@pytest.mark.parametrize("victim", ["node1", "node2"])
@pytest.mark.parametrize("what", UNFAIR)
def test_a_node_cannot_keep_the_result_for_itself_by_splitting_the_ticket(what: str, victim: str) -> None:
    """A35: node3 lets one honest node complete the ticket, takes its partial decryption, and gives none."""
    cluster = Deviant(3, deadline=3.0)
    cluster.rewrite = UNFAIR[what](victim, cluster)
    results = finished(cluster, run(cluster))
    assert len({r.certificate for r in results}) == 1
    assert cluster.told


@pytest.mark.parametrize("what", UNFAIR)
def test_control_without_passing_signatures_on_the_liar_learns_the_result_alone(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Channel.post

    async def post(self: Channel, round_name: str, payload: bytes) -> None:
        if round_name != releasing.SIGNED:
            await honest(self, round_name, payload)

    monkeypatch.setattr(Channel, "post", post)
    cluster = Deviant(3, deadline=0.8)
    cluster.rewrite = UNFAIR[what]("node2", cluster)
    outcomes = run(cluster)
    assert all(not isinstance(outcomes[name], Result) for name in cluster.honest)
    shown = {s for s, r, e in cluster.log if e.round == "partials" and r == "node3"}
    assert shown == {"node1"}, "with its own share node3 has two: it can decrypt"


def test_signatures_that_are_passed_on_changed_are_the_fault_of_who_passes_them_on() -> None:
    """A42: node3 holds back its own signature and shows node2 a set in which node1's is broken."""

    def rewrite(e: Envelope, r: str) -> Envelope | None:
        if e.round == "ticket" and r == "node2":
            return None
        return replace(e, payload=FRAMES["BLS of node1"](e.payload)) if e.round == "signed" else e

    cluster = Deviant(3, deadline=1.5, rewrite=rewrite)
    cluster.tamper = drop(cluster, "node1", "signed", cluster.tamper)
    fault = run(cluster)["node2"]
    assert isinstance(fault, ProtocolFault) and fault.culprit == "node3" and "passes on" in str(fault), repr(fault)


@pytest.mark.parametrize("what", FRAMES)
def test_no_changed_set_of_signatures_frames_its_signers(what: str) -> None:
    cluster, ticket = Deviant(3), bytes(32)
    setup = cluster.setup(a1()[0])
    each = [cluster.identities[n].sign("ticket", ticket) + cluster.multi[n].sign(ticket) for n in cluster.names]
    assert releasing.read_set(setup, ticket, "node3", b"".join(each)) is not None
    with pytest.raises(ProtocolFault, match="node3 broke the protocol: it passes on"):
        releasing.read_set(setup, ticket, "node3", FRAMES[what](b"".join(each)))


@pytest.mark.parametrize("kind", ["ticket", "spent"])
def test_one_auction_is_decided_once(kind: str) -> None:
    """A80/A91: a node that signed or finished another outcome signs nothing more for this auction."""
    cluster = Deviant(3, deadline=0.5)
    auction = cluster.setup(a1()[0]).auction_id
    for name in cluster.honest:
        cluster.stores[name].remember(kind, auction, bytes(32))
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, CallerMistake), repr(error)
        assert ("already been decided" if kind == "spent" else "signed another outcome") in str(error)
    assert_nothing_decrypted(cluster)


def test_control_without_the_memory_a_second_query_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Deviant(3)
    finished(cluster, run(cluster))
    refused = run(cluster, node1={"entropy": SeededEntropy("again")})
    assert all(isinstance(refused[name], CallerMistake) for name in cluster.honest)
    for store in cluster.stores.values():
        store.facts.clear()
    finished(cluster, run(cluster, node1={"entropy": SeededEntropy("again")}))
