"""Ceremonies of real processes over the ordinary node channel: `tacita keygen`, kill -9, refresh, two clusters."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tacita.crypto.threshold import DEALERLESS
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


def epochs(cluster) -> set[int]:
    certificates = [folder.certificate() for folder in real.folders_of(cluster)]
    assert len({certificate.identifier for certificate in certificates}) == 1
    return {certificate.key.epoch for certificate in certificates}


def gone(process: int) -> None:
    """Wait until a process has ended; its parent may have left it to init."""
    while (status := Path(f"/proc/{process}/stat")).exists() and status.read_text().rpartition(")")[2].split()[
        0
    ] != "Z":
        time.sleep(0.02)


@pytest.mark.parametrize("fact", ["key/pending", pytest.param("key/certificate", marks=pytest.mark.slow)])
def test_a_refresh_killed_in_the_middle_ends_with_one_key_everywhere(cluster, fact) -> None:
    (before,), folders = epochs(cluster), real.folders_of(cluster)
    name = folders[1].identity().name
    first = real.start("key", "refresh", "--cluster", cluster, "--format", "json")
    victim = real.node_process(cluster, name)
    if real.wait_for_fact(folders[1].path / "journal.sqlite", fact, first):
        os.kill(victim, signal.SIGKILL)
    code, _, err = real.finish(first)
    print(f"{name} was killed at {fact}; the command ended with {code}")
    assert code in (0, 3, 4) and "Traceback" not in err, (code, err)
    real.done("key", "refresh", "--cluster", cluster)
    (after,) = epochs(cluster)
    assert before < after <= before + 2
    real.check(cluster, 3, 2048)


def test_a_resharing_whose_node_and_whose_command_were_killed_goes_on(cluster) -> None:
    (before,), names = epochs(cluster), [folder.identity().name for folder in real.folders_of(cluster)]
    modulus = real.folders_of(cluster)[0].key().modulus
    command = ("key", "reshare", "--cluster", cluster, "--add", 1, "--remove", names[0])
    journal = cluster / "nodes" / names[1] / "next" / "journal.sqlite"
    # The node dies; then, in the second attempt, the command.
    first = real.start(*command)
    while not journal.exists() and first.poll() is None:
        time.sleep(0.01)
    if real.wait_for_fact(journal, "key/pending", first):
        os.kill(real.node_process(cluster, f"{names[1]}/next"), signal.SIGKILL)
    code, _, err = real.finish(first)
    print(f"{names[1]} was killed; the command ended with {code}")
    assert code in (0, 3, 4) and "Traceback" not in err, (code, err)
    if code:
        assert epochs(cluster) == {before}, "the old key stays in use"
        second = real.start(*command)
        nodes = [real.node_process(cluster, f"{name}/next") for name in names]
        second.kill()
        second.communicate()
        for node in nodes:
            gone(node)
        assert epochs(cluster) == {before}
        real.done(*command)
    assert epochs(cluster) == {before + 1}
    assert [folder.identity().name for folder in real.folders_of(cluster)] == [*names[1:], "node4"]
    assert real.folders_of(cluster)[0].key().modulus == modulus
    assert not {path.name for path in (cluster / "nodes" / names[0]).iterdir()} & {"key-share.json", "key.json"}
    assert not list((cluster / "nodes").glob("*/next*")) and not (cluster / "reshare.json").exists()
    real.check(cluster, 3, 2048)


@pytest.mark.slow
def test_the_doctor_finds_nothing_at_a_healthy_cluster(cluster) -> None:
    checks = real.done("doctor", "--cluster", cluster)["checks"]
    assert {line["state"] for line in checks} == {"ok"}, checks


def test_what_cannot_be_handed_on_is_refused_before_anything_happens(cluster) -> None:
    for arguments in (("--remove", "nobody"), ("--remove", "node3"), ("--add", 5), ()):
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
