"""Ceremonies of real processes over the ordinary node channel: `tacita keygen`, kill -9, refresh, two clusters."""

import json
import os
import signal
import time

import pytest

from tacita.crypto.threshold import DEALERLESS
from tacita.deploy.local import free_ports
from tests.keygen import real

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ceremony") / "cluster"
    facts = real.keygen(folder)
    assert (facts["bits"], facts["nodes"], facts["quorum"], facts["provenance"]) == (2048, 3, 2, DEALERLESS)
    return folder


def test_a_ceremony_of_2048_bits_in_real_processes_makes_a_good_key(cluster) -> None:
    real.check(cluster, 3, 2048)


def test_a_cluster_that_has_a_key_makes_no_second_one(cluster) -> None:
    code, _, err = real.finish(real.start("keygen", "--nodes", 3, "--out", cluster))
    assert code == 2 and "has a key already" in err


def test_a_refresh_changes_every_share_and_no_key(cluster) -> None:
    folders = real.folders_of(cluster)
    before = [(folder.key(), folder.share()) for folder in folders]
    code, said, err = real.finish(real.start("key", "refresh", "--cluster", cluster, "--format", "json"))
    assert code == 0, err
    assert json.loads(said)["epoch"] == 1
    for folder, (key, share) in zip(folders, before, strict=True):
        assert folder.key().modulus == key.modulus and folder.key().epoch == 1
        assert folder.share().secret != share.secret
    real.check(cluster, 3, 2048)


def test_the_key_is_handed_to_another_roster_and_stays_the_same(cluster) -> None:
    before = real.folders_of(cluster)[0].key()
    command = ("key", "reshare", "--cluster", cluster, "--add", 1, "--remove", "node2", "--format", "json")
    code, said, err = real.finish(real.start(*command))
    assert code == 0, err
    assert json.loads(said)["origin"] == "reshare"
    folders = real.folders_of(cluster)
    assert [folder.identity().name for folder in folders] == ["node1", "node3", "node4"]
    assert folders[0].key().modulus == before.modulus and folders[0].key().epoch == before.epoch + 1
    gone = cluster / "nodes" / "node2"
    assert not (gone / "key-share.json").exists() and not list((cluster / "nodes").glob("*/next"))
    real.check(cluster, 3, 2048)


def test_what_cannot_be_handed_on_is_refused_before_anything_happens(cluster) -> None:
    for arguments in (("--remove", "nobody"), ("--remove", "node1"), ("--add", 5), ()):
        code, _, err = real.finish(real.start("key", "reshare", "--cluster", cluster, *arguments))
        assert code == 2 and "Traceback" not in err, (arguments, err)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3])
def test_a_killed_node_is_started_again_and_the_same_ceremony_goes_on(seconds, tmp_path) -> None:
    interrupted(tmp_path / "cluster", seconds)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
def test_a_node_killed_at_any_time_does_no_harm(seconds, tmp_path) -> None:
    interrupted(tmp_path / "cluster", seconds)


def interrupted(cluster, seconds: float) -> None:
    first = real.start("keygen", "--nodes", 3, "--out", cluster, "--format", "json")
    victim = real.node_process(cluster, "node2")
    journal = cluster / "nodes" / "node2" / "journal.sqlite"
    while not journal.exists():
        time.sleep(0.02)
    time.sleep(seconds)
    os.kill(victim, signal.SIGKILL)
    code, _, err = real.finish(first)
    if code == 0:  # too late: the key was there already
        real.check(cluster, 3, 2048)
        return
    assert code in (3, 4) and "Traceback" not in err, (code, err)
    facts = real.keygen(cluster)
    assert facts["provenance"] == DEALERLESS
    real.check(cluster, 3, 2048)


def test_nodes_of_three_operators_make_their_key(tmp_path) -> None:
    """`tacita node init`, `found`, `admit`, `start` at three places; then one proposes and two join."""
    names, ports = ("alice", "bob", "carol"), free_ports(3)
    for name, port in zip(names, ports, strict=True):
        done("node", "init", "--data", tmp_path / name, "--name", name, "--address", f"127.0.0.1:{port}")
    enrolments = [tmp_path / name / "enrolment.json" for name in names]
    done("node", "found", *enrolments, "--out", tmp_path / "founding", "--without-key")
    for name in names:
        done("node", "admit", "--data", tmp_path / name, tmp_path / "founding" / f"{name}.admission.json")
    nodes = [real.start("node", "start", "--data", tmp_path / name) for name in names]
    try:
        work = [real.start("node", "key", "propose", "--data", tmp_path / "alice", "--format", "json")]
        for _ in range(100):
            if (tmp_path / "alice" / "passphrase").exists():
                break
            if work[0].poll() is not None:  # its node was not up yet
                work[0] = real.start("node", "key", "propose", "--data", tmp_path / "alice", "--format", "json")
            time.sleep(0.1)
        code, _, err = real.finish(real.start("node", "key", "status", "--data", tmp_path / "bob"))
        assert code == 2 and "holds no key" in err
        for name in ("bob", "carol"):
            while "does not answer" in (
                said := real.finish(real.start("node", "status", "--data", tmp_path / name))[2]
            ):
                time.sleep(0.2)
            assert not said
            work.append(real.start("node", "key", "join", "--data", tmp_path / name, "--format", "json"))
        outcomes = [real.finish(process) for process in work]
        assert all(code == 0 for code, _, _ in outcomes), outcomes
        assert len({said for _, said, _ in outcomes}) == 1
        facts = json.loads(outcomes[0][1])
        assert facts["provenance"] == DEALERLESS
        # The running node uses the key at once.
        code, said, _ = real.finish(real.start("node", "status", "--data", tmp_path / "carol", "--format", "json"))
        assert code == 0 and json.loads(said)["provenance"] == DEALERLESS
        code, said, _ = real.finish(real.start("node", "key", "status", "--data", tmp_path / "bob", "--format", "json"))
        assert code == 0 and json.loads(said)["key_id"] == facts["key_id"]
    finally:
        for node in nodes:
            node.send_signal(signal.SIGTERM)
        for node in nodes:
            real.finish(node, 20)


def done(*arguments: object) -> None:
    code, _, err = real.finish(real.start(*arguments))
    assert code == 0, err


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "bits"), [(3, 3072), (4, 2048), (5, 2048), (7, 2048)])
def test_other_sizes(nodes, bits, tmp_path) -> None:
    real.keygen(tmp_path / "cluster", nodes, bits)
    real.check(tmp_path / "cluster", nodes, bits)


@pytest.mark.slow
@pytest.mark.parametrize("run", range(20))
def test_twenty_ceremonies_of_2048_bits(run, tmp_path) -> None:
    real.keygen(tmp_path / "cluster")
    real.check(tmp_path / "cluster", 3, 2048)
