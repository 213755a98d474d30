"""Attacks on a whole session: play it, and hold what happened against the five assertions of the catalogue.

same      every honest node ends with the same leaf of the error tree and the same culprit
in time   within a deadline of virtual time
evidence  what goes with a culprit is judged elsewhere, see evidence.py
no leak   the engines opened what the program announces and nothing else; no honest secret, in any usual spelling,
          stands in what the liar received or in what the honest nodes say in their errors
two worlds  with other bids of the honest bidders the liar sees the same messages, sizes and times, and the session
          ends in the same way
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tacita.deploy.attack.behaviour import Behaviour
from tacita.deploy.attack.case import Play, Shown
from tacita.deploy.attack.instance import OTHER_LINES, SCENE_LINES
from tacita.deploy.attack.scene import Scene
from tacita.protocols.faults import Absent, ProtocolFault, SessionAborted, SuspectFault, TacitaError, VerificationFailed
from tacita.protocols.party import Result
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.verify import verify

IN_TIME = 400.0
"""Virtual seconds: a few deadlines of 20 s, or one wait for a silent engine."""
VARIED = 4
"""Different bytes but 0 that an integer must have; others occur by chance."""

Harm = Callable[[Scene], str]
"""What the attacker gained in a scene; empty if nothing."""


def play_session(
    play: Play,
    behaviour: Behaviour | Callable[[Scene], Behaviour],
    harm: Harm,
    *,
    later: bool = False,
    two_worlds: bool = True,
    deviated: Callable[[], object] | None = None,
    in_time: float = IN_TIME,
    **settings: Any,
) -> Shown:
    """Play a session with one liar and judge how it ended; `later`: measure the harm when the product is whole."""

    def make(**more: Any) -> Scene:
        scene = Scene(**{"parties": play.parties, "seed": play.name, **settings, **more})
        scene.behaviour = behaviour if isinstance(behaviour, Behaviour) else behaviour(scene)
        return scene

    scene = make()
    scene.run()
    shown = judge_scene(scene, (lambda _: "") if later else harm, in_time)
    if later:
        shown.measure = lambda: harm(scene)
    if deviated is not None:
        shown.deviated = bool(deviated())
    if two_worlds and play.first and not shown.harm:
        other = make(lines=OTHER_LINES)
        other.run()
        if verdict(other)[0] != shown.verdict:
            shown.problems = [*shown.problems, f"with other bids the session ends with {verdict(other)[0]}"]
        if other.view() != scene.view():
            shown.problems = [*shown.problems, "what the liar sees of other bids differs in order, size or time"]
    return shown


def judge_scene(scene: Scene, harm: Harm, in_time: float = IN_TIME) -> Shown:
    """What a scene that was run shows."""
    leaf, culprit, problems = verdict(scene)
    faults = [end for end in (scene.endings[n] for n in scene.honest) if isinstance(end, ProtocolFault)]
    evidence = [fault.evidence for fault in faults if fault.evidence is not None]
    if len(evidence) < len(faults):
        problems.append("somebody is named without evidence")
    evidence += [piece for result in ended(scene) for piece in result.evidence]
    problems += [*scene.watch.broken, *scene.bugs]
    if scene.seconds > in_time:
        problems.append(f"it took {scene.seconds:.0f} s of virtual time")
    problems += leaks(scene)
    gained, deviated = harm(scene), bool(scene.told)
    return Shown(leaf, culprit, deviated, gained, None, problems, evidence, scene.roster)


# ---- how a session ended --------------------------------------------------------------------------------------------


def leaf_of(error: BaseException) -> str:
    """The leaf of the error tree as the catalogue calls it."""
    name = type(error).__name__
    return (
        name if name in ("ProtocolFault", "SuspectFault", "MachineFault", "LocalFault") else name.removesuffix("Fault")
    )


def verdict(scene: Scene) -> tuple[str, str, list[str]]:
    """(letter and leaf, culprit, problems) from how the honest nodes ended."""
    ends = {name: scene.endings[name] for name in scene.honest}
    problems: list[str] = []
    for name, end in ends.items():
        if not isinstance(end, Result | TacitaError):
            problems.append(f"{name} ended with {end!r}"[:200])
    results = [end for end in ends.values() if isinstance(end, Result)]
    if len(results) == len(ends):
        named = {fault.split(" broke the protocol")[0] for r in results for fault in r.faults if " broke " in fault}
        return "P", ", ".join(sorted(named)), problems
    errors = [end for end in ends.values() if isinstance(end, TacitaError)]
    # Who is only told to stop has seen nothing itself; it must then be told by somebody who has.
    knowing = [e for e in errors if not isinstance(e, SessionAborted)] or errors
    kinds = {(leaf_of(e), getattr(e, "culprit", "") or getattr(e, "peer", "")) for e in knowing}
    if len(kinds) > 1 or results:
        problems.append(f"the honest nodes end differently: {sorted(kinds)}" + (", some with a result" * bool(results)))
    if not knowing:
        return "-", "", problems
    first = knowing[0]
    if isinstance(first, ProtocolFault):
        letter = "I"
    elif isinstance(first, SuspectFault | Absent):
        letter = "D"
        suspects = set(getattr(first, "suspects", ()) or (getattr(first, "peer", ""),))
        if not {s.replace("node ", "node") for s in suspects} & guilty(scene):
            problems.append(f"the suspects {sorted(suspects)} are all honest")
    else:
        letter = "R"
    return f"{letter} {leaf_of(first)}", getattr(first, "culprit", ""), problems


def guilty(scene: Scene) -> set[str]:
    """The liar, and the participants that it hosts."""
    return {scene.liar, *(p for p, host in scene.members.host(scene.inputs).items() if host == scene.liar)}


def ended(scene: Scene) -> list[Result]:
    """The results of the honest nodes."""
    return [end for end in (scene.endings[name] for name in scene.honest) if isinstance(end, Result)]


# ---- no leak --------------------------------------------------------------------------------------------------------


def leaks(scene: Scene) -> list[str]:
    """Openings that the program does not announce, and honest secrets in what the liar saw."""
    problems = []
    setup = scene.setup()
    announced = setup.demand.openings
    for name, engine in scene.worked:
        if name in scene.honest and tuple(engine.ledger) != announced[: len(engine.ledger)]:
            problems.append(f"the engine of {name} opened something that the program does not announce")
    seen = [data for _, _, _, data in scene.taken]
    seen += [str(end).encode() for end in scene.endings.values() if isinstance(end, BaseException)]
    whole = b"\0|\0".join(seen)
    for label, number in secrets_of(scene):
        problems += [f"{label} stands in what {scene.liar} saw ({how})" for how, x in spellings(number) if x in whole]
    return problems


def secrets_of(scene: Scene) -> Iterator[tuple[str, int]]:
    """What nobody but its owner may see: honest bids, key shares and seeds, as integers."""
    setup, hosts = scene.setup(), scene.members.host(scene.inputs)
    for bidder, bid in scene.inputs.items():
        if hosts[bidder] != scene.liar:
            values = POLICIES[setup.terms.policy].private_values(setup.instance, bidder, bid)
            yield from ((f"field {i} of {bidder}", int(v)) for i, v in enumerate(values) if varied(int(v)))
    for name in scene.honest:
        yield f"the key share of {name}", scene.shares[scene.names.index(name)].secret
        yield f"the identity of {name}", int.from_bytes(scene.identities[name].seed, "big")
        yield f"the BLS key of {name}", int.from_bytes(scene.multi[name].seed, "big")


def varied(number: int) -> bool:
    """Whether an integer is worth looking for."""
    return len(set(abs(number).to_bytes(1024, "big")) - {0}) >= VARIED


def spellings(number: int) -> Iterator[tuple[str, bytes]]:
    """An integer in the usual spellings, at least five bytes each."""
    number = abs(number)
    size = max(5, (number.bit_length() + 7) // 8)
    big = number.to_bytes(size, "big")
    for how, raw in (("big endian", big), ("little endian", big[::-1]), ("decimal", str(number).encode())):
        yield how, raw
        for shift in range(3):
            yield f"base64 of {how}", _base64(raw, shift)
    yield "hex", format(number, "x").encode()


def _base64(raw: bytes, shift: int) -> bytes:
    """The characters that depend on `raw` alone when it stands at an offset of `shift` modulo 3."""
    padded = bytes(shift) + raw
    return base64.b64encode(padded + bytes(-len(padded) % 3))[-(-shift * 8 // 6) : len(padded) * 8 // 6]


# ---- harms ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def honest_outcome(parties: int, release: str, lines: str) -> Mapping[str, Any]:
    """What the same auction decides when everybody is honest."""
    scene = Scene(parties=parties, release=release, lines=lines, liar="")
    (result, *_) = ended_all(scene)
    return decision(result)


def prepare(parties: int) -> None:
    """Know the honest outcomes before anything is patched."""
    for release in ("public", "private"):
        honest_outcome(parties, release, SCENE_LINES)


def ended_all(scene: Scene) -> Sequence[Result]:
    """The results of a session that nobody attacks."""
    ends = scene.run().values()
    assert all(isinstance(end, Result) for end in ends), ends
    return [end for end in ends if isinstance(end, Result)]


def decision(result: Result) -> dict[str, Any]:
    """An outcome without what differs from session to session."""
    return {k: v for k, v in result.outcome.items() if k not in ("certificate", "session", "seconds")}


def wrong_output(scene: Scene) -> str:
    """Another outcome than that of the honest session, at an honest node."""
    right = honest_outcome(scene.parties, scene.release, scene.lines)
    for result in ended(scene):
        got = decision(result)
        for what in ("allocation", "price", "supply", "payment"):
            if what in right and _differ(got.get(what), right[what]):
                return f"wrong output: {what} {_short(got.get(what))} instead of {_short(right[what])}"
    return ""


TOLERANCE = 1e-5
"""What truncation adds differs from session to session."""


def _differ(got: Any, right: Any) -> bool:
    if isinstance(right, Mapping):
        return set(got) != set(right) or any(_differ(got[k], v) for k, v in right.items())
    if isinstance(right, list):
        return len(got) != len(right) or any(_differ(a, b) for a, b in zip(got, right, strict=True))
    return abs(got - right) > TOLERANCE if isinstance(right, int | float) else bool(got != right)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(v)}" for name, v in value.items())
    if isinstance(value, list):
        return _short(value[0]) if len(value) == 1 else str([_short(v) for v in value])
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def worthless_certificate(scene: Scene) -> str:
    """A result whose certificate no verifier accepts."""
    for result in ended(scene):
        try:
            verify(result.certificate, scene.roster, dict(scene.terms.tree), allow_insecure_key=True)
        except VerificationFailed as error:
            return f"worthless result: {error}"
    return ""


def honest_blamed(scene: Scene) -> str:
    """An honest party that an honest node names."""
    for name in scene.honest:
        end = scene.endings[name]
        if isinstance(end, ProtocolFault) and end.culprit not in guilty(scene):
            return f"false blame: {name} names {end.culprit}"
    return ""


def disagreement(scene: Scene) -> str:
    """Honest nodes that go on with different messages."""
    return scene.watch.broken[0] if scene.watch.broken else ""


def crashed(scene: Scene) -> str:
    """An honest node that ends with an error of ours."""
    for name in scene.honest:
        end = scene.endings[name]
        if isinstance(end, BaseException) and not isinstance(end, TacitaError):
            return f"crash: {name} ends with {type(end).__name__}"
    return f"crash: {scene.bugs[0]}" if scene.bugs else ""


def first_of(*harms: Harm) -> Harm:
    """The first harm that occurred."""
    return lambda scene: next((h for harm in harms if (h := harm(scene))), "")
