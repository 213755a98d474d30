"""Stage 4 with a ticket: wrong, missing and early partial decryptions (A33–A35)."""

from collections.abc import Callable
from typing import Any

import pytest

from tacita.deploy.attack.deviations import PARTIALS, early, shifted
from tacita.protocols import releasing
from tacita.protocols.envelope import Envelope
from tacita.protocols.faults import Absent
from tacita.protocols.party import Result
from tacita.protocols.stages import partials
from tests.adversary.deviation import Deviant, drop, finished, last_bit, run, silence, to

Rewrite = Callable[[Envelope, str], Any]


def test_partial_decryptions_before_the_ticket_move_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A34: no honest node decrypts anything before it holds all signatures."""
    held: dict[str, bool] = {}
    sign_ticket, decrypt = releasing.sign_ticket, releasing.decrypt

    async def watch(party: Any, *rest: Any) -> Any:
        signed = await sign_ticket(party, *rest)
        held[party.name] = len(signed.signatures) == 3
        return signed

    async def check(party: Any, *rest: Any) -> Any:
        assert held[party.name]
        return await decrypt(party, *rest)

    monkeypatch.setattr(releasing, "sign_ticket", watch)
    monkeypatch.setattr(releasing, "decrypt", check)
    cluster = Deviant(3)
    cluster.rewrite = early(cluster)
    for result in finished(cluster, run(cluster)):
        assert not result.faults, "node1 and node2 come first in the roster and are enough"
    order = [e.round for s, _, e in cluster.log if s in cluster.honest]
    assert order.index("partials") > max(i for i, name in enumerate(order) if name == "ticket")


@pytest.mark.parametrize("liar", ["node1", "node2"])
@pytest.mark.parametrize("what", PARTIALS)
def test_a_wrong_partial_decryption_is_named_and_the_result_is_produced(what: str, liar: str) -> None:
    """A33: any t+1 good ones are enough."""
    cluster = Deviant(3, liar=liar)
    cluster.lies["partials"] = PARTIALS[what](cluster)
    for result in finished(cluster, run(cluster)):
        assert [f"{liar} broke the protocol: its partial decryption is refused" in f for f in result.faults] == [True]


def test_control_without_the_proof_a_shifted_partial_decryption_changes_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partials.decryption, "verify", lambda *_: None)
    cluster = Deviant(3, liar="node1")
    cluster.lies["partials"] = shifted(cluster)
    outcomes, honest = run(cluster), run(Deviant(3))["node2"]
    assert isinstance(honest, Result)
    for name in cluster.honest:
        ended = outcomes[name]
        assert not isinstance(ended, Result) or ended.outcome["price"] != honest.outcome["price"]


@pytest.mark.parametrize(("silent", "good"), [(2, True), (3, False)])
def test_up_to_two_of_five_nodes_may_be_absent_at_the_release(silent: int, good: bool) -> None:
    """A35: t + 1 = 3 partial decryptions are enough; with fewer the error names who is missing."""
    cluster = Deviant(5, deadline=1.5 if not good else 4.0, liar="node1", rewrite=silence("partials"))
    for name in ("node2", "node3")[: silent - 1]:
        cluster.tamper = drop(cluster, name, "partials", cluster.tamper)
    outcomes = run(cluster)
    loud = ("node4", "node5")
    if good:
        decisions = [outcomes[name] for name in loud]
        assert all(isinstance(r, Result) and "node1 did not answer" in r.faults[0] for r in decisions)
        assert len({r.certificate for r in decisions if isinstance(r, Result)}) == 1
    else:
        assert all(isinstance(outcomes[name], Absent) for name in loud)


def test_what_does_not_hold_certificates_may_differ_in_whose_decryptions_they_show() -> None:
    """node1 answers node2 well and node3 badly: the same ticket and outcome, but two valid files."""
    cluster = Deviant(3, liar="node1", rewrite=to("partials", last_bit, ["node3"]))
    results = finished(cluster, run(cluster), same_file=False)
    assert len({r.certificate for r in results}) == 2
    assert "node1 broke the protocol" in str(results[1].faults)
