"""The local driver, the container driver and the image run one and the same thing from one manifest."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.deploy.cluster import enrol
from tacita.deploy.compose import compose, render
from tacita.deploy.local import LocalCluster
from tacita.deploy.manifest import CONTAINER_DATA, Manifest
from tacita.node import files
from tacita.protocols.faults import CallerMistake
from tacita.protocols.roster import Roster

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def founded(folder: Path, addresses: dict[str, str]) -> Manifest:
    """A cluster folder as far as drivers look at it: roster and data folders."""
    nodes = [enrol(folder / "nodes" / name, name, at, SystemEntropy()) for name, at in addresses.items()]
    files.write_json(folder / "roster.json", Roster(tuple(nodes)).tree())
    return Manifest.read(folder)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return founded(tmp_path, {f"node{i}": f"node{i}:745{i}" for i in (1, 2, 3)})


def started(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The command lines with which the local driver would start its processes."""
    commands: list[list[str]] = []

    class Popen:
        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    cluster = LocalCluster(manifest)
    for node in manifest.nodes:
        cluster._start(node.name, node.arguments(str(node.folder)), node.folder)
    return dict(zip((node.name for node in manifest.nodes), commands, strict=True))


def test_both_drivers_run_the_same_command_on_the_same_port_and_folder(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes, services = started(manifest, monkeypatch), compose(manifest)["services"]
    assert list(services) == list(processes) == ["node1", "node2", "node3"]
    ports = dict(re.findall(r'"address": "(node\d):(\d+)"', (manifest.folder / "roster.json").read_text()))
    for name, service in services.items():
        # The local driver adds one flag: its nodes end when it does.
        assert processes[name][:3] == [sys.executable, "-m", "tacita.cli"]
        assert processes[name][-1] == "--stop-with-stdin"
        mounted, inside = service["volumes"][0].split(":")
        assert (manifest.folder / mounted).samefile(manifest.folder / "nodes" / name)
        assert [a.replace(inside, str(manifest.folder / "nodes" / name)) for a in service["command"]] == processes[
            name
        ][3:-1]
        assert service["command"] == ["node", "start", "--data", CONTAINER_DATA] and inside == CONTAINER_DATA
        assert service["ports"] == [f"{ports[name]}:{ports[name]}"]


def test_containers_reach_one_another_under_the_names_in_the_roster(manifest: Manifest) -> None:
    services = compose(manifest)["services"]
    hosts = {name: services[name]["networks"]["default"]["aliases"] for name in services}
    assert hosts == {node.name: [node.host] for node in manifest.nodes}
    assert all(services[name]["hostname"] == hosts[name][0] for name in services)


def test_containers_run_as_the_owner_of_the_keys_and_with_no_more_rights(manifest: Manifest) -> None:
    for node in manifest.nodes:
        service = compose(manifest)["services"][node.name]
        owner = (node.folder / "identity.json").stat()
        assert service["user"] == f"{owner.st_uid}:{owner.st_gid}"
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "privileged" not in service
        assert service["volumes"] == [f"./nodes/{node.name}:{CONTAINER_DATA}"], "nobody else's folder"


def test_the_compose_file_is_json_with_every_node(manifest: Manifest) -> None:
    assert json.loads(render(manifest)) == compose(manifest)


@pytest.mark.parametrize(
    "addresses",
    [
        {"a": "127.0.0.1:7401", "b": "b:7402", "c": "c:7403"},
        {"a": "[::1]:7401", "b": "b:7402", "c": "c:7403"},
        {"a": "localhost:7401", "b": "b:7402", "c": "c:7403"},
        {"a": "host:7401", "b": "host:7402", "c": "c:7403"},
    ],
    ids=["number", "IPv6", "localhost", "shared"],
)
def test_addresses_that_lead_to_no_container_are_refused(tmp_path: Path, addresses: dict[str, str]) -> None:
    with pytest.raises(CallerMistake, match="enrol the nodes with addresses like a:7401"):
        compose(founded(tmp_path, addresses))


def test_a_missing_data_folder_is_refused(manifest: Manifest) -> None:
    shutil.rmtree(manifest.folder / "nodes" / "node2")
    with pytest.raises(CallerMistake, match="data folder of node2"):
        compose(manifest)


# ---- the image ----------------------------------------------------------------------------------------------------


def copied() -> list[str]:
    """Everything that the image takes from the checkout."""
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_image_has_the_python_and_the_command_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    least = project["requires-python"].removeprefix(">=")
    assert [int(x) for x in version.split(".")] >= [int(x) for x in least.split(".")]
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(entry)[0] in project["scripts"]
    assert re.search(r"^USER (?!root)\w+$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_installed_from_the_lock_file_with_hashes_alone() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes -r requirements/lock.txt" in installs[0]
    assert "--no-deps" in installs[1] and "--no-build-isolation" in installs[1], "nothing else is downloaded"
    assert "sha256:" in (ROOT / "requirements" / "lock.txt").read_text()


def test_no_key_of_a_cluster_in_the_checkout_gets_into_the_image() -> None:
    """The folder `containers` of docs/containers.md lies in the checkout: it must not be copied."""
    assert set(copied()).isdisjoint({".", "./", "*", "containers"})
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line[0] == "!"} == set(copied())


def test_what_the_image_copies_is_enough_to_install_the_project(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in copied():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True)
        else:
            shutil.copy(ROOT / name, source / name)
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import tacita.node.server as s; print(s.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wheel.name in done.stdout, done.stderr
