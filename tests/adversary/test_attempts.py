"""Attempts: what is repeated, what never is, and what nobody gains by making the others try again (A85, A90)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.shamir import coefficients_at, reconstruct, share
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.deploy.attack.behaviour import Behaviour, first_bit, first_time, last_bit
from tacita.deploy.attack.dealing import node, shifted
from tacita.deploy.attack.deviations import BROKEN, message
from tacita.deploy.attack.instance import a1
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import ended, wrong_output
from tacita.protocols import evidence as files
from tacita.protocols import judge
from tacita.protocols.attempt import may_follow
from tacita.protocols.envelope import ABORT, EVERYONE, Envelope, sign
from tacita.protocols.evidence import Evidence
from tacita.protocols.faults import (
    Absent,
    CallerMistake,
    InvalidEncodingFault,
    InvalidProofFault,
    LocalFault,
    MachineFault,
    PeerFault,
    ProtocolFault,
    SessionAborted,
    SuspectFault,
    VerificationFailed,
)
from tacita.protocols.mpc.frames import HEAD
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.reading import GATHERING, Reading
from tacita.protocols.stages import bind, commit
from tacita.protocols.stages.certify import Certificate, auction_order
from tacita.protocols.terms import SessionTerms, Table, canonical_json
from tacita.protocols.verify import verify

STAGES = ("keys", "shares", "mask shares", "bind all partials", "openings")


def scene(behaviour: Behaviour, attempts: int = 2, **settings: Any) -> Scene:
    made = Scene(attempts=attempts, behaviour=behaviour, **settings)
    made.run()
    assert not made.bugs and not made.watch.broken
    return made


def aborts(made: Callable[[], Scene]) -> Callable[[Envelope], Sequence[bytes]]:
    """A node that says that it gives up, in place of a message."""
    return lambda e: [sign(replace(e, round=ABORT, receiver=EVERYONE, payload=b""), made().identities["node3"])]


def labels(made: Scene, round_name: str = "keys") -> list[bytes]:
    """Session ids under which an honest node said something in this round, in order."""
    return list(dict.fromkeys(e.session for s, _, e in made.log if s in made.honest and e.round == round_name))


def orders(made: Scene) -> set[tuple[str, ...]]:
    """By which order each certificate breaks ties."""
    found = set()
    for result in ended(made):
        certificate = Certificate.decode(result.certificate)
        coins = {name: part.coin for name, part in certificate.nodes.items()}
        found.add(certify_order(made, coins))
    return found


def certify_order(made: Scene, coins: Mapping[str, bytes]) -> tuple[str, ...]:
    setup = made.setup()
    return auction_order(setup.auction_id, coins, setup.instance.participants)


def assert_second_attempt_decided(made: Scene, why: type[BaseException] | str) -> None:
    results = ended(made)
    assert len(results) == len(made.honest), made.endings
    for result in results:
        assert verify(result.certificate, made.roster, dict(made.terms.tree), allow_insecure_key=True)
        assert Certificate.decode(result.certificate).attempt == 2
        assert len(result.faults) == 1 and result.faults[0].startswith("attempt 1 ended: "), result.faults
    assert any(str(why) in result.faults[0] for result in results), [result.faults for result in results]
    assert wrong_output(made) == ""
    assert len(labels(made)) == 2
    assert all(len({e.session for _, _, e in made.log if e.round == name}) == 1 for name in GATHERING)


# ---- what is repeated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_name", STAGES)
def test_a_node_that_is_silent_in_one_attempt_and_honest_in_the_next_costs_one_attempt(round_name: str) -> None:
    made = scene(Behaviour(rewrite=first_time(round_name)))
    assert made.told
    assert_second_attempt_decided(made, "node3 did not answer")


def test_a_node_that_gives_up_once_costs_one_attempt() -> None:
    made = Scene(attempts=2)
    made.behaviour = Behaviour(rewrite=first_time("masks", aborts(lambda: made)))
    made.run()
    assert_second_attempt_decided(made, "node3 ended the session")


def test_a_wrong_share_of_an_opening_costs_one_attempt_and_the_engine_begins_anew() -> None:
    sent: list[int] = []

    def once(receiver: int, data: bytes) -> bytes:
        sent.append(receiver)
        return last_bit(data) if len(sent) == 20 else data

    made = scene(Behaviour(engine_bytes=once), release="private")
    assert made.told
    assert_second_attempt_decided(made, "attempt 1 ended")


def test_who_always_gives_up_ends_the_session_after_the_last_attempt() -> None:
    made = Scene(attempts=3)
    give_up = aborts(lambda: made)
    made.behaviour = Behaviour(rewrite=lambda e, _: give_up(e) if e.round == "shares" else e)
    made.run()
    assert all(isinstance(made.endings[n], SessionAborted) for n in made.honest), made.endings
    assert len(labels(made)) == 3 and not {"ticket", "partials"} & set(made.rounds())


def test_who_does_not_come_back_ends_the_session_with_the_reason_of_the_first_attempt() -> None:
    made = scene(Behaviour(rewrite=lambda e, r: None if made_silent(e) else e), attempts=3)
    for name in made.honest:
        end = made.endings[name]
        assert isinstance(end, SessionAborted) or (end.peer, end.round) == ("node3", "masks"), made.endings  # type: ignore[union-attr]
    assert any(isinstance(made.endings[n], Absent) for n in made.honest)
    assert len(labels(made)) == 2 and made.seconds < 100


gone: list[bytes] = []


def made_silent(e: Envelope) -> bool:
    """From its masks on node3 says nothing, in whatever attempt."""
    if e.round == "greet":
        gone.clear()
    if e.round == "masks":
        gone.append(e.session)
    return bool(gone)


# ---- what is not ----------------------------------------------------------------------------------------------------


def test_a_conviction_ends_the_auction() -> None:
    made = scene(Behaviour(lies={"masks": last_bit}))
    for name in made.honest:
        end = made.endings[name]
        assert isinstance(end, InvalidProofFault) and end.culprit == "node3" and end.evidence, repr(end)
    assert len(labels(made)) == 1 and made.seconds < 40, "the others do not wait for a second attempt"


@pytest.mark.parametrize(
    ("error", "follows"),
    [
        (SessionAborted("x"), True),
        (Absent("node2", "masks"), True),
        (SuspectFault(("node2",), "x"), True),
        (PeerFault("from the engine"), True),
        (MachineFault("from the network"), True),
        (ProtocolFault("node2", "x"), False),
        (CallerMistake("x"), False),
        (LocalFault("x"), False),
        (ValueError("a bug"), False),
    ],
)
def test_what_another_attempt_may_follow(error: BaseException, follows: bool) -> None:
    assert may_follow(error) == follows


def test_who_signed_a_ticket_never_joins_another_attempt() -> None:
    """node3 lets node1 go just before the ticket, and node2 sign it: no result, no partial decryption, bounded."""
    made = Scene(attempts=2)
    say = aborts(lambda: made)

    def split(e: Envelope, receiver: str) -> Any:
        return say(e) if (e.round, receiver) == ("openings/echo", "node1") else e

    made.behaviour = Behaviour(rewrite=split)
    made.run()
    assert [e.sender for _, _, e in made.log if e.round == "ticket" and e.sender in made.honest] == ["node2", "node2"]
    assert len(labels(made)) == 2, "node1 did not try again"
    later = labels(made)[1]
    assert {e.round for s, _, e in made.log if s == "node2" and e.session == later} <= {ABORT}
    assert "partials" not in made.rounds("node1") + made.rounds("node2")
    assert not ended(made) and made.seconds < 150
    kept = {name: ("ticket", made.setup().auction_id) in made.stores[name].facts for name in made.honest}
    assert kept == {"node1": False, "node2": True}


def test_after_the_ticket_there_is_no_other_attempt() -> None:
    made = scene(Behaviour(rewrite=lambda e, _: None if e.round in ("ticket", "signed") else e))
    assert all(isinstance(made.endings[n], Absent | SessionAborted) for n in made.honest), made.endings
    assert len(labels(made)) == 1 and "partials" not in made.rounds("node1") + made.rounds("node2")


# ---- order and inputs stay (A85, A90) -------------------------------------------------------------------------------


def computed_orders(seed: str) -> list[tuple[str, ...]]:
    """The order that node3's engine was given, attempt by attempt."""
    jobs: list[tuple[str, ...]] = []

    def job(given: Any) -> Any:
        jobs.append(tuple(given.order))
        return given

    made = scene(Behaviour(rewrite=first_time("openings"), job=job), seed=seed)
    assert_second_attempt_decided(made, "node3 did not answer")
    assert orders(made) == {jobs[0]}
    return jobs


