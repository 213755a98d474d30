"""A42: mutated, mixed, replayed and re-signed evidence never convicts an honest party; made by an enemy of node1.

The enemy holds every key but those of the honest: it signs for its own nodes what it likes, and shows the judge any
mixture of what the honest really said, in this session and in others with the same keys.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.protocols import evidence as files
from tacita.protocols import introduction, judge
from tacita.protocols.envelope import EVERYONE, Envelope, echo_of, sign
from tacita.protocols.faults import Evidence
from tacita.protocols.introduction import Introduction
from tacita.protocols.mpc.frames import EngineFrame
from tacita.protocols.terms import canonical_json
from tests.adversary.deviation import Deviant
from tests.adversary.indictments import honest_session, indict, is_frame
from tests.adversary.test_session_mutation import mutated

HONEST = {"node1", "ann"}
"""Against the enemy, all others are corrupt; in the sessions that it mutates node2 and bob behave, too."""
CORRUPT = {"node2", "node3"}
SHOWN = ("keys", "mask shares", "ticket", "signed", "partials")
SAMPLE, WHOLE = 1000, 10_000
KIND_SAMPLE = (
    "two messages", "a bid out of range", "bad shares", "a false complaint", "a bidder's shares of another bid",
    "mask shares outside the field", "another key contribution", "no signature on the ticket", "other terms",
    "no field elements from the engine",
)  # fmt: skip


def opened(data: bytes) -> Envelope:
    """The message inside; bytes that an earlier mutation broke are nobody's."""
    try:
        return Envelope.decode(data[SIGNATURE_BYTES:])
    except CryptoError:
        return Envelope(bytes(32), "broken", "node1", EVERYONE, 0, data)


@lru_cache(maxsize=4)
def sources(seed: str = "cluster") -> tuple[tuple[Evidence, ...], tuple[bytes, ...], Deviant]:
    """True evidence and honest records to begin with, and every message that was ever signed."""
    cluster, said, session = honest_session()
    whole = session.prover.evidence()
    records = [whole]
    for name in SHOWN:
        records += [replace(whole, check=name, signed=(*whole.signed, d)) for d in said if opened(d).round == name][:4]
    frames = [data for received in cluster.traffic.values() for data in received if is_frame(data)]
    for name in cluster.names:
        mine = [data for data in frames if EngineFrame.decode(data).sender == name]
        records += [replace(whole, check=judge.FRAME, signed=(*whole.signed, data)) for data in mine[:2]]
    introductions = [Introduction(name, name).sign(cluster.identities[name]) for name in cluster.names]
    records += [Evidence(introduction.CHECK, (data,)) for data in introductions]
    guilty = [held.evidence for kind in KIND_SAMPLE for held in indict(kind)[:1]]
    everything = [*said, *frames[:60], *introductions, *(d for e in guilty for d in e.signed)]
    return (*records, *guilty), tuple(dict.fromkeys(everything)), cluster


def rounds(evidence: Evidence) -> list[str]:
    return list(dict.fromkeys(e.round for e in map(opened, evidence.signed) if "/" not in e.round))


