"""Evidence of every kind convicts its culprit before a stranger, offline, and the same at every honest node."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tacita.crypto import signature
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import SigningKey
from tacita.deploy.simulate.clock import run_virtual
from tacita.deploy.simulate.members import Members
from tacita.protocols import case, judge
from tacita.protocols import evidence as files
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.faults import CallerMistake, Evidence, FalseComplaint
from tacita.protocols.party import Result
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.terms import canonical_json
from tests.adversary.deviation import Deviant, errors, run
from tests.adversary.honest import LINES, a1, auction, tree
from tests.adversary.indictments import KINDS, honest_session, indict


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_evidence_convicts_its_culprit(kind: str) -> None:
    culprit, fault, _ = KINDS[kind]
    for held in indict(kind):
        verdict = judge.judge(held.file, held.cluster.roster)
        assert (verdict.culprit, verdict.fault) == (culprit, fault), verdict
        assert verdict.rests_on == ("majority" if fault in ("ParamMismatch", "ConversionMismatch") else "signature")
        key = held.cluster.bidder(culprit) if culprit == "cat" else held.cluster.identities[culprit]
        assert verdict.identity == key.public.hex()


def test_every_message_of_an_honest_session_has_its_place() -> None:
    _, said, session = honest_session()
    places = [Envelope.decode(data[64:]) for data in said]
    gathering, computing = (channel.session for channel in session.prover.channels)
    seen = {e.round for e in places if e.session in (gathering, computing)}
    assert {"hello", "coins/echo", "keys", "mask shares", "openings", "ticket", "signed", "partials"} <= seen
    assert not [e.round for e in places if e.session == gathering and case.misplaced(e, True)]
    assert not [e.round for e in places if e.session == computing and case.misplaced(e, False)]
    assert case.misplaced(replace(places[0], round="round 7"), True)


OFFLINE = """
import sys
from pathlib import Path
from tacita.crypto.encoding import read_json
from tacita.protocols.judge import judge
from tacita.protocols.roster import Roster
folder = Path(sys.argv[1])
for file in sorted(folder.glob("*.evidence")):
    verdict = judge(file.read_bytes(), Roster.read(read_json((folder / "roster.json").read_bytes())))
    print(file.stem, verdict.culprit, verdict.fault)
assert not [name for name in sys.modules if name.startswith(("tacita.node", "tacita.deploy", "grpc"))]
"""


def test_a_fresh_process_without_node_or_network_names_the_same_culprits(tmp_path: Path) -> None:
    (tmp_path / "roster.json").write_bytes(indict("two messages")[0].cluster.roster.encode())
    for number, kind in enumerate(KINDS):
        (tmp_path / f"{number:02}.evidence").write_bytes(indict(kind)[-1].file)
    command = [sys.executable, "-c", OFFLINE, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert said == [f"{n:02} {culprit} {fault}" for n, (culprit, fault, _) in enumerate(KINDS.values())]


def command_line(*arguments: object) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "tacita.cli", "judge", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def test_the_command_convicts_with_0_and_acquits_with_1(tmp_path: Path) -> None:
    held = indict("another coin")[0]
    file, roster, other = tmp_path / "evidence.json", tmp_path / "roster.json", tmp_path / "other.json"
    file.write_bytes(held.file)
    roster.write_bytes(held.cluster.roster.encode())
    other.write_bytes(Members(3, "others").roster.encode())
    code, said = command_line(file, "--roster", roster)
    assert (code, said.startswith("convicted (ProtocolFault): node3 broke the protocol")) == (0, True), said
    code, said = command_line(file, "--roster", roster, "--format", "json")
    assert code == 0
    (verdict,) = json.loads(said)["verdicts"]
    assert (verdict["culprit"], verdict["rests_on"]) == ("node3", "signature")
    code, said = command_line(file, "--roster", other)
    assert (code, said) == (1, "acquitted: the evidence is about the nodes of another roster\n")


# ---- out of context ---------------------------------------------------------------------------------------------


def test_an_honest_session_convicts_nobody_wherever_its_record_ends() -> None:
    cluster, said, session = honest_session()
    whole = session.prover.evidence()
    names = list(dict.fromkeys(Envelope.decode(d[64:]).round for d in whole.signed))
    for end in range(len(names) + 1):
        kept = tuple(d for d in whole.signed if Envelope.decode(d[64:]).round in names[:end])
        verdict = judge.judge(files.to_file(replace(whole, signed=kept), cluster.roster), cluster.roster)
        assert not verdict.convicts, verdict
    for name in ("keys", "mask shares", "ticket", "signed", "partials"):
        after = {"keys": "coins", "mask shares": "masks"}.get(name, "openings")
        until = [d for d in whole.signed if names.index(Envelope.decode(d[64:]).round) <= names.index(f"{after}/echo")]
        for data in (d for d in said if Envelope.decode(d[64:]).round == name):
            shown = replace(whole, check=name, signed=(*until, data))
            with pytest.raises(InvalidEncoding, match="everything in the evidence is as it must be"):
                judge.proven(shown, cluster.roster)


def test_without_the_echoes_corrupt_nodes_could_frame_the_honest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: node3 shows the judge another hello than node1 heard; then node1's bidder proved the wrong statement."""
    cluster, _, session = honest_session()
    whole = session.prover.evidence()
    until = whole.signed[: next(i for i, d in enumerate(whole.signed) if Envelope.decode(d[64:]).round == "freeze")]
    said = {m.sender: m for m in (Envelope.decode(d[64:]) for d in until) if m.round == "hello"}
    tree = json.loads(said["node3"].payload)
    forged = sign(replace(said["node3"], payload=canonical_json({**tree, "enrolled": []})), cluster.identities["node3"])
    signed = tuple(forged if Envelope.decode(d[64:]) == said["node3"] else d for d in until)
    evidence = files.to_file(replace(whole, signed=signed), cluster.roster)
    verdict = judge.judge(evidence, cluster.roster)
    assert not verdict.convicts and "has not confirmed the messages of round 'hello'" in verdict.sentence

    def believing(messages: Any, label: bytes, order: Sequence[str], reading: Any) -> str:
        """`_admit` that takes echoes for granted."""
        last = ""
        for name in order:
            places = [(label, name, sender, "*") for sender in reading.roster.names]
            if not all(place in messages for place in places):
                break
            reading.said[name] = {place[2]: messages.pop(place)[0].payload for place in places}
            for sender in reading.roster.names:
                messages.pop((label, f"{name}/echo", sender, "*"))
            last = name
        return last

    monkeypatch.setattr(case, "_admit", believing)
    assert judge.judge(evidence, cluster.roster).culprit in ("node1", "node2"), "the harm that the echoes prevent"


