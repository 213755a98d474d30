"""The wheel holds the whole package and imports from elsewhere; a clone without links fails loudly."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tacita

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("crypto", "protocols", "node", "deploy", "proto")


def sources() -> list[Path]:
    folders = [ROOT / floor for floor in FLOORS] + [ROOT / "src" / "tacita"]
    return [p for folder in folders for p in folder.rglob("*.py") if not p.name.endswith(("_pb2.py", "_pb2_grpc.py"))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module_and_the_examples(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (p for floor in FLOORS for p in (ROOT / floor).rglob("*.py")):
        assert f"tacita/{path.relative_to(ROOT)}" in names
    assert "tacita/examples/coin-issue/inputs.csv" in names
    assert "tacita/py.typed" in names


def test_the_wheel_imports_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import tacita.protocols.session as s; print(s.__file__)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert wheel.name in result.stdout


def test_a_clone_without_links_is_refused_by_make(tmp_path: Path) -> None:
    (tmp_path / "src" / "tacita").mkdir(parents=True)
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "requirements" / "lock.txt").write_text("")
    for floor in FLOORS:
        (tmp_path / "src" / "tacita" / floor).write_text(f"../../{floor}")  # what git writes without symbolic links
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").write_text("")
    result = subprocess.run(["make", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "symbolic links" in result.stderr


def test_the_public_interface_is_what_init_exports() -> None:
    assert sorted(tacita.__all__) == sorted(
        name for name in vars(tacita) if not name.startswith("_") and name in tacita.__all__
    )
    for name in tacita.__all__:
        assert getattr(tacita, name).__doc__


def test_no_dangerous_call_stands_in_product_code() -> None:
    banned = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "random"}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & banned, path
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in banned, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), path


def test_nothing_that_runs_a_node_or_a_session_can_deal_a_key() -> None:
    """The dealer is for tests, and for benchmark and simulator, which run in one process that knows everything."""
    exempt = [ROOT / "crypto", ROOT / "deploy" / "bench", ROOT / "deploy" / "simulate"]
    for path in sources():
        if any(path.is_relative_to(folder) for folder in exempt):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "tacita.crypto.threshold":
                assert not {alias.name for alias in node.names} & {"deal", "DEALER_INSECURE", "*"}, path
            if isinstance(node, ast.Attribute):
                assert node.attr != "DEALER_INSECURE" and ast.unparse(node) != "threshold.deal", path


def test_files_stay_readable() -> None:
    for path in sources():
        lines = len(path.read_text().splitlines())
        assert lines <= 500, f"{path.relative_to(ROOT)} has {lines} lines"


def test_nodes_load_no_plain_solver() -> None:
    """Three processes per node hold what a node imports: scipy and matplotlib would be 20 MiB each of them."""
    code = "import sys, tacita.node.worker, tacita.node.server; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "matplotlib", "pandas", "hypothesis"} & set(loaded)
