"""The secure program: reference numbers, random instances, what is opened, and that the public bounds hold."""

import asyncio
import os
import re
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacita.deploy.attack.engines import secure
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.policies.stabilisation.plain import gap
from tests.policies.stabilisation import references as ref
from tests.policies.stabilisation.instances import random_files
from tests.policies.stabilisation.sessions import blocks, instance, on_cluster, plain, run_clear

PAGE = Path(__file__).resolve().parents[3] / "docs" / "stabilisation.md"


def check(files: ref.Files, outcome: dict[str, Any], tolerance: float = 1e-6) -> None:
    """Against the oracle, and against the printed reference."""
    assert max(gap(plain(files), outcome).values()) < tolerance
    mean, control, psi = {
        ref.P6A: (ref.P6A_MEAN, ref.P6A_CONTROL, None),
        ref.P6B: (ref.P6B_MEAN, None, ref.P6B_PSI),
        ref.P6C: (ref.P6C_MEAN, ref.P6C_CONTROL, ref.P6C_PSI),
    }[files]
    assert outcome["mean"] == pytest.approx(mean, abs=tolerance)
    if control:
        assert outcome["growth"] == pytest.approx(control, abs=tolerance)
    if psi:
        assert outcome["variance"] == pytest.approx(float(np.var(psi, ddof=1)), abs=tolerance)


@pytest.mark.parametrize("noise", [None, 1, 2])
@pytest.mark.parametrize("files", [ref.P6A, ref.P6B, ref.P6C], ids=["P6a", "P6b", "P6c"])
def test_reference_on_the_clear_engine(files: ref.Files, noise: int | None) -> None:
    check(files, run_clear(files, noise))


def on_engines(files: ref.Files, security: str) -> tuple[dict[str, Any], Any]:
    """The program on three engines in one process, without proofs and certificate."""
    made, inputs = instance(files)

    async def program(engine: Engine) -> None:
        await made.program(made.participants)(engine, lambda step, steps: None)

    run = secure(program, blocks(made, inputs), 3, "stabilisation", security=security)
    return made.outcome(run.outputs), run


@pytest.mark.parametrize("files", [ref.P6A, ref.P6B], ids=["P6a", "P6b"])
def test_reference_on_the_secure_engine(files: ref.Files) -> None:
    outcome, run = on_engines(files, "passive")
    check(files, outcome)
    assert {entry.kind for entry, _ in run.engines[0].values} == {entry.kind for entry in run.demand.openings}


def test_the_page_lists_every_kind_of_opening() -> None:
    documented = set(re.findall(r"^\| ([a-z ]+) \| hides", PAGE.read_text(), re.MULTILINE))
    made, _ = instance(ref.P6C)
    demands = [made.demand(m, (m - 1) // 2, security) for m in range(3, 8) for security in ("passive", "abort")]
    assert {entry.kind for demand in demands for entry in demand.openings} == documented


def test_a_whole_session_with_proofs_and_certificate() -> None:
    check(ref.P6C, on_cluster(ref.P6C))


def test_only_the_shared_control_and_what_the_terms_list_is_released() -> None:
    for listed in ([], ["mean"], ["variance"], ["mean", "variance"]):
        files = ref.P6C.changed("stabilisation", public_outputs=listed)
        made, _ = instance(files)
        outputs = {b.label: b.size for b in made.demand(3, 1, "abort").outputs}
        assert outputs == {"control": 2, **dict.fromkeys(listed, 1)}
        assert all(set(made.recipients(label)) == {"*"} for label in outputs)
        assert {"mean", "variance"} & set(run_clear(files)) == set(listed)


def test_random_sessions_against_the_oracle() -> None:
    """ClearEngine refuses any value outside its public interval, so this also tests the bound on the state."""
    seed = int(os.environ.get("TACITA_TEST_SEED") or secrets.randbits(32))
    print(f"TACITA_TEST_SEED={seed}")
    rng = np.random.default_rng(seed)
    gaps = []
    for _ in range(10):
        files = random_files(rng, well_scaled=True)
        outcome, best = run_clear(files, int(rng.integers(1 << 30))), plain(files)
        limit = files.tree["supply"]["growth"][1]
        gaps.append(gap(best, outcome)["growth"] / limit)
        made, _ = instance(files)
        assert made.demand(3, 1, "abort").prime.bit_length() < 250
    # A random instance may converge slowly: with seed 3279571055 one of ten is 6e-3 of the limit away.
    assert np.median(gaps) < 1e-6 and sorted(gaps)[-2] < 1e-3 and max(gaps) < 0.05, gaps


def test_the_state_stays_within_its_radius_for_inputs_at_the_ends_of_the_bounds() -> None:
    bounds = ref.P6C.tree["bounds"]
    header, *_ = ref.P6C.lines.splitlines()
    rows, at = [header], 0
    for a in bounds["persistence"]:
        for b in bounds["effect"]:
            for w in bounds["shock"]:
                rows.append(f"p{at},1,{a},{b},{','.join([str(w)] * 5)}")
                at += 1
    extreme = ref.Files(ref.P6C.changed("price", deviation=5).tree, "\n".join(rows))
    made, inputs = instance(extreme)
    largest = 0

    class Watching(type(_engine(made, inputs))):  # type: ignore[misc]
        def within(self, a: Any, lo: int, hi: int) -> Any:
            nonlocal largest
            if hi == made.problem.radius:
                largest = max(largest, *(abs(int(x)) for x in a.payload))
            return super().within(a, lo, hi)

    engine = Watching(blocks(made, inputs), seed=5)
    asyncio.run(_run(made, engine))
    assert 0 < largest <= made.problem.radius


def _engine(made: Any, inputs: Any) -> Any:
    from tacita.protocols.mpc.clear import ClearEngine

    return ClearEngine(blocks(made, inputs))


async def _run(made: Any, engine: Any) -> None:
    await made.program(made.participants)(engine, lambda step, steps: None)
