"""Nodes of different operators, each with a folder of its own: they make the key, and hand it to a changed roster."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.crypto.threshold import DEALERLESS
from tacita.deploy.cluster import admit, enrol, found
from tacita.deploy.local import free_ports
from tacita.node import files
from tests.keygen import opened, real

pytestmark = pytest.mark.cluster
FOUNDERS, LATER = ("alice", "bob", "carol"), ("alice", "bob", "dave")


@dataclass
class Operators:
    """Folders as on different machines; what every node's processes open is on record."""

    folder: Path
    nodes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def data(self, name: str) -> Path:
        return self.folder / "nodes" / name

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.opened"

    def env(self, name: str) -> dict[str, str]:
        return opened.audited(self.folder / "hook", self.log(name))

    def run(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        """A command of the node's operator."""
        return real.start("node", *arguments, "--data", self.data(name), "--format", "json", env=self.env(name))

    def start(self, *names: str) -> None:
        for name in names:
            self.nodes[name] = real.start("node", "start", "--data", self.data(name), env=self.env(name))
        for name in names:
            out = self.nodes[name].stdout
            assert out is not None and "is ready" in out.readline(), self.nodes[name].communicate()

    def stop(self) -> None:
        for node in self.nodes.values():
            node.send_signal(signal.SIGTERM)
        for node in self.nodes.values():
            real.finish(node, 20)
        self.nodes.clear()

    def foreign(self) -> dict[str, set[str]]:
        """For every node: what its processes opened in other nodes' folders."""
        found = {}
        for name in (log.stem for log in self.folder.glob("*.opened")):
            others = [other for other in (*FOUNDERS, "dave") if other != name]
            found[name] = {f"{o}/{path}" for o in others for path in opened.under(self.log(name), self.data(o))}
        return found


@pytest.fixture(scope="module")
def operators(tmp_path_factory):
    """alice, bob and carol run and have made a key."""
    mine = Operators(tmp_path_factory.mktemp("operators"))
    enrolled = {
        name: enrol(mine.data(name), name, f"127.0.0.1:{port}", SystemEntropy())
        for name, port in zip((*FOUNDERS, "dave"), free_ports(4), strict=True)
    }
    for name, admission in found([enrolled[name] for name in FOUNDERS]).items():
        admit(mine.data(name), admission)
    files.write_json(mine.folder / "roster.json", real.Folder(mine.data("alice")).roster().tree())
    try:
        mine.start(*FOUNDERS)
        work = [mine.run("alice", "key", "propose")]
        while (met := real.finish(mine.run("alice", "key", "status")))[1] == "":
            assert met[0] == 2 and "holds no key" in met[2]
        assert met[0] == 2 and json.loads(met[1])["making"]["stage"] == "meet"
        assert json.loads(met[1])["making"]["kind"] == "ceremony"
        work += [mine.run(name, "key", "join") for name in FOUNDERS[1:]]
        outcomes = [real.finish(process) for process in work]
        assert all(code == 0 for code, _, _ in outcomes), outcomes
        assert len({said for _, said, _ in outcomes}) == 1
        assert json.loads(outcomes[0][1])["provenance"] == DEALERLESS
        yield mine
    finally:
        mine.stop()


def test_the_running_nodes_use_their_key_at_once_and_the_doctor_agrees(operators) -> None:
    code, said, _ = real.finish(operators.run("carol", "status"))
    assert code == 0 and json.loads(said)["provenance"] == DEALERLESS
    code, said, _ = real.finish(operators.run("bob", "key", "status"))
    assert code == 0 and json.loads(said)["epoch"] == 0
    checks = real.done("doctor", "--data", operators.data("alice"))["checks"]
    assert {line["state"] for line in checks} == {"ok"}, checks


def test_no_process_opens_a_file_of_another_node(operators) -> None:
    """Every open of every Python process of a node is seen: its own secrets are, another node's files never."""
    for name in FOUNDERS:
        mine = opened.under(operators.log(name), operators.data(name))
        assert {"identity.json", "tls.json", "journal.sqlite", "passphrase"} <= mine, mine
        assert any(path.startswith(".key-share.json") for path in mine), mine
    assert operators.foreign() == {name: set() for name in FOUNDERS}


def test_a_process_that_opens_a_file_of_another_node_is_noticed(operators) -> None:
    log, roster, journal = (operators.data("bob") / n for n in ("node.log", "roster.json", "journal.sqlite"))
    for reader in (
        f"open({str(roster)!r})",
        f"import os; os.close(os.open({str(log)!r}, os.O_RDONLY))",
        f"import sqlite3; sqlite3.connect({str(journal)!r})",
        f"import os; os.chdir({str(operators.data('alice'))!r}); open('../bob/roster.json')",
    ):
        env = {**os.environ, **opened.audited(operators.folder / "hook", operators.folder / "mallory.log")}
        subprocess.run([sys.executable, "-c", reader], env=env, check=True, timeout=60)
        assert opened.under(operators.folder / "mallory.log", operators.data("bob")), reader
        (operators.folder / "mallory.log").unlink()


def test_the_key_is_handed_to_a_changed_roster_between_machines(operators) -> None:
    """carol leaves, dave joins; bob's machine is cut off in the middle, and old files are refused afterwards."""
    plan, old = operators.folder / "plan", {n: (operators.data("alice") / n).read_bytes() for n in KEY_FILES}
    modulus = real.Folder(operators.data("alice")).key().modulus
    command = ("--roster", operators.folder / "roster.json", "--key", operators.data("bob") / "key.json")
    change = ("--add", operators.data("dave") / "enrolment.json", "--remove", "carol")
    facts = real.done("node", "key", "plan", *command, *change, "--out", plan)
    assert facts["nodes"] == list(LATER) and set(facts["handovers"]) == {*FOUNDERS, "dave"}

    def hand_on(name: str, *more: object) -> subprocess.Popen[str]:
        return operators.run(name, "key", "join", "--handover", plan / f"{name}.handover.json", *more)

    code, _, err = real.finish(hand_on("alice"))
    assert code == 2 and "stop it" in err, err
    code, _, err = real.finish(operators.run("bob", "key", "join", "--handover", plan / "alice.handover.json"))
    assert code == 2 and "not for bob" in err, err
    operators.stop()
    everybody = (*FOUNDERS, "dave")
    work = {name: hand_on(name) for name in everybody}
    journal = operators.data("bob") / "next" / "journal.sqlite"
    if real.wait_for_fact(journal, "key/pending", work["bob"]):
        os.kill(real.node_process(operators.folder, "bob/next"), signal.SIGKILL)
    codes = {name: real.finish(process)[0] for name, process in work.items()}
    assert set(codes.values()) <= {0, 3, 4}, codes
    finished = [name for name in ("alice", "dave") if codes[name] == 0]
    again = [name for name in everybody if codes[name]]
    if finished:  # bob was cut off when the others had all signatures
        shown = operators.data(finished[0]) / "key.json"
        outcomes = [real.finish(hand_on(name, "--certificate", shown)) for name in again]
    else:
        assert real.Folder(operators.data("alice")).certificate().origin.kind == "ceremony", "the old key stays in use"
        outcomes = [real.finish(process) for process in [hand_on(name) for name in again]]
    assert all(code == 0 for code, _, _ in outcomes), outcomes

    folders = [real.Folder(operators.data(name)) for name in LATER]
    assert len({folder.certificate().identifier for folder in folders}) == 1
    assert (folders[0].key().modulus, folders[0].key().epoch) == (modulus, 1)
    assert not any((operators.data("carol") / name).exists() for name in (*KEY_FILES, "roster.json"))
    assert not list(operators.folder.glob("nodes/*/next*"))
    (operators.folder / "roster.json").write_bytes((plan / "roster.json").read_bytes())
    real.check(operators.folder, 3, 2048)
    code, _, err = real.finish(hand_on("alice"))
    assert code == 2 and "already" in err, err
    operators.start(*LATER)
    checks = real.done("doctor", "--data", operators.data("dave"))["checks"]
    assert {line["state"] for line in checks} == {"ok"}, checks
    assert operators.foreign() == {name: set() for name in everybody}
    operators.stop()

    new = {n: (operators.data("alice") / n).read_bytes() for n in KEY_FILES}
    for restored in (KEY_FILES, KEY_FILES[:1], KEY_FILES[1:]):
        for name in KEY_FILES:
            (operators.data("alice") / name).write_bytes((old if name in restored else new)[name])
        code, _, err = real.finish(real.start("node", "start", "--data", operators.data("alice")), 30)
        assert code == 4 and "restore" in err, (restored, code, err)


KEY_FILES = ("key.json", "key-share.json")
