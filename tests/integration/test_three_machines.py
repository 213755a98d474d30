"""Three operators with a folder, a node and a terminal each, and nothing in common but files they send one another."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tacita.deploy.local import free_ports
from tacita.node.config import Folder
from tests.integration.injection import inject
from tests.integration.running import TACITA, Ran, environment, finished, succeeded, tacita, tree_of

pytestmark = pytest.mark.cluster

NAMES = ("alice", "bob", "carol")
TERMS = """
policy = "auction"
[session]
name = "{session}"
[auction]
bids = "steps"
cost = {{ linear = [1.0], quadratic = 0.5 }}
release = "private"
[bounds]
value = [0.0, 20.0]
quantity = [0.0, 10.0]
steps = 1
[solver]
method = "table"
"""
BIDS = {"alice": "acme,1,9,2", "bob": "borealis,1,7,3", "carol": ""}
"""carol's node computes along and speaks for nobody."""
BIDDERS = {"alice": "acme", "bob": "borealis"}


class Machines:
    """What each operator has: a folder, and commands typed in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running: dict[str, subprocess.Popen[str]] = {}

    def at(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def start(self, name: str) -> None:
        """`tacita node start` as an operator types it, until it says that it is ready."""
        patch = inject(self.at(name) / "patch", "tacita.node.server", "module.CONNECT_SECONDS = 6.0")
        process = subprocess.Popen(
            [*TACITA, "node", "start", "--data", str(self.at(name) / "data")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(patch)[0],
        )
        assert process.stdout is not None and process.stdout.readline() == f"{name} is ready\n"
        self.running[name] = process

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()

    def make_key(self) -> None:
        """alice proposes a ceremony, bob and carol join it: `tacita node key propose` and `join`."""
        begun = []
        for name in NAMES:
            settings, mark = environment()
            process = subprocess.Popen(
                [*TACITA, "node", "key", "propose" if name == "alice" else "join", "--data", "data"],
                cwd=self.at(name),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=settings,
            )
            begun.append((process, mark))
        said = {succeeded(finished(process, mark)).out for process, mark in begun}
        assert len(said) == 1 and "provenance  dealerless" in said.pop()

    def join(self, session: str, names: tuple[str, ...] = NAMES, out: str = "result") -> dict[str, Ran]:
        """`tacita node join` at these machines at the same time."""
        begun = {}
        for name in names:
            folder = self.at(name)
            (folder / "terms.toml").write_text(TERMS.format(session=session))
            (folder / "bids.csv").write_text(f"bidder,slot,price,quantity\n{BIDS[name]}\n")
            settings, mark = environment()
            command = ["node", "join", "--data", "data", "--terms", "terms.toml", "--inputs", "bids.csv"]
            process = subprocess.Popen(
                [sys.executable, "-m", "tacita.cli", *command, "--out", f"{out}-{session}"],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=settings,
            )
            begun[name] = (process, mark)
        return {name: finished(process, mark) for name, (process, mark) in begun.items()}


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Enrolled, founded and admitted one by one; carol and bob start before alice, who dials them."""
    here = Machines(tmp_path_factory.mktemp("machines"))
    for name, port in zip(NAMES, free_ports(3), strict=True):
        data, address = here.at(name) / "data", f"127.0.0.1:{port}"
        succeeded(tacita("node", "init", "--data", data, "--name", name, "--address", address))
    enrolments = [here.at(name) / "data" / "enrolment.json" for name in NAMES]
    succeeded(tacita("node", "found", *enrolments, "--out", here.root / "founding"))
    for name in NAMES:
        admission = here.root / "founding" / f"{name}.admission.json"
        assert stat.S_IMODE(admission.stat().st_mode) == 0o600
        succeeded(tacita("node", "admit", "--data", here.at(name) / "data", admission))
        admission.unlink()
    try:
        for name in reversed(NAMES):
            here.start(name)
        here.make_key()
        yield here
    finally:
        for name in list(here.running):
            here.stop(name)


