"""Stage 0: other terms, roster, key or version; participants announced wrongly (A08, A40, A41, A52, A53, A55)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.transcript import digest
from tacita.protocols.faults import (
    Absent,
    CallerMistake,
    InvalidEncodingFault,
    ParamMismatch,
    ProtocolFault,
    SuspectFault,
)
from tacita.protocols.party import Result
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.roster import Roster
from tacita.protocols.session import _Session, meeting
from tacita.protocols.stages.setup import Enrolled
from tacita.protocols.terms import canonical_json
from tests.adversary.deviation import Deviant, assert_all_name, errors, known, run
from tests.adversary.honest import LINES, a1, auction, tree

Announced = list[dict[str, Any]]


def hello(change: Callable[[dict[str, Any]], object]) -> dict[str, Callable[[bytes], bytes]]:
    """A lie about the content of the hello message."""

    def lie(payload: bytes) -> bytes:
        content = json.loads(payload)
        change(content)
        return canonical_json(content)

    return {"hello": lie}


def announce(change: Callable[[Announced], object]) -> Deviant:
    return Deviant(3, lies=hello(lambda content: change(content["enrolled"])))


def enrolled(name: str, pattern: Any = (0,), host: str = "node3") -> dict[str, Any]:
    """An enrolment that its participant signed."""
    e = Enrolled.sign(Deviant(3).bidder(name), name, (0,), host, a1()[0])
    # Patterns that no Enrolled holds are signed all the same, as far as they can be encoded.
    fields = ("terms", a1()[0].digest()), ("name", name), ("pattern", canonical_json(list(pattern))), ("host", host)
    consent = Deviant(3).bidder(name).sign("consent", digest("consent", *fields))
    return {**e.tree(), "pattern": list(pattern), "consent": consent.hex()}


# ---- parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["version", "terms", "roster", "key"])
@pytest.mark.parametrize("value", ["tacita/0", "", None, 0, [], "00" * 32], ids=str)
def test_whoever_states_another_parameter_is_named(what: str, value: object) -> None:
    cluster = Deviant(3, lies=hello(lambda content: content.update({what: value})))
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, ParamMismatch, "node3")
    assert all(f"its {what} differ" in str(e) for e in errors(cluster, outcomes))


def test_a_node_that_really_has_other_terms_key_or_roster_is_named_by_all_others() -> None:
    """A41: the downgrade is the node's own; nobody computes under the weaker of two parameters."""
    wider, _ = auction(tree("public") | {"solver": {"method": "table", "gap": 0.2}}, LINES)
    cluster = Deviant(3)
    nodes = cluster.roster.nodes
    differing: dict[str, dict[str, Any]] = {
        "terms": {"terms": wider},
        "key": {"key": replace(cluster.key, epoch=1)},
        "roster": {"roster": Roster((*nodes[:2], replace(nodes[2], address="memory:9")))},
    }
    for what, settings in differing.items():
        cluster = Deviant(3)
        for error in errors(cluster, run(cluster, node3=settings)):
            assert isinstance(error, ParamMismatch) and error.culprit == "node3", what
            assert f"its {what} differ" in str(error)
        assert cluster.rounds("node1")[-1] in ("hello/echo", "abort"), "nothing but hello was sent"


def test_a_node_that_differs_from_most_blames_nobody() -> None:
    """node3's terms were changed, by whomever: it stops, and does not name the two that agree."""
    wider, _ = auction(tree("public") | {"solver": {"method": "table", "gap": 0.2}}, LINES)
    cluster = Deviant(3)
    ended = run(cluster, node3={"terms": wider})["node3"]
    assert isinstance(ended, CallerMistake) and "terms differ from those of most nodes" in str(ended), repr(ended)


def test_two_against_two_blame_nobody() -> None:
    wider, _ = auction(tree("public") | {"solver": {"method": "table", "gap": 0.2}}, LINES)
    outcomes = run(Deviant(4), node3={"terms": wider}, node4={"terms": wider})
    assert all(isinstance(e, CallerMistake) for e in outcomes.values()), outcomes


