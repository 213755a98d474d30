"""Every command block of README and docs/ runs as printed, file by file, in a folder with nothing but a cluster."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
# These set up an environment or run this test suite itself: the first two are run by .ci/run, the last by hand.
ELSEWHERE = (
    "make demo",
    "make test",
    "make bench",
    "make bench-keygen",
    "make test-slow",
    "make two-worlds",
    "make fuzz",
    "make fuzz-long",
    "make attacks",
    "make ceremonies",
    "make adversary-keygen",
)
BY_OTHER_TESTS = ("tacita bench --quick",)  # tests/bench
TYPED_BY_OTHERS = ("docs/three-machines.md", "docs/keys.md", "docs/attacks.md")
"""Run by `make test-slow`: tests/integration/test_three_machines.py, tests/keygen/ and tests/adversary/test_harness.py
do the same one by one."""


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> str:
    """All blocks as one script; `make` lines that run elsewhere are left out, the rest is untouched."""
    kept = []
    for block in blocks(page):
        lines = [line for line in block.splitlines() if not line.startswith(ELSEWHERE + BY_OTHER_TESTS)]
        kept.append("\n".join(line for line in lines if line != ". .venv/bin/activate"))
    return "\n".join(kept)


def page_of(page: Path) -> Any:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=[pytest.mark.slow] if name in TYPED_BY_OTHERS else [])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default cluster folder of all pages: the first page that needs it founds it."""
    return tmp_path_factory.mktemp("cluster")


@pytest.mark.cluster
@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [page_of(p) for p in PAGES if blocks(p)])
def test_every_command_block_runs_as_printed(page: Path, cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".tacita").symlink_to(cluster)
    script = "set -euo pipefail\n" + commands(page)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = tmp_path / "output.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = process.wait(timeout=380)
    finally:
        # A page may leave nodes in the background: they are in this process group, which this test made.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    assert code == 0, log.read_text()


def test_make_lines_that_run_elsewhere_exist_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in ELSEWHERE:
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE), command


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", ["stabilisation", "interest-rate", "prediction", "monetary-policy"])
def test_every_policy_has_an_example_a_picture_a_notebook_and_a_page_on_what_is_revealed(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    demo = name.replace("-", "_")
    assert (ROOT / "examples" / name).is_dir() and f"examples/{name}" in page
    assert (ROOT / "notebooks" / f"{demo}.ipynb").exists() and f"../notebooks/{demo}.ipynb" in page
    pictures = re.findall(r"^!\[[^\]]+\]\((images/[\w-]+\.png)\)$", page, re.MULTILINE)
    assert pictures and all((ROOT / "docs" / p).read_bytes().startswith(b"\x89PNG") for p in pictures)
    assert re.search(rf"`?tacita demo {demo} --out", page)
    assert re.search(r"private", page) and re.search(r"revealed|Who learns what|public afterwards", page)
    assert f"]({'docs/' + name}.md)" in (ROOT / "README.md").read_text()


def test_every_test_named_in_the_readme_exists() -> None:
    for name in re.findall(r"`(tests/[\w/.]+)`", (ROOT / "README.md").read_text()):
        assert (ROOT / name).exists(), name