def test_leaving_does_not_draw_the_order_again() -> None:
    first, second = computed_orders("order")
    assert first == second


def test_control_an_order_of_the_session_id_would_be_drawn_by_whoever_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def redrawn(reading: Reading) -> tuple[str, ...]:
        coins = {name: coin + reading.session for name, (coin, _) in reading.parts.items()}
        return auction_order(reading.setup.auction_id, coins, reading.setup.instance.participants)

    monkeypatch.setattr(Reading, "order", property(redrawn))
    jobs: list[list[tuple[str, ...]]] = []
    for seed in range(2):
        jobs.append([])
        scene(
            Behaviour(rewrite=first_time("openings"), job=lambda j: (jobs[-1].append(tuple(j.order)), j)[1]),
            seed=f"order {seed}",
        )
    assert any(first != second for first, second in jobs), jobs


def test_words_of_an_earlier_attempt_convict_whoever_repeats_them() -> None:
    """Masks prove for one session id: those of the first attempt are refused in the second one."""
    said: list[bytes] = []

    def repeat(payload: bytes) -> bytes:
        said.append(payload)
        return said[0]

    made = scene(Behaviour(lies={"masks": repeat}, rewrite=first_time("mask shares")))
    assert len(said) == 2 and said[0] != said[1]
    for name in made.honest:
        end = made.endings[name]
        assert isinstance(end, InvalidProofFault) and end.culprit == "node3", repr(end)


