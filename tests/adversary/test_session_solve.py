"""Stage 3: bytes between engines that no program sends (A20, A48, A52, A56, A57), and what the traffic shows (A25)."""

import pickle  # noqa: TID251 - what an attacker would send
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.signature import SigningKey
from tacita.deploy.attack.deviations import BROKEN, message
from tacita.deploy.simulate.clock import run_virtual
from tacita.protocols.evidence import to_file
from tacita.protocols.faults import InvalidEncodingFault, MachineFault, SessionAborted, SuspectFault, TacitaError
from tacita.protocols.judge import judge
from tacita.protocols.mpc import runtime
from tacita.protocols.mpc.frames import HEAD, EngineFrame
from tacita.protocols.party import Result
from tests.adversary.deviation import Deviant, assert_nothing_decrypted, errors, run, silence
from tests.adversary.honest import TERMS, auction


def engine(change: Callable[[bytes], bytes], receivers: tuple[int, ...] = (0, 1), at: int = 3) -> Deviant:
    """node3's engine sends something else in its `at`-th frame to each receiver."""
    sent = dict.fromkeys(receivers, 0)
    cluster = Deviant(3, deadline=3.0)

    def tamper(sender: int, receiver: int, data: bytes) -> bytes:
        if sender != 2 or receiver not in sent:
            return data
        sent[receiver] += 1
        return change(data) if sent[receiver] == at else data

    cluster.engine_tamper = tamper
    return cluster


WELL_FORMED = {"nothing inside", "a flood of empty messages"}
"""Which steps send what is a matter of the program; a frame alone does not show that these are none of it."""


@pytest.mark.parametrize("what", BROKEN)
def test_engine_bytes_that_no_program_sends_end_the_session_with_a_sentence(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that no program at all sends convict: of all nodes that did not get them, too, and before strangers."""
    monkeypatch.setattr(runtime, "MAX_WAITING", 1 << 18)
    monkeypatch.setattr(runtime, "PATIENCE", 2.0)
    cluster = engine(BROKEN[what], receivers=(0,))
    for error in errors(cluster, run(cluster)):
        if what in WELL_FORMED:
            assert isinstance(error, MachineFault) and len(str(error)) > 20, repr(error)
            assert isinstance(error, SessionAborted) or "node" in str(error) or "field" in str(error)
        else:
            assert isinstance(error, InvalidEncodingFault) and error.culprit == "node3", repr(error)
            assert error.evidence is not None
            verdict = judge(to_file(error.evidence, cluster.roster), cluster.roster)
            assert (verdict.culprit, verdict.fault) == ("node3", "InvalidEncodingFault"), verdict
            assert verdict.rests_on == "signature"
    assert_nothing_decrypted(cluster)


@pytest.mark.parametrize("what", ["another key", "another session", "another sender", "no frame"])
def test_a_broken_frame_that_a_node_did_not_sign_as_its_own_names_nobody(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS says who sent it, and so the session ends; a stranger would have to believe that."""
    broken = BROKEN["values outside the field"]
    cluster, signs, sent = Deviant(3, deadline=3.0), EngineFrame.sign, list[str]()

    def sign(frame: EngineFrame, key: SigningKey) -> bytes:
        if (frame.sender, frame.receiver) != ("node3", "node1"):
            return signs(frame, key)
        sent.append(what)
        if len(sent) != 3:
            return signs(frame, key)
        changes = {"another session": {"session": bytes(32)}, "another sender": {"sender": "node2"}}.get(what, {})
        frame = replace(frame, data=broken(frame.data), **changes)
        return b"" if what == "no frame" else signs(frame, SigningKey(bytes(32)) if what == "another key" else key)

    monkeypatch.setattr(EngineFrame, "sign", sign)
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, MachineFault) and len(str(error)) > 20, repr(error)
        assert isinstance(error, SessionAborted) or "node3" in str(error) or "node 3" in str(error)
    assert_nothing_decrypted(cluster)


