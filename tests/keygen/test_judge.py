"""A judge believes nothing but signatures: honest words, mixtures of batches and half a record convict nobody."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.errors import CryptoError
from tacita.deploy.attack.liars import Lies
from tacita.deploy.attack.ring import Ring
from tacita.node.keys import KeyWork
from tacita.protocols import evidence as files
from tacita.protocols import judge as files_judge
from tacita.protocols.envelope import ABORT, EVERYONE, Envelope, echo_of, sign
from tacita.protocols.faults import BadModulus, Evidence, ProtocolFault, SessionAborted
from tacita.protocols.keygen import judge
from tacita.protocols.keygen.ceremony import Made
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.talk import CHECK, Talk
from tacita.protocols.terms import canonical_json
from tests.adversary.test_session_mutation import mutated
from tests.keygen.records import opened, place_of, records, said
from tests.keygen.test_liars import SURE, flip

HONEST, CORRUPT = "node1", ("node2", "node3")
SAMPLE, WHOLE = 100, 5_000


@lru_cache(maxsize=1)
def honest() -> tuple[Ring, list[Evidence]]:
    """A ceremony that ends with a key, and the records of its batches."""
    ring = Ring(seed="judged")
    ring.run()
    return ring, records(ring)


@lru_cache(maxsize=4)
def guilty(step: str = "S4") -> tuple[Ring, Evidence]:
    """A wrong opening of node3 in this step, as node1 shows it."""
    ring = Ring(seed=f"guilty/{step}")
    with pytest.MonkeyPatch.context() as patch:
        Lies(liar=3, opens={step: flip}).install(ring, patch)
        fault = ring.run()["node1"]
    assert isinstance(fault, ProtocolFault) and fault.evidence
    return ring, fault.evidence


def rounds(evidence: Evidence) -> list[str]:
    return list(dict.fromkeys(opened(d).round for d in evidence.signed if "/" not in opened(d).round))


def without(evidence: Evidence, *names: str) -> Evidence:
    return replace(evidence, signed=tuple(d for d in evidence.signed if opened(d).round.split("/")[0] not in names))


def until(evidence: Evidence, last: str) -> Evidence:
    order = rounds(evidence)
    return without(evidence, *order[order.index(last) + 1 :])


# ---- honest words ---------------------------------------------------------------------------------------------------


def test_honest_words_convict_nobody_at_any_length() -> None:
    ring, found = honest()
    for record in found:
        judge.check(record, ring.roster)  # read to the end: nothing is refused, and nobody named
        for name in rounds(record):
            assert judge.verdict(ring.roster, until(record, name)) is None, name
    assert rounds(found[-1])[-1] == "K6"


def test_words_of_several_batches_put_together_convict_nobody() -> None:
    ring = Ring(seed="several")
    for attempt in range(8):
        ring.run(name=f"ceremony {attempt}")
        if len(found := records(ring)) > 1:
            break
    first, second = found[0], found[-1]
    for name in rounds(first):
        later = tuple(d for d in second.signed if opened(d).round.split("/")[0] in rounds(until(first, name))[-1:])
        mixed = (*without(until(first, name), name).signed, *later)
        assert judge.verdict(ring.roster, Evidence(CHECK, mixed, first.context)) is None
        assert judge.verdict(ring.roster, Evidence(CHECK, mixed, second.context)) is None


# ---- an enemy with the keys of two nodes ----------------------------------------------------------------------------


def resigned(ring: Ring, evidence: Evidence, at: int, payload: bytes) -> Evidence:
    """A corrupt node says this instead, and both corrupt nodes confirm it; node1's echo stays as it was."""
    envelope, signed = opened(evidence.signed[at]), list(evidence.signed)
    assert envelope.sender in CORRUPT
    signed[at] = sign(replace(envelope, payload=payload), ring.identities[envelope.sender])
    said = {opened(d).sender: d for d in signed if opened(d).round == envelope.round}
    if set(said) != set(ring.names):
        return replace(evidence, signed=tuple(signed))
    vector = echo_of(said[name] for name in ring.names)
    for i, data in enumerate(signed):
        echo = opened(data)
        if echo.round == f"{envelope.round}/echo" and echo.sender in CORRUPT:
            signed[i] = sign(replace(echo, payload=vector), ring.identities[echo.sender])
    return replace(evidence, signed=tuple(signed))


