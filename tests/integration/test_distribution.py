"""A session is computed by separate processes, each with its own port, data folder, key share and engine process."""

import json
import os
import stat
from pathlib import Path

import pytest

from tacita.crypto.threshold import check_share
from tacita.node.config import Folder
from tacita.protocols.mpc.demand import MASKED_KINDS, SIGN_CHECK
from tests.integration import samples
from tests.integration.running import Running, background, children, command_line, finished, outcome, read_until

pytestmark = pytest.mark.cluster


def listening_ports(process: int) -> set[int]:
    """TCP ports on which exactly this process listens."""
    inodes = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and cells[9] in inodes:
                ports.add(int(cells[1].rpartition(":")[2], 16))
    return ports


def test_every_node_is_a_process_of_its_own_that_listens_on_its_own_port(running: Running) -> None:
    processes = {name: int(running.status(name)["process"]) for name in running.names}
    assert len(set(processes.values())) == 3 and os.getpid() not in processes.values()
    for node in running.manifest.nodes:
        assert processes[node.name] == running.processes[node.name].pid
        assert listening_ports(processes[node.name]) == {node.port}
        assert str(node.folder) in command_line(processes[node.name])


def test_every_node_holds_one_key_share_of_its_own_that_only_it_can_read(running: Running) -> None:
    shares = {name: Folder(running.data(name)).share() for name in running.names}
    assert [shares[name].index for name in running.names] == [1, 2, 3]
    assert len({share.secret for share in shares.values()}) == 3
    for name, share in shares.items():
        check_share(Folder(running.data(name)).key(), share)
        for file in ("key-share.json", "passphrase", "identity.json", "tls.json", "journal.sqlite"):
            assert stat.S_IMODE((running.data(name) / file).stat().st_mode) == 0o600
        others = "".join(_texts(running.data(other)) for other in running.names if other != name)
        assert format(abs(share.secret), "x") not in others


def _texts(folder: Path) -> str:
    return "".join(p.read_bytes().decode("latin-1") for p in folder.rglob("*") if p.is_file())


def test_every_node_computes_in_an_engine_process_of_its_own(running: Running, tmp_path: Path) -> None:
    arguments = samples.A1.write(tmp_path)
    with background("run", "auction", *arguments, "--cluster", running.folder, "--out", tmp_path / "out") as (
        run,
        mark,
    ):
        seen = read_until(run, "node3: solve")
        engines = {name: children(running.processes[name].pid) for name in running.names}
        steerer = [command_line(child) for child in children(run.pid)]
        ran = finished(run, mark, seen)
    assert ran.code == 0, ran.err
    everything = [pid for pids in engines.values() for pid in pids]
    assert all(engines.values()) and len(set(everything)) == len(everything)
    assert steerer == [], "the process that steers computes nothing and starts nothing"


def test_outcome_and_certificate_are_equal_at_all_nodes(running: Running, a1: Path) -> None:
    folders = [running.result(name, "reference-a1") for name in running.names]
    certificates = {(folder / "certificate.json").read_bytes() for folder in [*folders, a1]}
    assert len(certificates) == 1
    outcomes = [json.loads((folder / "outcome.json").read_text()) for folder in folders]
    steered = outcome(a1)
    steered.pop("seconds")
    assert outcomes == [steered] * 3


def test_the_openings_of_every_node_are_the_list_that_the_dry_run_allows(running: Running, a1: Path) -> None:
    demand = running.announced("reference-a1")
    for name in running.names:
        ledger = running.openings(name, "reference-a1")
        assert ledger == list(demand.openings)
        # What no mask hides is 0 in every session that goes on. Three nodes open no random squares.
        zero = {entry.kind for entry in ledger} - set(MASKED_KINDS)
        assert zero == {SIGN_CHECK}


def test_all_nodes_keep_the_same_ledger_in_table_sessions_too(running: Running, tmp_path: Path) -> None:
    sample = samples.named(samples.TINY, "ledger-table")
    assert running.run(sample.write(tmp_path), tmp_path / "out").code == 0
    ledgers = [running.openings(name, "ledger-table") for name in running.names]
    assert ledgers[0] == ledgers[1] == ledgers[2]
    assert ledgers[0] == list(running.announced("ledger-table").openings)
