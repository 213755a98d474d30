"""A87: a node that hands two members of a subset different keys.

With m = 2t + 1 honest shares of whatever comes out always fit together: the mask of a truncation and its quotient
no longer belong to one number, and results are wrong unseen. With m = 2t + 2 the degree check notices. The
confirmation of keys before their use refuses both.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.shamir import coefficients_at
from tacita.deploy.attack.engines import Make, RecordingEngine, attempt, info
from tacita.protocols.faults import InconsistentOpening, ProtocolFault, SuspectFault
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.roster import Node, Roster
from tacita.protocols.stages.share import (
    Contributions,
    check_confirmations,
    confirmations,
    contributions_of,
    derive_keys,
    key_subsets,
)

OTHER = bytes(range(32))
VALUES = [1000 * n for n in range(8)]


async def shorten(engine: Engine) -> None:
    a = await engine.from_cipher("a", len(VALUES), 0, 0, 1 << 14)
    await engine.to_cipher("exact", a)
    await engine.to_cipher("short", await engine.trunc(a, 4))


def with_key(subset: tuple[int, ...], key: bytes) -> Make:
    """An honest node to whom another key was handed for one subset."""

    def make(*arguments: object) -> RecordingEngine:
        keys = arguments[2]
        keys.replicated[subset] = key  # type: ignore[attr-defined]
        return RecordingEngine(*arguments)

    return make


def adapting(subset: tuple[int, ...], victim: int, honest: list[int], first: Callable[[], bytes]) -> Make:
    """A corrupt node that knows both keys and sends the shares that fit those of the honest nodes."""

    def make(*arguments: object) -> RecordingEngine:
        keys, second = arguments[2].replicated, (*subset, -1)  # type: ignore[attr-defined]
        keys[subset], keys[second] = first(), OTHER
        engine = RecordingEngine(*arguments)
        shares, prime = engine.shares, int(engine.prime)
        outside = [j + 1 for j in range(shares.m) if j not in subset]
        (at_victim, *_), (mine, *_) = (coefficients_at([0, *outside], x + 1, prime) for x in (victim, shares.me))
        points = [j + 1 for j in honest]
        bend = at_victim * coefficients_at(points, shares.me + 1, prime)[honest.index(victim)]
        shares._weights[subset], shares._weights[second] = mine - bend, bend
        shares._runtime._program_counter[0] = 0  # r was drawn with the weights of an honest node
        engine.one[1] = shares.uniform(1)
        return engine

    return make


def test_with_four_nodes_the_degree_check_notices_different_keys() -> None:
    run = attempt(shorten, {"a": VALUES}, 4, "keys", nodes={1: with_key((0, 1, 2), OTHER)})
    assert all(isinstance(run.ends[i], InconsistentOpening) for i in (0, 1, 3))
    assert not run.engines[0].values


def test_with_five_nodes_the_engine_alone_truncates_wrongly_unseen() -> None:
    """Nodes 4 and 5 are corrupt; node 4 gave node 2 another key than node 1. Hence the confirmation below."""
    subset, honest = (0, 1, 3), [0, 1, 2]
    right = attempt(shorten, {"a": VALUES}, 5, "keys")
    key = right.engines[0].shares._keys.replicated[subset]
    corrupt = adapting(subset, 1, honest, lambda: key)
    run = attempt(shorten, {"a": VALUES}, 5, "keys", nodes={1: with_key(subset, OTHER), 3: corrupt, 4: corrupt})
    assert run.ends == [None] * 5
    assert run.outputs["exact"] == right.outputs["exact"] == VALUES
    ulp = info(5).ulp
    assert all(abs(x - v / 16) <= ulp for x, v in zip(right.outputs["short"], VALUES, strict=True))
    wrong = sum(abs(x - v / 16) > ulp for x, v in zip(run.outputs["short"], VALUES, strict=True))
    assert wrong > len(VALUES) / 2, "a difference of the keys that is divisible by 16 and by 5 does no harm"


def roster(parties: int) -> Roster:
    return Roster(tuple(Node(f"node{i + 1}", f"host:{i}", b"", b"", b"", b"") for i in range(parties)))


def checked(cluster: Roster, me: int, commitments: Any, told: Any) -> Any:
    return {j: contributions_of(cluster, j, me, commitments[j], data) for j, data in told.items()}


@pytest.mark.parametrize("parties", [4, 5], ids=["m4", "m5"])
@pytest.mark.parametrize("commits", ["once", "to each another"])
def test_a_contribution_that_differs_between_two_members_is_refused(parties: int, commits: str) -> None:
    """Against the commitment of the liar if there is one; else by the comparison of what came out."""
    cluster, session = roster(parties), b"session"
    draws = [Contributions.draw(cluster, i, SeededEntropy(f"contribution {i}")) for i in range(parties)]
    lie = Contributions({s: OTHER if s == (0, 1, parties - 2) else v for s, v in draws[parties - 2].values.items()})
    published = {i: draw.commitments() for i, draw in enumerate(draws)}
    keys = []
    for me in range(parties):
        told = {j: (lie if (me, j) == (1, parties - 2) else draws[j]).for_peer(me) for j in range(parties) if j != me}
        commitments = dict(published)
        if me == 1 and commits != "once":
            commitments[parties - 2] = lie.commitments()
        if me == 1 and commits == "once":
            with pytest.raises(ProtocolFault, match=f"node{parties - 1} .*does not match its commitment"):
                derive_keys(me, session, draws[me], checked(cluster, me, commitments, told))
            return
        keys.append(derive_keys(me, session, draws[me], checked(cluster, me, commitments, told)))
    differing = [s for s in key_subsets(cluster) if len({k[s] for k in keys if s in k}) > 1]
    assert differing == [(0, 1, parties - 2)]
    everybody = {name: confirmations(cluster, keys[i]) for i, name in enumerate(cluster.names)}
    with pytest.raises(SuspectFault, match="different keys") as caught:
        check_confirmations(cluster, everybody)
    assert caught.value.suspects == tuple(cluster.names[i] for i in (0, 1, parties - 2))
