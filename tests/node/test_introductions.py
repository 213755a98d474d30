"""A39, A43: whom an introduction lets in, whom it convicts, and what becomes of the evidence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tacita.crypto.signature import SigningKey
from tacita.deploy.attack.scene import cluster
from tacita.node.server import Node
from tacita.protocols.faults import PeerRefused, ProtocolFault
from tacita.protocols.introduction import DOMAIN, Introduction, introduced
from tacita.protocols.judge import judge

ROSTER, KEYS = cluster(3).roster, cluster(3).identities


def introduction(certified: str, claimed: str, signer: str = "") -> bytes:
    return Introduction(certified, claimed).sign(KEYS.get(signer or certified, SigningKey(bytes(32))))


def lie() -> ProtocolFault:
    with pytest.raises(ProtocolFault) as caught:
        introduced(introduction("node1", "node3"), "node1", ROSTER)
    return caught.value


def longer(signed: bytes) -> bytes:
    body = signed[64:] + b"\0"
    return KEYS["node1"].sign(DOMAIN, body) + body


def test_a_node_that_says_its_own_name_is_let_in_and_no_evidence_against_it() -> None:
    assert introduced(introduction("node1", "node1"), "node1", ROSTER) == "node1"


def test_another_name_convicts_who_signed_it() -> None:
    fault = lie()
    assert fault.culprit == "node1" and fault.evidence is not None and "'node3'" in fault.reason
    for claimed in ("mallory", "", "é\n"):
        with pytest.raises(ProtocolFault) as caught:
            introduced(introduction("node1", claimed), "node1", ROSTER)
        assert caught.value.culprit == "node1" and caught.value.reason.isprintable()


REFUSED = {
    "signed by another node": (introduction("node1", "node3", "node3"), "node1"),
    "signed by nobody": (introduction("node1", "node1", "mallory"), "node1"),
    "of another node": (introduction("node3", "node3"), "node1"),
    "another node's lie": (introduction("node3", "node1"), "node1"),
    "not in the roster": (introduction("mallory", "mallory"), "mallory"),
    "not in the roster, under the name of a node": (introduction("mallory", "node1"), "mallory"),
    "a byte more": (longer(introduction("node1", "node3")), "node1"),
    "a certificate without a name": (introduction("node1", "node1"), ""),
    "nothing": (b"", "node1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_node_has_not_signed_of_itself_is_refused_and_convicts_nobody(what: str) -> None:
    signed, certified = REFUSED[what]
    with pytest.raises(PeerRefused):
        introduced(signed, certified, ROSTER)


def node(folder: Path) -> Any:
    here: Any = object.__new__(Node)
    here.loaded = SimpleNamespace(folder=SimpleNamespace(path=folder), roster=ROSTER)
    return here


def test_a_lie_is_kept_once_per_node(tmp_path: Path) -> None:
    assert node(tmp_path).keep_introduction(lie()) == "refused/node1.json"
    kept = tmp_path / "refused" / "node1.json"
    assert judge(kept.read_bytes(), ROSTER).culprit == "node1"
    kept.write_bytes(b"first")
    assert node(tmp_path).keep_introduction(lie()) == "refused/node1.json" and kept.read_bytes() == b"first"
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["node1.json"]


def test_a_folder_that_cannot_be_written_is_a_sentence_for_the_log_not_an_error_for_the_peer(tmp_path: Path) -> None:
    """gRPC tells the caller the text of an exception: here it would be a path of this machine."""
    (tmp_path / "refused").write_bytes(b"")
    assert "cannot be written" in node(tmp_path).keep_introduction(lie())
