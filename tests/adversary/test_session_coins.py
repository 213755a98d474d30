"""Stage 1 after the opening: another set of bids at the freeze, and attempts to choose the order (A86, A90)."""

from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.bids import CHEAT
from tacita.deploy.attack.deviations import grind, other_freeze
from tacita.deploy.simulate.clock import run_virtual
from tacita.protocols import messages
from tacita.protocols.faults import Absent, CallerMistake, ProtocolFault, VerificationFailed
from tacita.protocols.stages import certify
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.setup import Setup
from tacita.protocols.verify import verify
from tests.adversary.deviation import Deviant, assert_all_name, errors, finished, run, silence
from tests.adversary.honest import LINES, a1, auction, tree
from tests.cluster_in_memory import MemoryStore


def test_a_signature_on_another_set_of_bids_is_refused() -> None:
    """A86: dropping or exchanging a bid at the freeze is a signature on another digest."""
    cluster = Deviant(3)
    cluster.lies["freeze"] = other_freeze(cluster)
    assert_all_name(cluster, run(cluster), ProtocolFault, "node3")
    assert "coins" not in cluster.rounds(), "nobody reveals its part of the coin for a set that is not agreed"


def test_control_without_the_check_the_certificate_is_worthless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "check_signed", lambda *_: None)
    cluster = Deviant(3)
    cluster.lies["freeze"] = other_freeze(cluster)
    (result, *_) = finished(cluster, run(cluster))
    with pytest.raises(VerificationFailed, match="a signature for freeze does not verify"):
        verify(result.certificate, cluster.roster, allow_insecure_key=True)


def order_of(data: bytes) -> tuple[str, ...]:
    certificate = Certificate.decode(data)
    setup = Setup.make(certificate.terms, certificate.roster, certificate.key, certificate.enrolled)
    coins = {name: part.coin for name, part in certificate.nodes.items()}
    return certify.auction_order(setup.auction_id, coins, ("ann", "bob", "cat"))


def test_a_coin_chosen_after_the_others_is_not_the_committed_one() -> None:
    cluster = Deviant(3, rush=True)
    cluster.lies["coins"] = grind(cluster)
    assert_all_name(cluster, run(cluster), ProtocolFault, "node3")


def test_control_without_the_commitment_the_last_mover_chooses_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certify, "coin_commitment", lambda coin, nonce, owner: bytes(32))
    cluster = Deviant(3, rush=True)
    cluster.lies["coins"] = grind(cluster)
    (result, *_) = finished(cluster, run(cluster))
    assert order_of(result.certificate)[0] == CHEAT


class OneHost(Deviant):
    """node3 speaks for all participants, so it alone decides what is frozen."""

    def hosted(self, party: Any, inputs: Any) -> Any:
        mine = (
            super().hosted(replace(party, name="node1"), inputs),
            super().hosted(replace(party, name="node2"), inputs),
        )
        return [*mine[0], *mine[1], *super().hosted(party, inputs)] if party.name == "node3" else []


def withheld(cluster: Deviant, attempt: int, inputs: Any, name: str = "a1") -> tuple[dict[str, Any], tuple[str, ...]]:
    """One attempt in which node3 sees the coins and leaves; {node: outcome}, and the order that it learned."""
    terms, _ = auction(tree("public", name=name), LINES)
    cluster.log.clear()
    fresh = {n: {"entropy": SeededEntropy(f"{attempt}/{n}")} for n in cluster.honest}
    outcomes = run_virtual(cluster.outcomes(terms, inputs, fresh))
    coins = {s: e.payload[:32] for s, _, e in cluster.log if e.round == "coins"}
    setup = cluster.setup(terms)
    return outcomes, certify.auction_order(setup.auction_id, coins, ("ann", "bob", "cat")) if coins else ()


@pytest.mark.parametrize("name", ["a1", ""], ids=["named", "unnamed"])
@pytest.mark.parametrize("kind", [Deviant, OneHost])
def test_withholding_the_coin_and_trying_again_does_not_redraw_the_order(name: str, kind: type[Deviant]) -> None:
    """A90: also not with other participants (another auction id) or with all bids equal (the same freeze)."""
    cluster = kind(3, deadline=0.5, rewrite=silence("coins"))
    _, inputs = auction(tree("public", name=name), LINES)
    _, more = auction(tree("public", name=name), LINES + "\ndan,1,5,1,0,1")
    outcomes, order = withheld(cluster, 0, inputs, name)
    assert order and all(isinstance(e, Absent) and e.peer == "node3" for e in errors(cluster, outcomes))
    for attempt, again in ((1, inputs), (2, more)):
        outcomes, order = withheld(cluster, attempt, again, name)
        assert not order, "nobody reveals a second coin"
        for error in errors(cluster, outcomes):
            assert isinstance(error, CallerMistake) and "already frozen its bids" in str(error), repr(error)


def test_control_without_the_memory_the_order_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remember = MemoryStore.remember
    monkeypatch.setattr(
        MemoryStore, "remember", lambda s, kind, key, v: v if kind == "drawn" else remember(s, kind, key, v)
    )
    cluster = Deviant(3, deadline=0.4, rewrite=silence("coins"))
    orders = {withheld(cluster, attempt, a1()[1])[1] for attempt in range(4)}
    assert len(orders) > 1, "a node that withholds chooses among orders"