def test_a_bidder_under_a_nodes_name_is_refused_before_anything_is_said() -> None:
    """A verdict says one name; node1 must not be convicted for what its namesake does."""
    with pytest.raises(CallerMistake, match="has the name of a node"):
        Deviant(3).setup(a1()[0], {"ann": (0,)}).make(a1()[0], Deviant(3).roster, Deviant(3).key, [named_like_a_node()])


def named_like_a_node() -> Enrolled:
    return Enrolled.sign(Deviant(3).bidder("node2"), "node2", (0,), "node1", a1()[0])


def test_a_node_that_waits_for_a_session_of_another_name_never_meets_the_others() -> None:
    cluster = Deviant(3, deadline=0.4)
    other, _ = auction(tree("public", name="another"), LINES)
    assert meeting(other) != meeting(a1()[0])
    for error in known(run(cluster, node3={"terms": other}), cluster):
        assert isinstance(error, Absent) and error.peer == "node3"


@pytest.mark.parametrize("change", [{"more": 1}, {"coin": None}, {"keys": "zz"}, {"keys": "00"}, {"coin": "00" * 32}])
def test_commitments_that_nothing_can_open_name_their_node(change: dict[str, object]) -> None:
    cluster = Deviant(3, lies=hello(lambda content: content.update(change)))
    for error in known(run(cluster), cluster):
        assert isinstance(error, ProtocolFault) and error.culprit == "node3", repr(error)
        assert isinstance(error, InvalidEncodingFault) or "coin" in str(error)


# ---- participants -----------------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[Announced], object]] = {
    "the same one twice": lambda e: e.append(e[0]),
    "two versions of one": lambda e: e.append(enrolled("cat", (0,))),
    "no slots": lambda e: e.__setitem__(0, enrolled("cat", ())),
    "a slot that is not there": lambda e: e.__setitem__(0, enrolled("cat", (1,))),
    "a slot twice": lambda e: e.__setitem__(0, enrolled("cat", (0, 0))),
    "a negative slot": lambda e: e.__setitem__(0, enrolled("cat", (-1,))),
    "a slot of 4000 digits": lambda e: e.__setitem__(0, enrolled("cat", (10**4000,))),
    "true as a slot": lambda e: e.__setitem__(0, enrolled("cat", (False,))),
    "text as a slot": lambda e: e[0].update(pattern=["0"]),
    "another pattern than signed": lambda e: e[0].update(pattern=[0, 1]),
    "a guest of another host": lambda e: e.append(enrolled("dan", (0,), "node1")),
    "a guest of a stranger": lambda e: e.append(enrolled("dan", (0,), "node9")),
    "somebody who did not sign": lambda e: e[0].update(consent="00" * 64),
    "another key": lambda e: e[0].update(identity="11" * 32),
    "a low-order key": lambda e: e[0].update(identity="00" * 32),
    "a node's name": lambda e: e.append(enrolled("node1")),
    "its own name": lambda e: e.append(enrolled("node3")),
    "capital letters": lambda e: e[0].update(name="Cat"),
    "terminal codes": lambda e: e[0].update(name="cat\x1b[2J"),
    "half a character": lambda e: e[0].update(name="\ud800"),
    "half a character as host": lambda e: e[0].update(host="\ud800"),
    "a number as host": lambda e: e[0].update(host=3),
    "a long name": lambda e: e[0].update(name="c" * 100_000),
    "no name": lambda e: e[0].pop("name"),
    "one key more": lambda e: e[0].update(more=1),
    "something that is no enrolment": lambda e: e.append([]),  # type: ignore[arg-type]
    "a crowd": lambda e: e.extend(e[:1] * 300),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_whoever_announces_a_participant_wrongly_is_named(what: str) -> None:
    cluster = announce(HOSTILE[what])
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, ProtocolFault, "node3")
    for error in errors(cluster, outcomes):
        assert str(error).isprintable() and len(str(error)) < 400, repr(str(error))[:300]


