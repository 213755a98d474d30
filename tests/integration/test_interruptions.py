"""Ports that are taken, nodes that are killed, commands that are stopped: one sentence, no leftovers, and the cluster
works again."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tacita.deploy.manifest import Manifest
from tests.integration import canary, samples
from tests.integration.running import (
    Running,
    alive,
    background,
    children,
    command_line,
    finished,
    leftovers,
    marked,
    outcome,
    read_until,
    succeeded,
    tacita,
    tree_of,
    wait_for,
)

pytestmark = pytest.mark.cluster


@contextmanager
def solving(
    cluster: Path, folder: Path, iterations: int = 400, attempts: int = 1
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`tacita run` in the middle of its computation: the process, its mark, and what it said so far."""
    chosen = canary.sample(folder.name[-40:].replace("_", "-").strip("-"), "public", iterations)
    terms = chosen.terms.replace("[session]", f"[session]\nmax_attempts = {attempts}")
    arguments = replace(chosen, terms=terms).write(folder)
    command = ("run", "auction", *arguments, "--cluster", cluster, "--out", folder / "out")
    with background(*command) as (process, mark):
        said = read_until(process, "node3: solve")
        yield process, mark, said


def node(mark: str, name: str) -> int:
    """The process of a node that this run started."""
    (found,) = [pid for pid in marked(mark) if f"nodes/{name} " in command_line(pid)]
    return found


def engines(mark: str) -> list[int]:
    return [pid for pid in marked(mark) if "tacita.node.worker" in command_line(pid)]


def works(cluster: Path, folder: Path) -> None:
    """A session after the accident."""
    succeeded(tacita("run", "auction", *samples.TINY.write(folder), "--cluster", cluster, "--out", folder / "again"))
    assert outcome(folder / "again")["allocation"]["alice"] == [2]


def test_a_port_that_is_taken_is_named(idle: Path, tmp_path: Path) -> None:
    port = Manifest.read(idle).nodes[1].port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        arguments = samples.TINY.write(tmp_path)
        ran = tacita("run", "auction", *arguments, "--cluster", idle, "--out", tmp_path / "out")
    sentence = ran.refused(4)
    assert "node2 did not start" in sentence and f"127.0.0.1:{port}: the port is in use" in sentence
    assert tree_of(tmp_path / "out") == []


def test_a_node_started_twice_is_refused_and_the_first_one_stays(running: Running) -> None:
    before = running.ask("node1").process
    sentence = tacita("node", "start", "--data", running.data("node1")).refused(4)
    assert "the port is in use" in sentence
    assert running.ask("node1").process == before


def test_a_node_that_is_killed_in_the_middle_is_named(idle: Path, tmp_path: Path) -> None:
    with solving(idle, tmp_path) as (process, mark, said):
        os.kill(node(mark, "node2"), signal.SIGKILL)
        ran = finished(process, mark, said)
    assert "node2" in ran.refused(4)
    assert tree_of(tmp_path / "out") == []
    works(idle, tmp_path)


def test_an_engine_that_is_killed_in_the_middle_is_a_fault_of_the_machine(idle: Path, tmp_path: Path) -> None:
    with solving(idle, tmp_path) as (process, mark, said):
        os.kill(engines(mark)[0], signal.SIGKILL)
        ran = finished(process, mark, said)
    assert "engine process ended before its result" in ran.refused(4)
    assert tree_of(tmp_path / "out") == []


def test_an_engine_that_is_killed_costs_one_attempt_if_the_terms_allow_another(idle: Path, tmp_path: Path) -> None:
    with solving(idle, tmp_path, iterations=60, attempts=2) as (process, mark, said):
        os.kill(engines(mark)[0], signal.SIGKILL)
        ran = finished(process, mark, said)
    assert ran.code == 0, ran.err
    assert ran.err.count("attempt 2 of 2 begins") == 3
    assert json.loads((tmp_path / "out" / "certificate.json").read_text())["attempt"] == 2
    arguments = (tmp_path / "out" / "certificate.json", "--roster", tmp_path / "out" / "roster.json")
    assert "attempt 2 of at most 2" in succeeded(tacita("verify", *arguments)).out
    logs = [(idle / "nodes" / name / "node.log").read_text() for name in ("node1", "node2", "node3")]
    assert sum("engine process ended before its result" in log for log in logs) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_command_that_is_stopped_takes_its_nodes_with_it(
    idle: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with solving(idle, tmp_path) as (process, mark, said):
        assert len(engines(mark)) >= 3
        process.send_signal(number)
        ran = finished(process, mark, said)
    assert ran.code == code and "Traceback" not in ran.err
    assert number != signal.SIGINT or "stopped" in ran.sentence
    assert leftovers(mark) == [] and tree_of(tmp_path / "out") == []


def test_a_node_that_comes_back_after_a_kill_takes_part_again(idle: Path, tmp_path: Path) -> None:
    """Nodes of real operators: two stay up, one is killed with its engine, and starts again from its folder."""
    cluster = Running(idle)
    try:
        cluster.start()
        with solving(idle, tmp_path) as (process, mark, said):
            victim = cluster.processes.pop("node3")
            orphans = children(victim.pid)
            victim.kill()
            victim.wait()
            assert victim.stdin is not None
            victim.stdin.close()
            ran = finished(process, mark, said)
        assert "node3" in ran.refused(4) and tree_of(tmp_path / "out") == []
        for name in ("node1", "node2"):
            assert cluster.ask(name).process == cluster.processes[name].pid
            assert not cluster.connected(name, "node3")
        assert orphans
        wait_for(lambda: not any(alive(pid) for pid in orphans))
        cluster.start(["node3"])
        succeeded(cluster.run(samples.TINY.write(tmp_path), tmp_path / "again"))
        assert outcome(tmp_path / "again")["allocation"]["alice"] == [2]
    finally:
        cluster.stop()


def test_a_node_that_stops_at_the_end_of_its_input_leaves_nothing(idle: Path, tmp_path: Path) -> None:
    with background("node", "start", "--data", idle / "nodes" / "node1") as (process, mark):
        assert process.stdout is not None and "node1 is ready" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        ran = finished(process, mark)
    assert ran.code == 0 and ran.err == "" and leftovers(mark) == []


def test_a_journal_that_was_damaged_keeps_the_node_from_starting(idle: Path, tmp_path: Path) -> None:
    journal = idle / "nodes" / "node1" / "journal.sqlite"
    kept = {path: path.read_bytes() for path in journal.parent.glob("journal.sqlite*")}
    try:
        journal.write_bytes(b"\xa5" * 8192)
        sentence = tacita("node", "start", "--data", journal.parent).refused(4)
        assert "journal" in sentence and "restore" in sentence
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