def test_control_the_parser_of_mpyc_breaks_at_a_repeated_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it the same bytes were an internal error: exit code 70 by a peer's message."""
    stock = runtime._asyncoro.MessageExchanger
    monkeypatch.setattr(runtime._Exchanger, "data_received", lambda peer, data, _: stock.data_received(peer, data))
    monkeypatch.setattr(runtime._Exchanger, "receive", stock.receive)
    cluster = engine(BROKEN["three times"], at=1)
    outcomes = run(cluster)
    assert any(not isinstance(outcomes[name], Result | TacitaError) for name in cluster.honest)


def test_an_engine_that_says_nothing_ends_the_session_after_the_patience_of_its_peers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A57: its channel answers and its connection stands, only the engine is silent. Who waits for whom is unknown."""
    monkeypatch.setattr(runtime, "PATIENCE", 0.5)
    cluster = engine(lambda data: b"", at=4)
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, SessionAborted) or "stands still" in str(error), repr(error)


def test_a_pickle_in_place_of_shares_is_bytes_like_any_other(tmp_path: Path) -> None:
    """A20: MPyC would load it; here nothing does, and the file that it would make is not there."""
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (canary,)

    evil = pickle.dumps(Evil())
    for change in (lambda d: HEAD.pack(message(d)[0], len(evil)) + evil, lambda d: evil + d):
        cluster = engine(change)
        monkey = run(cluster)
        assert not any(isinstance(monkey[name], Result) for name in cluster.honest)
    assert not canary.exists()


@pytest.mark.parametrize("seed", range(5))
def test_shares_changed_at_random_never_end_in_another_result(seed: int) -> None:
    """A18/A27: noticed, unless the program had already ended; and nobody is named."""
    honest = run(Deviant(3))["node1"]
    assert isinstance(honest, Result)
    entropy = SeededEntropy(f"engine/{seed}")

    def change(data: bytes) -> bytes:
        place = HEAD.size + random_below(entropy, max(1, len(message(data)[1])))
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] if place < len(data) else data

    cluster = engine(change, receivers=(seed % 2,), at=1 + random_below(entropy, 60))
    outcomes = run(cluster)
    for name in cluster.honest:
        ended = outcomes[name]
        assert isinstance(ended, Result | TacitaError), f"seed {seed}: {ended!r}"[:300]
        if isinstance(ended, SuspectFault):
            assert not isinstance(ended, MachineFault), f"seed {seed}: {ended!r}"
        if isinstance(ended, Result):
            assert ended.outcome["price"] == honest.outcome["price"], f"seed {seed}: a wrong result"


def shape(lines: str, stop: str | None) -> tuple[list[tuple[str, str, str, int]], list[bool], dict[str, list[int]]]:
    """Everything a node can see of others' messages but their content; node3 goes silent in round `stop`."""
    cluster = Deviant(3, deadline=0.5 if stop else 20.0)
    if stop:
        cluster.rewrite = silence(stop)
    terms, inputs = auction(TERMS["public"], lines)
    outcomes = run_virtual(cluster.outcomes(terms, inputs))
    messages = [(s, r, e.round, len(e.payload)) for s, r, e in cluster.log if e.round != "abort"]
    sizes = {name: [len(data) for data in seen] for name, seen in cluster.traffic.items()}
    return messages, [isinstance(outcomes[name], Result) for name in cluster.names], {} if stop else sizes


@pytest.mark.parametrize("stop", [None, "open", "masks"])
def test_two_worlds_with_other_bids_of_honest_bidders_look_alike(stop: str | None) -> None:
    """A25/A36: number, order and sizes of messages and the point of failure do not depend on what is secret."""
    head = "bidder,slot,value,slope,min,max\n"
    one = shape(head + "ann,1,10,1,0,6\nbob,1,8,2,0,3\ncat,1,6,4,0,2", stop)
    two = shape(head + f"ann,1,{float(Fraction(31, 4))},3,0,1\nbob,1,15.5,0.5,0,8\ncat,1,6,4,0,2", stop)
    assert one[1] == two[1]
    assert one[0] == two[0]
    assert one[2] == two[2]