def test_a_crowd_that_is_too_large_to_read_names_the_sender() -> None:
    cluster = announce(lambda e: e.extend(e[:1] * 20_000))
    assert_all_name(cluster, run(cluster), InvalidEncodingFault, "node3")


def test_participants_that_are_not_a_list_name_the_sender() -> None:
    for value in (None, {}, "cat", 7):
        cluster = Deviant(3, lies=hello(lambda content, v=value: content.update(enrolled=v)))  # type: ignore[misc]
        assert_all_name(cluster, run(cluster), InvalidEncodingFault, "node3")


def test_an_enrolment_that_is_copied_from_its_host_is_refused() -> None:
    """The participant signed which host speaks for it, so the copy is provably not its wish."""
    cluster = announce(lambda e: e.append(enrolled("ann", (0,), "node1")))
    assert_all_name(cluster, run(cluster), ProtocolFault, "node3")


def test_a_participant_of_two_hosts_makes_both_suspects() -> None:
    """Whoever holds the key signed for both; that can be the participant, so neither node is a culprit."""
    cluster = announce(lambda e: e.append(enrolled("ann", (0,), "node3")))
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, SuspectFault) and set(error.suspects) == {"node1", "node3"}


def test_control_without_the_check_a_stranger_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hello as in 'somebody who did not sign' passes when exactly the signature is not looked at."""
    monkeypatch.setattr(Enrolled, "check", lambda self, terms: None)
    cluster = announce(HOSTILE["somebody who did not sign"])
    outcomes = run(cluster)
    assert all(isinstance(outcomes[n], Result) for n in cluster.honest), (
        "cat takes part without having agreed to the terms"
    )


def test_control_with_the_check_of_terms_off_each_node_computes_by_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the comparison the mismatch is noticed too late to say whose terms were different."""
    wider, _ = auction(tree("public") | {"solver": {"method": "table", "gap": 0.2}}, LINES)
    agree = _Session._agree

    async def blind(self: _Session, channel: Any) -> Any:
        broadcast = channel.broadcast

        async def equal(name: str, payload: bytes) -> dict[str, bytes]:
            received, mine = await broadcast(name, payload), json.loads(payload)
            same = {what: mine[what] for what in ("version", "roster", "key", "terms")}
            return {n: canonical_json({**json.loads(p), **same}) for n, p in received.items()}

        channel.broadcast = equal
        try:
            return await agree(self, channel)
        finally:
            del channel.broadcast

    monkeypatch.setattr(_Session, "_agree", blind)
    cluster = Deviant(3, deadline=2.0)
    ended = errors(cluster, run(cluster, node3={"terms": wider}))
    assert not any(isinstance(e, ParamMismatch) for e in ended)


def test_a_repeated_nonce_of_the_liar_does_not_repeat_the_label() -> None:
    """A40: the label of the session is fresh as soon as one honest nonce is."""
    labels = set()
    for seed in ("first", "second"):
        cluster = Deviant(3, lies={"greet": lambda _: bytes(32)})
        outcomes = run(cluster, node1={"entropy": SeededEntropy(seed)})
        assert all(isinstance(r, Result) for r in outcomes.values())
        labels.add(next(e.session for _, _, e in cluster.log if e.round == "hello"))
    assert len(labels) == 2


def test_terms_of_somebody_else_cannot_write_to_the_terminal() -> None:
    """Certificates bring terms along, and `verify` says which key it does not know."""
    for changed in ({"\x1b[2J": {}}, {"session": {"\x1b[2J": 1}}, {"session": {"name": "\x1b[2J"}}):
        with pytest.raises(CallerMistake) as refused:
            complete_terms({**tree("public"), **changed})
        assert str(refused.value).isprintable()