def test_two_signatures_on_one_message_are_not_two_messages() -> None:
    """Ed25519 lets a signer make many; who would call that equivocation could be convicted of a false accusation."""
    cluster = Deviant(3)
    outcomes = run(cluster)
    assert all(isinstance(r, Result) for r in outcomes.values())
    label = next(e.session for _, _, e in cluster.log if e.round == "commit")
    said = next(e for s, _, e in cluster.log if (s, e.round, e.session) == ("node3", "commit", label))

    async def twice() -> Channel:
        channel = Channel(cluster.roster, "node1", cluster.identities["node1"], cluster, label, 1.0, b"root")  # type: ignore[arg-type]
        first = sign(said, cluster.identities["node3"])
        channel.deliver("node3", first)
        channel.deliver("node3", another_signature(first, cluster.identities["node3"].seed))
        channel.raise_failure()
        return channel

    asyncio.run(twice())


def secret_scalar(seed: bytes) -> int:
    """What an Ed25519 key multiplies the base point by (RFC 8032, section 5.1.5)."""
    scalar = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return (scalar & ((1 << 254) - 8)) | (1 << 254)


def another_signature(signed: bytes, seed: bytes) -> bytes:
    """A second valid signature of the same key on the same body, with a nonce of the signer's choice."""
    nonce = bytes(range(32))
    point, public, body = SigningKey(nonce).public, SigningKey(seed).public, signed[64:]
    digest = hashlib.sha512(point + public + signature._tagged("envelope", body)).digest()
    order = (1 << 252) + 27742317777372353535851937790883648493
    answer = (secret_scalar(nonce) + int.from_bytes(digest, "little") * secret_scalar(seed)) % order
    return point + answer.to_bytes(32, "little") + body


def test_an_abort_with_evidence_that_does_not_hold_convicts_who_gives_up() -> None:
    """node3 leaves with the record of the session up to the commits, in which nobody did anything wrong."""
    cluster = Deviant(3)

    def rewrite(e: Envelope, r: str) -> Any:
        if e.round != "open":
            return e
        said = [sign(x, cluster.identities[s]) for s, t, x in cluster.log if x.round in ("hello", "hello/echo")]
        claim = replace(honest_session()[2].prover.evidence(), signed=tuple(dict.fromkeys(said)))
        stop = replace(e, round="abort", payload=files.encode(claim, cluster.roster))
        return [sign(stop, cluster.identities["node3"])]

    cluster.rewrite = rewrite
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, FalseComplaint) and error.culprit == "node3", repr(error)
        assert error.evidence is not None
        assert judge.judge(files.to_file(error.evidence, cluster.roster), cluster.roster).culprit == "node3"