def truncated(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    """The record ends earlier, with a round that somebody honest took part in; perhaps with a message shown."""
    names = rounds(e)
    if not names:
        return e
    keep = set(names[: 1 + random_below(entropy, len(names))])
    kept = [d for d in e.signed if opened(d).round.split("/")[0] in keep]
    check = judge.SAID
    if random_below(entropy, 3) == 0:
        check = SHOWN[random_below(entropy, len(SHOWN))]
        kept += [d for d in sources()[1] if opened(d).round == check][: 1 + random_below(entropy, 3)]
    return replace(e, check=check, signed=tuple(kept))


def dropped(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    at = random_below(entropy, max(1, len(e.signed)))
    return replace(e, signed=e.signed[:at] + e.signed[at + 1 :])


def exchanged(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    """A message replaced by another one that was really signed, of the same round if there is one."""
    if not e.signed:
        return e
    at, everything = random_below(entropy, len(e.signed)), sources()[1]
    like = [d for d in everything if opened(d).round == opened(e.signed[at]).round and d != e.signed[at]]
    choice = like if like and random_below(entropy, 4) else everything
    return replace(e, signed=(*e.signed[:at], choice[random_below(entropy, len(choice))], *e.signed[at + 1 :]))


def flipped(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    if not e.signed:
        return e
    at = random_below(entropy, len(e.signed))
    return replace(e, signed=(*e.signed[:at], mutated(e.signed[at], entropy), *e.signed[at + 1 :]))


def renamed(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    names = [*judge.CHECKS, "", "open", "\x00"]
    return replace(e, check=names[random_below(entropy, len(names))])


def recontextualised(e: Evidence, entropy: SeededEntropy, _: Deviant) -> Evidence:
    """Other terms, key, nonces or openings than the messages refer to."""
    if not e.context:
        return replace(e, context=b'{"a":1}')
    tree = json.loads(e.context)
    what = random_below(entropy, 6)
    if what == 0 and "terms" in tree:
        tree["terms"]["bounds"]["value"] = [0, 1 + random_below(entropy, 16)]
    elif what == 1 and "key" in tree:
        name = list(tree["key"])[random_below(entropy, len(tree["key"]))]
        tree["key"][name] = 7 if isinstance(tree["key"][name], int) else "7"
    elif what == 2 and "greetings" in tree:
        tree["greetings"]["node3"] = entropy.token(32).hex()
    elif what == 3:
        tree["opened"] = {"price": [format(random_below(entropy, 1 << 80), "x")]}
    elif what == 4:
        other = [x.context for x in sources()[0] if x.context]
        return replace(e, context=other[random_below(entropy, len(other))])
    else:
        tree.pop(list(tree)[random_below(entropy, len(tree))])
    return replace(e, context=canonical_json(tree))


def resigned(e: Evidence, entropy: SeededEntropy, cluster: Deviant) -> Evidence:
    """The corrupt nodes say something else in one round, and confirm it with new echoes; the record may end there."""
    places = [(i, m) for i, m in enumerate(map(opened, e.signed)) if m.sender in CORRUPT]
    if not places:
        return e
    at, envelope = places[random_below(entropy, len(places))]
    other = replace(envelope, payload=mutated(envelope.payload, entropy))
    if random_below(entropy, 4) == 0:
        like = [m for m in map(opened, sources()[1]) if (m.round, m.sender) == (envelope.round, envelope.sender)]
        other = replace(envelope, payload=like[random_below(entropy, len(like))].payload)
    signed = list(e.signed)
    signed[at] = sign(other, cluster.identities[other.sender])
    return replace(e, signed=tuple(echoed(signed, other, cluster)))


def echoed(signed: list[bytes], about: Envelope, cluster: Deviant) -> list[bytes]:
    """New echoes of the corrupt nodes that confirm what now stands in one round."""
    said = {m.sender: d for d in signed if (m := opened(d)).round == about.round and m.receiver == EVERYONE}
    if set(said) != set(cluster.names):
        return signed
    vector = echo_of(said[name] for name in cluster.names)
    result = []
    for data in signed:
        m = opened(data)
        mine = m.round == f"{about.round}/echo" and m.sender in CORRUPT
        result.append(sign(replace(m, payload=vector), cluster.identities[m.sender]) if mine else data)
    return result


def cut_after(e: Evidence, entropy: SeededEntropy, cluster: Deviant) -> Evidence:
    return truncated(resigned(e, entropy, cluster), entropy, cluster)


MUTATIONS: Sequence[Callable[[Evidence, SeededEntropy, Deviant], Evidence]] = (
    truncated, dropped, exchanged, flipped, renamed, recontextualised, resigned, resigned, cut_after, cut_after,
)  # fmt: skip


def try_to_convict(number: int) -> judge.Verdict:
    """One attempt; returns the verdict, having checked that nobody honest is convicted."""
    entropy = SeededEntropy(f"false evidence/{number}")
    start, _, cluster = sources()
    evidence = start[random_below(entropy, len(start))]
    names = []
    for _ in range(1 + random_below(entropy, 3)):
        change = MUTATIONS[random_below(entropy, len(MUTATIONS))]
        names.append(change.__name__)
        evidence = change(evidence, entropy, cluster)
    data = files.to_file(evidence, cluster.roster) if _is_json(evidence.context) else b""
    if random_below(entropy, 20) == 0:
        data = mutated(data, entropy)
    verdict = judge.judge(data, cluster.roster)
    assert verdict.culprit not in HONEST or verdict.rests_on == "majority", (number, names, verdict)
    assert verdict.sentence.isprintable(), (number, names)
    if "resigned" not in names and "cut_after" not in names:
        assert verdict.culprit in ("", "node3", "cat"), (number, names, verdict)
    return verdict


def _is_json(context: bytes) -> bool:
    try:
        json.loads(context or b"{}")
    except ValueError:
        return False
    return True


def test_false_evidence_convicts_nobody_honest() -> None:
    verdicts = [try_to_convict(number) for number in range(SAMPLE)]
    convicted = [v for v in verdicts if v.convicts]
    assert {"node3"} <= {v.culprit for v in convicted}, "nothing ever reached a check: the sample shows nothing"


def test_decoders_of_evidence_refuse_with_one_error_and_at_once() -> None:
    """Whatever bytes: InvalidEncoding, or evidence that encodes to the same bytes again."""
    start, _, cluster = sources()
    roster, whole = cluster.roster, replace(start[0], signed=start[0].signed[:6])
    entropy = SeededEntropy("decoders")
    for number in range(500):
        wire, file = mutated(files.encode(whole, roster), entropy), mutated(files.to_file(whole, roster), entropy)
        for data, read, write in ((wire, files.decode, files.encode), (file, files.from_file, files.to_file)):
            try:
                assert write(read(data, roster), roster) == data, number
            except InvalidEncoding:
                continue
    for data in (b"", b"[" * 100_000, b'{"signed":' * 50_000, b"NaN", b"9" * 5000, b"null\n", b"{}\n", b"\xff"):
        for read in (files.decode, files.from_file):
            with pytest.raises(InvalidEncoding):
                read(data, roster)
    many = files.encode(replace(whole, signed=(b"",) * 100_000), roster)
    with pytest.raises(InvalidEncoding, match="bytes too many"):
        files.decode(many, roster)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_ten_thousand_false_evidences_convict_nobody_honest(part: int) -> None:
    size = WHOLE // 20
    for number in range(SAMPLE + part * size, SAMPLE + (part + 1) * size):
        try_to_convict(number)