def test_everything_that_an_attempt_draws_is_drawn_anew() -> None:
    made = scene(Behaviour(rewrite=first_time("openings")))
    first, second = labels(made)
    for name in ("keys", "confirm keys", "masks", "mask shares", "bind commit", "bind coin", "bind all"):
        words = [{(e.sender, e.receiver, e.payload) for _, _, e in made.log if (e.session, e.round) == (label, name)}
                 for label in (first, second)]  # fmt: skip
        assert words[0] and words[1] and not words[0] & words[1], name


# ---- single-use numbers ---------------------------------------------------------------------------------------------


def combination_of_ann(made: Scene, session: bytes) -> tuple[list[int], int]:
    """What everybody heard in 'bind each' of one attempt: ρ of ann's fields, and Σ ρ·x + blind modulo the prime."""
    setup = made.setup()
    coins = {e.sender: e.payload[:32] for _, _, e in made.log if (e.session, e.round) == (session, "bind coin")}
    width = (setup.demand.prime.bit_length() + 7) // 8
    told = {e.sender: e.payload for _, _, e in made.log if (e.session, e.round) == (session, "bind each")}
    shares = {made.names.index(n) + 1: int.from_bytes(data[:width], "big") for n, data in told.items()}
    count = setup.instance.field_count("ann")
    units = [
        bind.Dealing("ann", (1,) * (count + 1), tuple(int(i == j) for i in range(count + 1))) for j in range(count)
    ]  # type: ignore[arg-type]
    rho = [bind.combinations(setup, session, coins, [unit])[0].share for unit in units]
    return rho, reconstruct({i: shares[i] for i in (1, 2)}, setup.demand.prime)


