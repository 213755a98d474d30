"""`tacita doctor` on broken variants of a cluster: what is wrong is named, with the exit code of its family."""

import asyncio
import datetime
import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.deploy import doctor
from tacita.deploy.manifest import Manifest
from tacita.node import server
from tacita.node.config import Folder
from tacita.node.health import FAILED, OK, WARNING, Check, examine
from tacita.node.identity import issue, make_authority
from tacita.node.probes import Probe, Probes
from tests.deploy.conftest import NAMES, vouched


class NoWorker:
    """Nodes that only answer questions need no engine process."""

    def close(self) -> None: ...


def diagnose(
    monkeypatch: pytest.MonkeyPatch, cluster: Path, node: str, running: tuple[str, ...] = NAMES, **ahead: float
) -> dict[str, Check]:
    """What the doctor says about one node; `ahead` sets clocks of nodes wrong by so many seconds."""
    monkeypatch.setattr(server, "Worker", NoWorker)
    monkeypatch.setattr(doctor, "LINK_SECONDS", 1.0)

    async def go() -> list[Check]:
        nodes = []
        try:
            for name in running:
                offset = ahead.get(name, 0.0)
                nodes.append(server.Node(cluster / "nodes" / name, lambda offset=offset: time.time() + offset))
                await nodes[-1].start()
            return await doctor.examine_node(cluster / "nodes" / node)
        finally:
            for each in nodes:
                await each.stop()

    lines = asyncio.run(go())
    found = {line.name: line for line in lines}
    assert len(found) == len(lines)
    return {**found, "exit": Check("", "", "", "", doctor.exit_code(lines))}


def test_a_healthy_node_passes_every_check(cluster, monkeypatch) -> None:
    found = diagnose(monkeypatch, cluster, "node2")
    assert found.pop("exit").exit_code == 0
    assert {line.state for line in found.values()} == {OK}, found
    links = {f"{what} {peer}" for what in ("link to", "agreement with") for peer in ("node1", "node3")}
    local = {"disk", "permissions", "roster", "certificates", "journal", "key"}
    assert set(found) == {*local, "process", "clock", *links}
    assert "epoch 0" in found["agreement with node1"].says


def test_a_peer_that_is_down_and_a_node_that_is_down(cluster, monkeypatch) -> None:
    found = diagnose(monkeypatch, cluster, "node1", running=("node1", "node2"))
    assert found["link to node3"].state == FAILED and "check that it runs" in found["link to node3"].says
    assert found["link to node2"].state == found["agreement with node2"].state == OK
    assert found["exit"].exit_code == 4
    found = diagnose(monkeypatch, cluster, "node3", running=("node1", "node2"))
    assert found["process"].state == FAILED and "tacita node start" in found["process"].says
    assert found["key"].state == OK and found["exit"].exit_code == 4


@pytest.mark.parametrize(("ahead", "says"), [(90.0, "90 s ahead of"), (-90.0, "90 s behind")])
def test_the_node_whose_clock_is_wrong_is_told_so_and_the_others_are_not(cluster, monkeypatch, ahead, says) -> None:
    found = diagnose(monkeypatch, cluster, "node1", node1=ahead)
    assert found["clock"].state == WARNING and says in found["clock"].says
    assert found["exit"].exit_code == 0, "a warning stops nothing"
    assert diagnose(monkeypatch, cluster, "node2", node1=ahead)["clock"].state == OK
    assert diagnose(monkeypatch, cluster, "node1", node1=ahead / 9)["clock"].state == OK


@pytest.mark.parametrize("file", ["key.json", "key-share.json"])
def test_a_damaged_key_file_is_found(cluster, monkeypatch, file) -> None:
    path = cluster / "nodes" / "node2" / file
    tree = json.loads(path.read_text())
    entry = tree["signatures"] if file == "key.json" else tree
    name = "node1" if file == "key.json" else "s"
    entry[name] = ("0" if entry[name][0] != "0" else "1") + entry[name][1:]
    path.write_text(json.dumps(tree))
    found = diagnose(monkeypatch, cluster, "node2", running=("node1",))
    assert found["key"].state == FAILED and "restore" in found["key"].says
    assert found["exit"].exit_code == 4


def test_a_share_of_another_node_is_found(cluster, monkeypatch) -> None:
    for file in ("key-share.json", "passphrase"):
        shutil.copy(cluster / "nodes" / "node3" / file, cluster / "nodes" / "node2" / file)
    found = diagnose(monkeypatch, cluster, "node2", running=("node1",))
    assert found["key"].state == FAILED and "another place in the roster" in found["key"].says


