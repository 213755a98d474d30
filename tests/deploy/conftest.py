"""A local cluster on disk whose key of 2048 bits was dealt and vouched for; nothing here starts a process."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.crypto.threshold import DEALERLESS, ThresholdKey, deal
from tacita.deploy.local import prepare_cluster
from tacita.node.config import Folder
from tacita.protocols.keygen.certificate import KeyCertificate, Origin
from tacita.protocols.roster import Roster

NAMES = ("node1", "node2", "node3")


def vouched(
    cluster: Path, key: ThresholdKey, roster: Roster | None = None, parent: bytes = bytes(32)
) -> KeyCertificate:
    """All nodes sign for a dealt key, which no honest node does: so these tests need no ceremony."""
    roster = roster or Folder(cluster / "nodes" / "node1").roster()
    origin = Origin("reshare" if any(parent) else "ceremony", bytes(32), 0, 1, bytes(32), 4096, parent)
    certificate = KeyCertificate(replace(key, provenance=DEALERLESS), origin, roster.digest)
    identities = {name: Folder(cluster / "nodes" / name).identity().signing for name in roster.names}
    return certificate.completed({name: certificate.sign(identity) for name, identity in identities.items()})


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cluster = tmp_path_factory.mktemp("doctor") / "cluster"
    prepare_cluster(cluster, 3, SystemEntropy())
    key, shares = deal(2048, 3, 1, SystemEntropy())
    certificate = vouched(cluster, key)
    for name, share in zip(NAMES, shares, strict=True):
        Folder(cluster / "nodes" / name).save_key(certificate, share, SystemEntropy())
    return cluster


@pytest.fixture
def cluster(founded: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(founded, tmp_path / "cluster"))
