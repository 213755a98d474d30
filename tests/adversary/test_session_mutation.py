"""Every round, one node's payload or envelope changed at random: nobody honest is blamed, nobody crashes or differs.

`lies`: everybody gets the same changed payload. `split`: one receiver gets another payload than the rest.
`raw`: the signed bytes themselves are damaged. The seed of a failing case stands in the message.
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.protocols import channel, releasing
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.faults import Absent, ProtocolFault, SuspectFault, TacitaError
from tacita.protocols.party import Result
from tests.adversary.deviation import Deviant, run
from tests.adversary.honest import HOSTS

ROUNDS = [
    "greet", "hello", "envelope keys", "commit", "open", "freeze", "coins", "keys", "confirm keys", "shares", "masks",
    "openings", "ticket", "signed", "partials",
]  # fmt: skip
ECHOED = [r for r in ROUNDS if r not in ("keys", "ticket", "signed", "partials")]
AFTER_SIGNING = ("ticket", "signed", "partials")
PASSES = {"greet", "confirm keys", "signed", "partials"}
"""Changed payloads that leave a session intact: another nonce, hashes of keys that nobody else holds, proofs."""


def mutated(data: bytes, entropy: SeededEntropy) -> bytes:
    """Changed in some way."""
    while (changed := _mutated(data, entropy)) == data:
        pass
    return changed


def _mutated(data: bytes, entropy: SeededEntropy) -> bytes:
    """Flip a bit, cut, append, overwrite, or take a piece out."""
    kind, size = random_below(entropy, 5), len(data)
    at = random_below(entropy, size) if size else 0
    if kind == 0 and size:
        return data[:at] + bytes([data[at] ^ 1 << random_below(entropy, 8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data + entropy.token(1 + random_below(entropy, 40))
    width = random_below(entropy, min(size, 64) + 1)
    return data[:at] + (entropy.token(width) if kind == 3 else b"") + data[at + width :]


def lies(cluster: Deviant, name: str, entropy: SeededEntropy) -> None:
    cluster.lies[name] = lambda payload: mutated(payload, entropy)


def split(cluster: Deviant, name: str, entropy: SeededEntropy) -> None:
    victim = cluster.honest[random_below(entropy, len(cluster.honest))]

    def rewrite(envelope: Envelope, receiver: str) -> Any:
        if (envelope.round, receiver) != (name, victim):
            return envelope
        changed = Envelope(**{**vars(envelope), "payload": mutated(envelope.payload, entropy)})
        return [sign(changed, cluster.identities[cluster.liar])]

    cluster.rewrite = rewrite


def raw(cluster: Deviant, name: str, entropy: SeededEntropy) -> None:
    def rewrite(envelope: Envelope, receiver: str) -> Any:
        if envelope.round != name:
            return envelope
        honest = damaged = sign(envelope, cluster.identities[cluster.liar])
        while damaged == honest:
            data = mutated(honest, entropy)
            # The label stays: it is what a node sorts messages by before it looks inside.
            start = data[:SIGNATURE_BYTES].ljust(SIGNATURE_BYTES, b"\0")
            damaged = start + envelope.session + data[SIGNATURE_BYTES + 32 :]
        return [damaged]

    cluster.rewrite = rewrite


KINDS: dict[str, Callable[[Deviant, str, SeededEntropy], None]] = {"lies": lies, "split": split, "raw": raw}


def check(seed: str, kind: str, name: str, parties: int = 3) -> None:
    """One session with one mutation; everything that must hold whatever it was."""
    entropy = SeededEntropy(f"mutation/{kind}/{name}/{seed}")
    liar = f"node{1 + random_below(entropy, parties)}"
    deadline = 1.5 if name in AFTER_SIGNING else 0.6
    cluster = Deviant(parties, liar=liar, deadline=deadline)
    KINDS[kind](cluster, name, entropy)
    outcomes = run(cluster)
    where = f"seed {seed!r}, {kind} in '{name}' by {liar}, outcomes {[repr(outcomes[n])[:160] for n in cluster.honest]}"
    guests = {guest for guest, host in HOSTS.items() if host == liar}
    results = []
    for node in cluster.honest:
        ended = outcomes[node]
        assert isinstance(ended, Result | TacitaError), f"internal error: {where}"
        if isinstance(ended, Result):
            results.append(ended)
            continue
        assert str(ended).isprintable(), where
        if isinstance(ended, ProtocolFault):
            assert ended.culprit in {liar, *guests}, f"an honest node is blamed: {where}"
        if isinstance(ended, SuspectFault):
            assert {liar, *guests} & set(ended.suspects), f"only honest nodes are suspects: {where}"
        if isinstance(ended, Absent) and (kind == "lies" or name in ("keys", *AFTER_SIGNING)):
            assert ended.peer == liar, f"an honest node is said to be absent: {where}"
    decisions = [{k: v for k, v in r.outcome.items() if k != "certificate"} for r in results]
    assert all(d == decisions[0] for d in decisions), f"two outcomes: {where}"
    if name not in AFTER_SIGNING:
        assert len({r.certificate for r in results}) <= 1, f"two certificates: {where}"
        assert len(results) in (0, len(cluster.honest)), f"only some finish: {where}"
        assert not results or not cluster.told or name in PASSES, f"a change went unnoticed: {where}"
    if name in ("signed", "partials"):
        assert len(results) == len(cluster.honest), f"the ticket was signed, but the result is lost: {where}"


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (channel, releasing):
        monkeypatch.setattr(module, "DISPUTE_SECONDS", 0.3)


@pytest.mark.parametrize("name", ROUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_message_ends_in_a_verdict_or_a_result(kind: str, name: str) -> None:
    for seed in range(1):
        check(str(seed), kind, name)


@pytest.mark.parametrize("name", [f"{r}/echo" for r in ECHOED])
def test_a_changed_echo_ends_in_a_verdict_or_a_result(name: str) -> None:
    check("0", "lies", name)
    check("0", "split", name)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_many_changed_messages(part: int) -> None:
    names = [*ROUNDS, *(f"{r}/echo" for r in ECHOED)]
    for number, (kind, name) in enumerate(itertools.product(KINDS, names)):
        check(f"slow/{part}/{number}", kind, name)


@pytest.mark.slow
def test_changed_messages_in_a_cluster_of_five() -> None:
    for number, (kind, name) in enumerate(itertools.product(KINDS, ROUNDS)):
        check(f"five/{number}", kind, name, parties=5)