def test_different_epochs_are_found_at_both_nodes(cluster, monkeypatch) -> None:
    folder = Folder(cluster / "nodes" / "node2")
    later = vouched(cluster, replace(folder.key(), epoch=1))
    folder.save_key(later, folder.share(), SystemEntropy())
    found = diagnose(monkeypatch, cluster, "node1")
    assert found["agreement with node2"].state == FAILED and "epoch 1" in found["agreement with node2"].says
    assert found["agreement with node3"].state == OK
    assert found["exit"].exit_code == 3
    found = diagnose(monkeypatch, cluster, "node2")
    assert {found[f"agreement with {n}"].state for n in ("node1", "node3")} == {FAILED}


@pytest.mark.parametrize(
    ("path", "mode", "says"),
    [("identity.json", 0o644, "chmod 600"), ("passphrase", 0o640, "chmod 600"), ("", 0o755, "chmod 700")],
)
def test_what_others_may_read_is_found(cluster, path, mode, says) -> None:
    (cluster / "nodes" / "node1" / path).chmod(mode)
    found = local_checks(cluster)
    assert found["permissions"].state == FAILED and says in found["permissions"].says


def local_checks(cluster: Path, days: float = 0) -> dict[str, Check]:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return {line.name: line for line in examine(cluster / "nodes" / "node1", "node1", now)}


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [
        (0, OK, "valid for 824 days"),
        (800, WARNING, "expires in 24 days"),
        (826, FAILED, "expired"),
        (-1, FAILED, "set"),
    ],
)
def test_certificates_that_expire_are_announced(cluster, days, state, says) -> None:
    found = local_checks(cluster, days)["certificates"]
    assert found.state == state and says in found.says, found


@pytest.mark.parametrize("wrong", ["name", "authority", "key"])
def test_a_certificate_of_another_name_authority_or_key_is_found(cluster, wrong) -> None:
    folder, authority = Folder(cluster / "nodes" / "node1"), make_authority("other")
    tls, other = folder.tls(), Folder(cluster / "nodes" / "node2").tls()
    own = {
        "name": other.own,
        "authority": issue(authority, "node1"),
        "key": replace(tls.own, key=other.own.key),
    }[wrong]
    folder.save_tls(replace(tls, own=own))
    found = local_checks(cluster)["certificates"]
    assert found.state == FAILED and "found again" in found.says, found


def test_a_damaged_journal_and_a_missing_folder_are_found(cluster) -> None:
    (cluster / "nodes" / "node1" / "journal.sqlite").write_bytes(b"no database" * 100)
    (cluster / "nodes" / "node1" / "journal.sqlite").chmod(0o600)
    assert local_checks(cluster)["journal"].state == FAILED
    shutil.rmtree(cluster / "nodes" / "node1")
    assert local_checks(cluster)["disk"].state == FAILED
    assert not (cluster / "nodes" / "node1").exists()


def test_an_answer_counts_only_from_the_peer_that_was_asked() -> None:
    sent: list[tuple[str, Probe]] = []

    async def go() -> tuple[int, int]:
        probes = Probes(lambda peer, probe: sent.append((peer, probe)), Probe, lambda: 100.0)
        work = asyncio.ensure_future(probes.ask(["bob"], 0.2))
        await asyncio.sleep(0)
        number = sent[0][1].number
        probes.receive("carol", Probe(number=number, answer=True, version="of carol"))
        probes.receive("bob", Probe(number=number + 1, answer=True, version="late"))
        nothing = len(await work)
        work = asyncio.ensure_future(probes.ask(["bob"], 0.2))
        await asyncio.sleep(0)
        last = sent[-1][1].number
        for wrong in ({"clock": math.inf}, {"version": "x" * 65}, {"version": "\x1b[2J"}, {"key": b"short"}):
            probes.receive("bob", Probe(number=last, answer=True, **wrong))
        probes.receive("bob", Probe(number=last, answer=True, clock=160.0))
        answers = await work
        assert answers["bob"].clock_ahead == 60.0
        return nothing, len(answers)

    assert asyncio.run(go()) == (0, 1)


@pytest.mark.cluster
def test_the_command_examines_a_whole_local_cluster(cluster) -> None:
    path = cluster / "nodes" / "node3" / "key.json"
    path.write_text(path.read_text().replace('"epoch": 0', '"epoch": 1', 1))
    command = [sys.executable, "-m", "tacita.cli", "doctor", "--cluster", str(cluster), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4, done.stderr
    lines = {(line["node"], line["name"]): line for line in json.loads(done.stdout)["checks"]}
    failed = {place for place, line in lines.items() if line["state"] == FAILED}
    assert failed == {("node3", "key"), ("node3", "process"), ("node1", "link to node3"), ("node2", "link to node3")}
    assert "is damaged" in lines["node3", "key"]["says"]
    assert lines["node1", "link to node2"]["state"] == OK
    assert Manifest.read(cluster).nodes[2].name == "node3"