@pytest.mark.parametrize("reused", [False, True], ids=["a blind per attempt", "control: one blind"])
def test_two_attempts_show_no_number_of_a_bid(monkeypatch: pytest.MonkeyPatch, reused: bool) -> None:
    """node3 has every dealer's combination opened twice, without being convicted, and knows all of ann's bid but its
    value: with the same blind in both attempts it subtracts, and has it."""
    if reused:
        dealings, of_attempt = bind.dealings, commit.of_attempt
        monkeypatch.setattr(bind, "dealings", lambda *rest: dealings(*rest[:-1], 1))
        monkeypatch.setattr(commit, "of_attempt", lambda bid, shares, _: of_attempt(bid, shares, 1))
    with node(shifted(0, 1 << 20)):  # its masks' shares are consistently wrong, so every dealer's combination is opened
        made = scene(Behaviour(lies={"bind each": last_bit}))  # and its own combination then fits no polynomial
    assert all(isinstance(made.endings[n], SuspectFault) for n in made.honest), made.endings
    setup, (first, second) = made.setup(), labels(made, "bind each")
    value, *known = POLICIES["auction"].private_values(setup.instance, "ann", made.inputs["ann"])
    (rho, one), (sigma, other) = (combination_of_ann(made, label) for label in (first, second))
    difference = [a - b for a, b in zip(rho, sigma, strict=True)]
    rest = one - other - sum(d * x for d, x in zip(difference[1:], known, strict=True))
    found = rest * pow(difference[0], -1, setup.demand.prime) % setup.demand.prime
    assert (found == value) == reused
    assert reused or found > 1 << 64, "a number below 2^64 would be a plausible value"


def test_adding_shares_of_zero_would_hide_nothing() -> None:
    """Why the shares of the inputs are used again as they are: t shares of a zero of degree t show all the others."""
    entropy, prime = SeededEntropy("zero"), (1 << 127) - 1
    for parties, threshold in ((3, 1), (5, 2), (7, 3)):
        shares = share(0, prime, threshold, parties, entropy)
        corrupt = {0: 0, **{i + 1: shares[i] for i in range(threshold)}}
        for i in range(parties):
            row = coefficients_at(list(corrupt), i + 1, prime)
            assert sum(c * s for c, s in zip(row, corrupt.values(), strict=True)) % prime == shares[i]


# ---- terms, certificate, evidence -----------------------------------------------------------------------------------


def test_terms_say_how_many_attempts_there_are() -> None:
    assert SessionTerms.read(Table("session", {})).canonical()["max_attempts"] == 1
    for wrong in (0, 4, -1, 1.0, "2", True):
        with pytest.raises(CallerMistake, match="max_attempts must be a whole number from 1 to 3"):
            SessionTerms.read(Table("session", {"max_attempts": wrong}))
    ids = {Scene(attempts=n).setup().auction_id for n in (1, 2, 3)}
    assert len(ids) == 3, "every commitment and proof is bound to the number"
    assert a1(attempts=2)[0].session.max_attempts == 2


def test_a_certificate_holds_for_its_own_attempt_only() -> None:
    made = scene(Behaviour(rewrite=first_time("openings")), attempts=2)
    certificate = Certificate.decode(ended(made)[0].certificate)
    for attempt, sentence in ((1, "does not hold"), (0, "do not allow"), (3, "do not allow")):
        with pytest.raises(VerificationFailed, match=sentence):
            verify(replace(certificate, attempt=attempt).encode(), made.roster, allow_insecure_key=True)
    for attempt in (True, "2", 2.0, None):
        with pytest.raises(VerificationFailed, match="malformed"):
            verify(replace(certificate, attempt=attempt).encode(), made.roster, allow_insecure_key=True)  # type: ignore[arg-type]
    checks = verify(certificate.encode(), made.roster, allow_insecure_key=True).checks
    assert "this is attempt 2 of at most 2 on these bids" in checks


def evidence_of_second_attempt() -> tuple[Scene, Evidence]:
    """node3 lets the first attempt fail, and in the second its masks prove nothing."""
    told: list[int] = []

    def lie(payload: bytes) -> bytes:
        told.append(1)
        return last_bit(payload) if len(told) == 2 else payload

    made = scene(Behaviour(lies={"masks": lie}, rewrite=first_time("mask shares")))
    end = made.endings["node1"]
    assert isinstance(end, InvalidProofFault) and end.evidence is not None, repr(end)
    return made, end.evidence