def another_opening(ring: Ring, record: Evidence) -> Evidence:
    """node3 commits to and opens another S4 than node1 heard, so that what node1 says afterwards looks wrong."""
    made = until(record, "S7b")
    at = {(e.round, e.sender): i for i, e in enumerate(map(opened, made.signed))}
    s4 = opened(made.signed[at["S4", "node3"]]).payload
    payload, width = bytes(reversed(s4[32:-1])) + b"\1", ring.parameters.field_width  # type: ignore[union-attr]
    payload = b"".join(b"\0" + payload[i + 1 : i + width] for i in range(0, len(payload), width))
    commitment = place_of(made.signed).commitment("S4", 3, s4[:32], payload)
    changes = {("S3", "node3"): commitment, ("S4", "node3"): s4[:32] + payload}
    changes |= {("S5", name): bytes(4) for name in CORRUPT}  # rejects nothing
    for place, said_instead in changes.items():
        made = resigned(ring, made, at[place], said_instead)
    return made


class Anything:
    """Equal to every echo."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_other_words_than_an_honest_node_heard_do_not_convict_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ring, found = honest()
    made = [another_opening(ring, record) for record in found]
    assert [judge.verdict(ring.roster, evidence) for evidence in made] == [None] * len(made)
    # The control: a judge that does not look at the echoes would be led to convict node1.
    monkeypatch.setattr(judge, "echo_of", lambda _: Anything())
    misled = [judge.verdict(ring.roster, evidence) for evidence in made]
    assert HONEST in {fault.culprit for fault in misled if fault}


def test_a_record_with_gaps_convicts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    ring, found = honest()
    for name in rounds(found[-1])[:-1]:
        assert judge.verdict(ring.roster, without(found[-1], name)) is None, name
    # The control: the signed key follows from all rounds, so without one of them every signature looks wrong.

    def with_gaps(parameters: Parameters, names: list[str]) -> tuple[list[str], list[str]]:
        order = judge.steps(parameters)
        return [n for n in order if n in names], [n for n in names if n not in order]

    monkeypatch.setattr(judge, "_in_order", with_gaps)
    assert judge.verdict(ring.roster, without(found[-1], "S8 coin")) is not None


@pytest.mark.parametrize("place", ["name", "purpose", "channel", "coins", "parameters", "batch", "epochs", "label"])
def test_another_meaning_than_the_messages_have_convicts_nobody(place: str) -> None:
    """Name, sizes, coins, epoch: all of it is fixed by the label that the culprit signed under."""
    ring, evidence = guilty()
    assert judge.verdict(ring.roster, evidence) is not None
    tree = json.loads(evidence.context)
    begun = tree["beginning"]
    if place == "coins":
        begun["coins"]["node1"] = "00" * 32
    elif place == "parameters":
        begun["parameters"]["batch"] = "80"
    elif place == "batch":
        tree["batch"] += 1
    elif place == "epochs":
        tree["epochs"] = {"1": tree["epochs"].popitem()[1]}
    elif place == "label":
        tree["epochs"] = dict.fromkeys(tree["epochs"], "00" * 32)
    else:
        begun[place] = "00" * 32
    assert judge.verdict(ring.roster, replace(evidence, context=canonical_json(tree))) is None


def test_sizes_that_no_ceremony_has_are_refused_before_anything_is_computed() -> None:
    ring, evidence = guilty()
    tree = json.loads(evidence.context)
    for name, value in (("bits", "1" + "0" * 200), ("batch", "100000"), ("trial_limit", "ffffffffff"), ("fixed", "-8"),
                        ("sieve", "f" * 300), ("rounds", "0"), ("parties", "7"), ("bits", "101")):  # fmt: skip
        sizes = {**tree["beginning"]["parameters"], name: value}
        other = {**tree, "beginning": {**tree["beginning"], "parameters": sizes}}
        assert judge.verdict(ring.roster, replace(evidence, context=canonical_json(other))) is None, name


def test_evidence_with_a_forged_or_missing_part_convicts_nobody() -> None:
    ring, evidence = guilty()
    fault = judge.verdict(ring.roster, evidence)
    assert fault is not None and fault.culprit == "node3"
    for signed in (
        evidence.signed[1:],
        without(evidence, "S9").signed,
        tuple(d for d in evidence.signed if opened(d).round != "S4/echo"),
        (*evidence.signed[:-1], evidence.signed[-1][:-1] + b"\0"),
        (*evidence.signed, evidence.signed[0]),
        (),
    ):
        assert judge.verdict(ring.roster, replace(evidence, signed=signed)) is None
    assert judge.verdict(ring.roster, replace(evidence, check="other")) is None
    assert judge.verdict(ring.roster, replace(evidence, context=b"")) is None
    assert judge.verdict(ring.roster, None) is None


# ---- tacita judge ---------------------------------------------------------------------------------------------------


def command_line(*arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-m", "tacita.cli", "judge", *map(str, arguments), "--format", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def test_the_file_that_a_node_keeps_convicts_in_a_fresh_process_and_acquits_when_tampered_with(tmp_path: Path) -> None:
    ring, evidence = guilty()
    loaded = SimpleNamespace(folder=SimpleNamespace(path=tmp_path), roster=ring.roster)
    work = KeyWork(loaded, None, None, {}, None)  # type: ignore[arg-type]
    work.keep_evidence(BadModulus("node3", "its opening", evidence))
    (kept,) = (tmp_path / "evidence").iterdir()
    roster = tmp_path / "roster.json"
    roster.write_bytes(ring.roster.encode())
    code, shown = command_line(kept, "--roster", roster)
    (verdict,) = json.loads(shown)["verdicts"]
    assert (code, verdict["culprit"], verdict["fault"], verdict["rests_on"]) == (0, "node3", "BadModulus", "signature")
    tree = json.loads(kept.read_bytes())
    tree["signed"] = tree["signed"][:-1]
    kept.write_bytes(canonical_json(tree) + b"\n")
    code, shown = command_line(kept, "--roster", roster)
    assert code == 1 and not json.loads(shown)["convicted"]


KIND_SAMPLE = ("a rushing forger of N", "a sieve share that was not announced", "a wrong v in the last test",
               "a wrong theta share", "another winner")  # fmt: skip


@pytest.mark.parametrize("kind", KIND_SAMPLE)
def test_files_of_every_phase_convict(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lies, expected = SURE[kind]
    ring = Ring(seed=f"file/{kind}")
    lies.install(ring, monkeypatch)
    outcomes = ring.run()
    for name in set(ring.names) - {ring.names[lies.liar - 1]}:
        fault = outcomes[name]
        assert isinstance(fault, ProtocolFault) and fault.evidence
        verdict = files_judge.judge(files.to_file(fault.evidence, ring.roster), ring.roster)
        assert (verdict.culprit, verdict.fault) == (ring.names[lies.liar - 1], expected.__name__), verdict


def test_who_ends_a_ceremony_with_evidence_that_does_not_convict_is_no_false_accuser() -> None:
    """An honest node cannot always prove what it saw, for example of a signature that is given again."""
    ring, evidence = guilty()
    claim = files.encode(replace(evidence, signed=evidence.signed[:1]), ring.roster)
    abort = sign(Envelope(bytes(32), ABORT, "node1", EVERYONE, 1, claim), ring.identities["node1"])
    file = files.to_file(Evidence(files_judge.ACCUSATION, (abort,)), ring.roster)
    assert not files_judge.judge(file, ring.roster).convicts


# ---- A42 for ceremonies ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def sources() -> tuple[tuple[Ring, list[Evidence], list[bytes]], ...]:
    """Ceremonies, their records and true evidence, and everything that was signed in each."""
    lies = [guilty(step) for step in ("S4", "S8 open", "K2 open")]
    made = [honest(), *((ring, [evidence, *records(ring)]) for ring, evidence in lies)]
    return tuple((ring, found, said(ring)) for ring, found in made)


def try_to_convict(number: int) -> files_judge.Verdict:
    """One attempt of an enemy with the keys of node2 and node3; only what these broke may be proven."""
    entropy = SeededEntropy(f"false ceremony evidence/{number}")
    ring, found, everything = sources()[random_below(entropy, len(sources()))]
    evidence = found[random_below(entropy, len(found))]
    for _ in range(1 + random_below(entropy, 3)):
        signed, what, names = evidence.signed, random_below(entropy, 8), rounds(evidence)
        if not names:
            break
        at = random_below(entropy, len(signed))
        if what == 0:
            evidence = until(evidence, names[random_below(entropy, len(names))])
        elif what == 1:
            evidence = without(evidence, names[random_below(entropy, len(names))])
        elif what == 2:
            like = [d for d in everything if _round(d) == _round(signed[at])] or everything
            other = like[random_below(entropy, len(like))]
            evidence = replace(evidence, signed=(*signed[:at], other, *signed[at + 1 :]))
        elif what == 3:
            evidence = replace(evidence, context=found[random_below(entropy, len(found))].context)
        elif what == 4:
            private = [d for d in everything if opened(d).receiver != EVERYONE]
            evidence = replace(evidence, signed=(*signed, private[random_below(entropy, len(private))]))
        elif opened(signed[at]).sender in CORRUPT:
            payload = mutated(opened(signed[at]).payload, entropy)
            evidence = resigned(ring, evidence, at, payload)
            if what > 5:
                name = opened(signed[at]).round.split("/")[0]
                evidence = until(evidence, name) if name in names else evidence
    verdict = files_judge.judge(files.to_file(evidence, ring.roster), ring.roster)
    assert verdict.culprit != HONEST, (number, verdict)
    return verdict


def _round(data: bytes) -> str:
    try:
        return opened(data).round
    except CryptoError:
        return ""


def test_false_evidence_of_a_ceremony_convicts_nobody_honest() -> None:
    convicted = {try_to_convict(number).culprit for number in range(SAMPLE)}
    assert "node3" in convicted, "nothing ever reached a check: the sample shows nothing"


@pytest.mark.slow
def test_five_thousand_false_evidences_of_a_ceremony_convict_nobody_honest() -> None:
    for number in range(SAMPLE, SAMPLE + WHOLE):
        try_to_convict(number)


def test_evidence_of_another_ceremony_does_not_end_this_one(monkeypatch) -> None:
    """Node2 gives up and sends along what convicted node3 in an earlier ceremony of the same nodes."""
    ring = Ring(seed="guilty, long ago")
    with monkeypatch.context() as patch:
        Lies(liar=3, opens={"S4": flip}).install(ring, patch)
        old = ring.run(name="earlier")["node1"].evidence
    assert old is not None
    say = Talk.say

    async def leaves(talk, step, payload):
        if step == "S7b" and talk.channel.me == "node2":
            await talk.channel.abort(old)
            raise SessionAborted("node2 leaves")
        return await say(talk, step, payload)

    with monkeypatch.context() as patch:
        patch.setattr(Talk, "say", leaves)
        ended = ring.run(name="today")
    assert {type(ended[name]) for name in ("node1", "node3")} == {SessionAborted}, ended
    assert all(isinstance(made, Made) for made in ring.run(name="today").values())


@pytest.mark.parametrize("step", ["S1", "S2", "K0", "K1", "K3"])
def test_evidence_of_a_malformed_announcement_holds_no_message_between_honest_nodes(step, monkeypatch) -> None:
    ring = Ring(seed="leak")
    Lies(liar=3, says={step: lambda data: data[:-1]}).install(ring, monkeypatch)
    outcomes = ring.run()
    for name in ("node1", "node2"):
        fault = outcomes[name]
        assert fault.culprit == "node3" and files_judge.proven(fault.evidence, ring.roster).culprit == "node3"
        private = [e for e in map(opened, fault.evidence.signed) if e.receiver != EVERYONE]
        assert all(e.sender == "node3" for e in private), [(e.round, e.sender, e.receiver) for e in private]
