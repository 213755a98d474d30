"""A24, A26, A31, A73, A88: what masked openings show, and numbers that no field holds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacita.crypto.entropy import random_bits
from tacita.deploy.attack.attempts import CHANGED
from tacita.deploy.attack.behaviour import Behaviour, silence
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.engines import RecordingEngine, attempt
from tacita.deploy.attack.instance import OTHER_LINES, a1
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.products import shown_of
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import judge_scene
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.demand import TRUNCATION, DryRun
from tacita.protocols.mpc.engine import Engine, EngineInfo
from tacita.protocols.stages import masks

MANY = 200


async def shorten(engine: Engine) -> None:
    """One truncation of many values."""
    a = await engine.from_cipher("a", MANY, 0, -(1 << 30), 1 << 30)
    await engine.to_cipher("short", await engine.trunc(a, 4))


def eight_bits(honest: Any) -> Any:
    """Old rule: masks of eight bits above nothing."""
    return lambda self, count, bits, shift=0: honest(self, count, 8, shift)


@case("A26", "too little statistical masking", "P",
      Defence("tacita.protocols.mpc.sharing.Sharing.bounded", eight_bits, prevents=True))  # fmt: skip
def short_masks(play: Play) -> Shown:
    """Every node reads its own view: the opened value of a truncation minus the lift."""
    rng = np.random.default_rng(play.seed)
    a = [int(x) for x in rng.integers(-(1 << 30), 1 << 30, MANY)]
    run = attempt(shorten, {"a": a}, play.parties, play.name)
    (opened,) = (values for entry, values in run.engines[-1].values if entry.kind == TRUNCATION)
    ((width),) = (entry.width for entry, _ in run.engines[-1].values if entry.kind == TRUNCATION)
    close = sum(abs(c - (1 << (width - 1)) - x) < 1 << 12 for c, x in zip(opened, a, strict=True))
    return shown_of(run, f"secret read: {close} of {MANY} operands to 18 bits" if close else "")


# ---- masks and keys that come twice -----------------------------------------------------


def tried_again(play: Play, lines: str, journal: bool) -> tuple[Scene, dict[str, list[int]], Any]:
    """Two sessions that fail after outputs were opened behind masks; honest machines repeat their randomness.

    Returns the second scene, what was opened in the first, and its engine at node3, whose own masks are 0.
    """
    active, make, draw = [False], masks.make_masks, random_bits

    def making(setup: Any, session: bytes, node: str, entropy: Any) -> Any:
        active[0] = node == "node3"
        try:
            return make(setup, session, node, entropy)
        finally:
            active[0] = False

    play.patch.setattr(masks, "make_masks", making)
    play.patch.setattr(masks, "random_bits", lambda entropy, bits: 0 if active[0] else draw(entropy, bits))
    behaviour = Behaviour(rewrite=silence("openings"), engine=RecordingEngine)
    first = Scene(play.parties, play.name, behaviour=behaviour)
    first.run()
    engine: Any = first.engines["node3"]
    second = first if journal else Scene(play.parties, play.name, behaviour=behaviour)
    second.terms, second.inputs = a1(second.release, second.name, lines)
    second.run()
    return second, dict(engine.opened), engine


@case("A24", "using masks again after a failure", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"))  # fmt: skip
def masks_again(play: Play) -> Shown:
    """After the failure node3 comes with another bid; the honest machines were restored from a snapshot."""
    scene, before, _ = tried_again(play, CHANGED, journal=True)

    def difference(scene: Scene) -> str:
        later = scene.engines.get("node3")
        if later is None or not later.opened:
            return ""
        moved = {
            label: [x - y for x, y in zip(values, before[label], strict=True)] for label, values in later.opened.items()
        }
        small = {label: row for label, row in moved.items() if all(abs(x) < 1 << 40 for x in row)}
        told = next(iter(small.items()), None)
        return f"secret read: {told[0]} moves by {told[1]} units, and nothing was decrypted" if told else ""

    shown = judge_scene(scene, difference)
    shown.deviated = True
    return shown


def keys_without_session(honest: Any) -> Any:
    """Old rule: keys of the engine do not depend on the session."""
    return lambda me, session, *rest: honest(me, bytes(32), *rest)


@case("A88", "rolled back pools and counters", "P",
      Defence("tacita.protocols.stages.share.derive_keys", keys_without_session, prevents=True))  # fmt: skip
def rolled_back(play: Play) -> Shown:
    """Whole machines are rolled back, journal included: only the session id tells the second session from the first."""
    scene, _, first = tried_again(play, OTHER_LINES, journal=False)

    def difference(scene: Scene) -> str:
        second: Any = scene.engines["node3"]
        masked = [
            (entry.width, abs(x - y))
            for (entry, before), (_, after) in zip(first.values, second.values, strict=False)
            if entry.kind == TRUNCATION
            for x, y in zip(before, after, strict=True)
        ]
        bare = [x for width, x in masked if 0 < x < 1 << (width + 8)]
        return f"secret read: {len(bare)} differences of operands of truncations" if len(bare) > 3 else ""

    harm = difference(scene)
    return Shown("P", harm=harm)


def any_field(honest: Any) -> Any:
    """Old rule: the field is as long as it is supported, whatever the program needs."""
    from tacita.protocols.mpc.demand import field_prime

    return lambda self: field_prime(128)


async def large(engine: Engine) -> None:
    """A product of bounds that no supported field holds."""
    a = await engine.from_cipher("a", 1, 0, -(1 << 100), 1 << 100)
    b = await engine.mul(a, a)
    await engine.to_cipher("y", await engine.mul(b, b))


@case("A31", "overflow of fixed-point numbers", "R CallerMistake",
      Defence("tacita.protocols.mpc.demand.Demand.prime", any_field))  # fmt: skip
def overflow(play: Play) -> Shown:
    """Every input at its bound; the exact result is known from plain integers."""
    return refused_before_anything(play, large, {"a": [-(1 << 100)]}, {"y": [1 << 400]})


def refused_before_anything(play: Play, program: Any, inputs: Any, right: Mapping[str, list[int]]) -> Shown:
    """Terms that cannot be computed are refused in the dry run."""
    import asyncio

    info = EngineInfo("attack", "abort", play.parties, (play.parties - 1) // 2)
    dry = DryRun(info)
    asyncio.run(program(dry))
    try:
        _ = dry.demand().prime
    except CallerMistake:
        return Shown("R CallerMistake")
    run = attempt(program, inputs, play.parties, play.name)
    wrong = run.ends[0] is not None or run.outputs != right
    got = run.outputs["y"][0] if "y" in run.outputs else run.ends[0]
    return shown_of(run, f"wrong output: {str(got)[:60]}" if wrong else "")


def no_statistics(honest: Any) -> Any:
    """Old rule: masks are as long as their operand and no longer."""
    return lambda self: 2


SAMPLES = 2000


@case("A73", "statistical parameter too small for the program", "P",
      Defence("tacita.protocols.mpc.demand.Demand.statistical_bits", no_statistics, prevents=True))  # fmt: skip
def few_bits(play: Play) -> Shown:
    """A zero and a 2^16, 2000 times each, behind the masks that the dry run prescribes."""

    async def program(engine: Engine) -> None:
        a = await engine.from_cipher("a", SAMPLES, 0, 0, 1 << 16)
        await engine.to_cipher("y", await engine.trunc(a, 4))

    largest: list[int] = []
    for value in (0, 1 << 16):
        run = attempt(program, {"a": [value] * SAMPLES}, play.parties, f"{play.name}/{value}")
        (opened,) = (values for entry, values in run.engines[-1].values if entry.kind == TRUNCATION)
        (width,) = (entry.width for entry, _ in run.engines[-1].values if entry.kind == TRUNCATION)
        largest.append(sum(opened) // SAMPLES - (1 << (width - 1)))
    # Two means of 2000 masks below B differ by about B/60; the operands differ by 2^16.
    difference = largest[1] - largest[0]
    told = f"secret read: the means of {SAMPLES} masked openings differ by {difference} for operands {1 << 16} apart"
    return shown_of(run, told if abs(difference - (1 << 16)) < 1 << 14 else "")