def test_evidence_of_one_attempt_convicts_in_that_attempt_alone() -> None:
    made, evidence = evidence_of_second_attempt()
    verdict = judge.judge(files.to_file(evidence, made.roster), made.roster)
    assert (verdict.culprit, verdict.fault) == ("node3", "InvalidProofFault")

    def judged(changed: Evidence) -> judge.Verdict:
        return judge.judge(files.to_file(changed, made.roster), made.roster)

    for attempt in (1, 3, 0, True, "2"):
        context = canonical_json({**json.loads(evidence.context), "attempt": attempt})
        assert not judged(replace(evidence, context=context)).convicts, attempt
    # What was said in the first attempt, in place of the same round of the second one or beside it.
    first = labels(made)[0]
    names = {Envelope.decode(data[SIGNATURE_BYTES:]).round for data in evidence.signed}
    earlier = [e for s, r, e in made.log if e.session == first and e.round in names and e.receiver == EVERYONE]
    assert earlier
    old = {(e.round, e.sender): sign(e, made.identities[e.sender]) for e in earlier}
    entropy = SeededEntropy("mixing")
    for _ in range(20):
        signed = list(evidence.signed)
        places = [i for i, d in enumerate(signed) if (key_of(d)) in old]
        at = places[random_below(entropy, len(places))]
        for mixed in ([*signed[:at], old[key_of(signed[at])], *signed[at + 1 :]], [*signed, old[key_of(signed[at])]]):
            verdict = judged(replace(evidence, signed=tuple(mixed)))
            assert not verdict.convicts, verdict
    only_first = [d for d in evidence.signed if key_of(d) not in old] + list(old.values())
    assert not judged(replace(evidence, signed=tuple(only_first))).convicts


def key_of(data: bytes) -> tuple[str, str]:
    envelope = Envelope.decode(data[SIGNATURE_BYTES:])
    return envelope.round, envelope.sender


def test_a_conviction_in_the_second_attempt_reaches_everybody() -> None:
    made, _ = evidence_of_second_attempt()
    assert {(type(made.endings[n]), made.endings[n].culprit) for n in made.honest} == {  # type: ignore[union-attr]
        (InvalidProofFault, "node3")
    }


@pytest.mark.parametrize("number", [1, 2])
def test_a_broken_frame_convicts_at_every_node_in_whatever_attempt_it_is(number: int) -> None:
    """Of a node, too, that has met a wrong share of its own and is about to begin anew."""
    steps: dict[int, list[int]] = {0: [], 1: []}  # per receiver, the first step in each frame
    wrong = {0: BROKEN["values outside the field"], 1: lambda data: data[: HEAD.size] + first_bit(data[HEAD.size :])}

    def change(receiver: int, data: bytes) -> bytes:
        steps[receiver].append(message(data)[0])
        begins = [i for i, (earlier, later) in enumerate(pairwise(steps[receiver]), 1) if later <= earlier]
        if len(steps[receiver]) - max(begins, default=0) != 3:
            return data
        return wrong[receiver if len(begins) == number - 1 else 1](data)

    made = scene(Behaviour(engine_bytes=change))
    assert len(labels(made)) >= number
    for name in made.honest:
        end = made.endings[name]
        assert isinstance(end, InvalidEncodingFault) and end.culprit == "node3" and end.evidence, repr(end)
        assert json.loads(end.evidence.context)["attempt"] == number
        assert judge.judge(files.to_file(end.evidence, made.roster), made.roster).culprit == "node3"


def test_equivocation_in_the_second_attempt_convicts() -> None:
    told: list[str] = []

    def rewrite(e: Envelope, receiver: str) -> Any:
        if (e.round, receiver) == ("bind coin", "node1"):
            told.append(e.round)
            if len(told) == 1:
                return None
            return replace(e, payload=first_bit(e.payload))
        return e

    made = scene(Behaviour(rewrite=rewrite))
    ends = [made.endings[n] for n in made.honest]
    assert all(isinstance(e, ProtocolFault) and e.culprit == "node3" and e.evidence for e in ends), ends