def test_an_abort_that_a_judge_of_another_cluster_reads_convicts_nobody() -> None:
    """The same nodes in two clusters: an accusation that holds in one says nothing in the other."""
    (held, *_) = indict("an accusation that does not hold")
    nodes = held.cluster.roster.nodes
    other = Roster((*nodes[:2], replace(nodes[2], address="memory:9")))
    assert not judge.judge(files.to_file(held.evidence, other), other).convicts
    (held, *_) = indict("another coin")
    assert not judge.judge(files.to_file(held.evidence, other), other).convicts


def test_a_short_and_a_wordless_abort_accuse_nobody() -> None:
    cluster = Deviant(3)
    for payload in (b"", b"x", files.encode(Evidence("keygen", ()), cluster.roster)):
        stop = sign(Envelope(bytes(32), "abort", "node1", "*", 1, payload), cluster.identities["node1"])
        with pytest.raises(InvalidEncoding):
            judge.proven(Evidence(judge.ACCUSATION, (stop,)), cluster.roster)


# ---- receipts ---------------------------------------------------------------------------------------------------


def test_a_receipt_refutes_a_certificate_without_its_bid(tmp_path: Path) -> None:
    """A81/A86: all nodes together drop cat from the auction that they had frozen with it."""
    cluster = Deviant(3)
    with_cat = run(cluster)["node3"]
    assert isinstance(with_cat, Result)
    receipt = with_cat.receipts["cat"]
    for store in cluster.stores.values():
        store.facts.clear()  # what honest nodes never do
    terms, inputs = a1()
    without = run_virtual(cluster.outcomes(terms, {n: x for n, x in inputs.items() if n != "cat"}))["node1"]
    assert isinstance(without, Result)
    (tmp_path / "receipt.json").write_bytes(canonical_json(receipt))
    (tmp_path / "certificate.json").write_bytes(without.certificate)
    (tmp_path / "roster.json").write_bytes(cluster.roster.encode())
    arguments = (tmp_path / "receipt.json", "--roster", tmp_path / "roster.json", "--format", "json", "--certificate")
    code, said = command_line(*arguments, tmp_path / "certificate.json")
    assert code == 0
    verdicts = {v["culprit"]: v for v in json.loads(said)["verdicts"]}
    assert set(verdicts) == set(cluster.names)
    assert all(v["fault"] == "Equivocation" and "cat" in v["sentence"] for v in verdicts.values())
    (tmp_path / "certificate.json").write_bytes(with_cat.certificate)
    code, said = command_line(*arguments, tmp_path / "certificate.json")
    assert (code, json.loads(said)["convicted"]) == (1, False)


def test_receipts_of_other_names_terms_or_signers_convict_nobody() -> None:
    cluster = Deviant(3)
    first = run(cluster)["node3"]
    assert isinstance(first, Result)
    receipt = json.loads(canonical_json(first.receipts["cat"]))
    other_name, inputs = auction(tree("public", name="tomorrow"), LINES)
    second = run_virtual(cluster.outcomes(other_name, inputs))["node1"]
    assert isinstance(second, Result)
    certificate = Certificate.decode(second.certificate)
    for data in judge.omissions(receipt, certificate, cluster.roster):
        assert not judge.judge(data, cluster.roster).convicts, "two sessions of different names"
    own = Certificate.decode(first.certificate)
    changed = [
        {**receipt, "set": {**receipt["set"], "objects": {**receipt["set"]["objects"], "cat": "00" * 32}}},
        {**receipt, "set": {**receipt["set"], "enrolled": receipt["set"]["enrolled"][:2]}},
        {**receipt, "set": {**receipt["set"], "key": "00" * 32}},
        {**receipt, "signatures": dict.fromkeys(cluster.names, "00" * 64)},
    ]
    for made_up in changed:
        for data in judge.omissions(made_up, own, cluster.roster):
            assert not judge.judge(data, cluster.roster).convicts, "what the nodes never signed"


def test_a_node_freezes_one_set_per_name() -> None:
    """What makes two signed sets a crime: an honest node refuses before it signs the second one."""
    cluster = Deviant(3, deadline=0.5, rewrite=lambda e, r: None if e.round == "freeze" else e)
    errors(cluster, run(cluster))
    cluster.log.clear()
    again = run(cluster, **{n: {"entropy": SeededEntropy(f"again/{n}")} for n in cluster.names})
    assert all(isinstance(again[name], CallerMistake) for name in cluster.honest), again
    assert "freeze" not in cluster.rounds("node1")