def test_each_party_gets_the_public_result_and_only_its_own_private_one(machines: Machines) -> None:
    ended = machines.join("first")
    folders = {name: machines.at(name) / "result-first" for name in NAMES}
    for ran in ended.values():
        succeeded(ran)
    public = ["certificate.json", "outcome.json", "roster.json"]
    for name, folder in folders.items():
        own = [f"private/{BIDDERS[name]}.json"] if name in BIDDERS else []
        assert tree_of(folder) == sorted([*public, *own])
        assert [stat.S_IMODE((folder / file).stat().st_mode) for file in own] == [0o600] * len(own)
    for file in public:
        assert len({(folder / file).read_bytes() for folder in folders.values()}) == 1
    assert json.loads((folders["alice"] / "private" / "acme.json").read_text())["allocation"] == [2]
    roster = machines.root / "founding" / "roster.json"
    verified = tacita("verify", folders["carol"] / "certificate.json", "--roster", roster)
    assert "all 3 nodes signed" in succeeded(verified).out


def test_no_machine_has_another_s_bid_or_key(machines: Machines) -> None:
    for name in NAMES:
        data = machines.at(name) / "data"
        assert (data / "participants").exists() == bool(BIDS[name])
        inputs = (data / "inbox" / "first" / "inputs.csv").read_text()
        assert [bidder for bidder in BIDDERS.values() if bidder in inputs] == ([BIDDERS[name]] if BIDS[name] else [])
        identity, sealed = (json.loads((data / file).read_text()) for file in ("identity.json", "key-share.json"))
        own = [value for value in identity.values() if len(value) > 60]
        own += [sealed["s"], format(abs(Folder(data).share().secret), "x"), (data / "passphrase").read_text().strip()]
        for other in set(NAMES) - {name}:
            text = "".join(p.read_text(errors="replace") for p in machines.at(other).rglob("*") if p.is_file())
            assert all(secret not in text for secret in own)


def test_a_finished_session_is_not_run_again(machines: Machines) -> None:
    before = (machines.at("alice") / "data" / "sessions" / "first" / "certificate.json").read_bytes()
    sentences = set()
    for name, ran in machines.join("first", out="again").items():
        assert ran.code in (2, 4), ran.err
        assert tree_of(machines.at(name) / "again-first") == []
        sentences.add(ran.sentence)
    # Whoever comes second may only hear that the first one has ended the session.
    decided = "this auction has already been decided; give the new one another [session] name"
    assert decided in sentences and all("ended the session" in other for other in sentences - {decided})
    assert (machines.at("alice") / "data" / "sessions" / "first" / "certificate.json").read_bytes() == before


def test_a_party_that_does_not_come_is_named(machines: Machines) -> None:
    machines.stop("carol")
    try:
        ended = machines.join("second", ("alice", "bob"))
        for name, ran in ended.items():
            assert "carol did not answer" in ran.refused(4)
            assert tree_of(machines.at(name) / "result-second") == []
        alone = machines.join("third", ("carol",))["carol"]
        assert "carol does not answer at" in alone.refused(4) and "tacita node start" in alone.err
    finally:
        machines.start("carol")
    for ran in machines.join("fourth").values():
        succeeded(ran)


def test_an_operator_who_forgets_the_session_s_name_is_told(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "terms.toml").write_text(TERMS.format(session=""))
    (tmp_path / "bids.csv").write_text("bidder,slot,price,quantity\n")
    arguments = ["--data", machines.at("alice") / "data", "--terms", tmp_path / "terms.toml"]
    ran = tacita("node", "join", *arguments, "--inputs", tmp_path / "bids.csv", "--out", tmp_path / "out")
    assert "need a [session] name that all nodes use" in ran.refused(2)


def test_ports_and_folders_are_released_at_the_end(machines: Machines) -> None:
    """The last one: it stops all nodes."""
    roster = json.loads((machines.root / "founding" / "roster.json").read_text())["nodes"]
    for name in NAMES:
        machines.stop(name)
    for node in roster:
        host, _, port = node["address"].rpartition(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0
    assert not [p for name in NAMES for p in os.listdir(machines.at(name) / "data") if p.startswith(".")]
