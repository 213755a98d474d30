"""Node folders with a small key; nothing here listens or starts a process."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.crypto.threshold import DEALERLESS, ThresholdKey
from tacita.deploy.cluster import Admission, admit, enrol
from tacita.node.config import Folder, Tls
from tacita.node.identity import issue, make_authority
from tacita.protocols.keygen.certificate import KeyCertificate, Origin
from tacita.protocols.roster import Roster
from tests.cluster_in_memory import insecure_key

NAMES = ("alice", "bob", "carol")


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """alice, bob and carol after `tacita node admit`, with an INSECURE key of 1024 bits that all three vouch for."""
    folder = tmp_path_factory.mktemp("founded")
    nodes = [
        enrol(folder / name, name, f"127.0.0.1:{7000 + i}", SystemEntropy()) for i, name in enumerate(NAMES, start=1)
    ]
    roster, authority, (key, shares) = Roster(tuple(nodes)), make_authority("test"), insecure_key(3)
    for name, share in zip(NAMES, shares, strict=True):
        tls = Tls(authority.certificate, issue(authority, name), issue(authority, f"operator.{name}"))
        admit(folder / name, Admission(roster, tls))
        Folder(folder / name).save_key(vouched(folder, roster, key), share, SystemEntropy())
    return folder


def vouched(folder: Path, roster: Roster, key: ThresholdKey) -> KeyCertificate:
    """A certificate that all nodes signed although the key was dealt: no file can tell, so it needs all of them."""
    origin = Origin("ceremony", bytes(32), 0, 1, bytes(32), 2048)
    certificate = KeyCertificate(replace(key, provenance=DEALERLESS), origin, roster.digest)
    return certificate.completed({n: certificate.sign(Folder(folder / n).identity().signing) for n in NAMES})


@pytest.fixture
def alice(founded: Path, tmp_path: Path) -> Path:
    """A copy of alice's folder that a test may damage."""
    return Path(shutil.copytree(founded / "alice", tmp_path / "alice"))
