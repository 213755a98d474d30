"""Handing a key on, without network: what is refused, and interruptions while files are put in place."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tacita.crypto.entropy import SystemEntropy
from tacita.crypto.threshold import KeyShare
from tacita.deploy import handover, reshare
from tacita.deploy.cluster import enrol
from tacita.deploy.handover import NEXT, Invitation
from tacita.deploy.manifest import Manifest
from tacita.node import files
from tacita.node.config import Folder, Loaded
from tacita.node.journal import Journal
from tacita.node.keyfile import passphrase
from tacita.node.keys import keep_reshared
from tacita.node.sealed import SealedJournal
from tacita.protocols.faults import CallerMistake, LocalFault, VerificationFailed
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.renewal import pending_place
from tacita.protocols.terms import canonical_json
from tests.deploy.conftest import vouched


class PowerCut(Exception):
    pass


def data(cluster: Path, name: str) -> Path:
    return cluster / "nodes" / name


@pytest.fixture
def invited(cluster: Path) -> dict[str, Invitation]:
    """node3 leaves, node4 joins; every node has prepared its folder."""
    joining = enrol(data(cluster, "node4"), "node4", "127.0.0.1:9", SystemEntropy())
    old, parent = Folder(data(cluster, "node1")).roster(), Folder(data(cluster, "node1")).certificate()
    invitations = handover.plan(old, parent, [joining], ["node3"])
    for name, invitation in invitations.items():
        handover.prepare(data(cluster, name), invitation, SystemEntropy())
    return invitations


def next_key(cluster: Path, invitation: Invitation) -> KeyCertificate:
    """What the new roster would sign; the numbers of node1 and node2 stay, so their shares fit."""
    key = replace(invitation.parent.key, epoch=1)
    return vouched(cluster, key, invitation.receivers, invitation.parent.identifier)


def share_of(cluster: Path, name: str) -> KeyShare:
    return Folder(data(cluster, name)).share()


@pytest.mark.parametrize(
    ("add", "remove", "says"),
    [(0, [], "stay as it is"), (0, ["node9"], "no node node9"), (0, ["node1"], "3 to 7"), (5, [], "3 to 7")],
)
def test_impossible_changes_are_refused_before_anything_is_written(cluster, add, remove, says) -> None:
    with pytest.raises(CallerMistake, match=says):
        reshare.reshare(Manifest.read(cluster), add, remove, SystemEntropy(), lambda *_: None)
    assert not (cluster / "reshare.json").exists() and not list(cluster.glob("nodes/*/next"))
    assert not data(cluster, "node4").exists()


def test_an_invitation_survives_its_file_and_a_changed_one_is_refused(cluster, invited) -> None:
    one = invited["node1"]
    assert Invitation.read(json.loads(json.dumps(one.tree()))).tree() == one.tree()
    swapped = replace(one, receivers=replace(one.receivers, nodes=one.receivers.nodes[::-1]))
    moved = replace(one.receivers, nodes=(replace(one.receivers.nodes[0], address="x:1"),))
    for wrong, fault in (
        (replace(one, old=one.receivers), (CallerMistake, VerificationFailed)),
        (replace(one, receivers=moved), CallerMistake),
        (replace(one, parent=replace(one.parent, roster=bytes(32))), VerificationFailed),
    ):
        with pytest.raises(fault):
            wrong.check()
    # Another order of the receivers is another handover, and node1 has begun this one.
    with pytest.raises(CallerMistake, match="unfinished"):
        handover.prepare(data(cluster, "node1"), swapped, SystemEntropy())


def test_invitations_of_other_nodes_epochs_and_clusters_are_refused(cluster, invited) -> None:
    node2 = data(cluster, "node2")
    for path in sorted((node2 / NEXT).iterdir()):
        path.unlink()
    with pytest.raises(CallerMistake, match="not for node2"):
        handover.prepare(node2, invited["node1"], SystemEntropy())
    later = vouched(cluster, replace(invited["node2"].parent.key, epoch=1))
    Folder(node2).save_key(later, share_of(cluster, "node2"), SystemEntropy())
    with pytest.raises(CallerMistake, match="another key or epoch"):
        handover.prepare(node2, invited["node2"], SystemEntropy())
    (data(cluster, "node4") / "key.json").write_bytes((node2 / "key.json").read_bytes())
    (data(cluster, "node4") / NEXT / "order.json").unlink()
    with pytest.raises(CallerMistake, match="another cluster"):
        handover.prepare(data(cluster, "node4"), invited["node4"], SystemEntropy())


def finish(cluster: Path, name: str, invitation: Invitation) -> KeyCertificate:
    certificate = next_key(cluster, invitation)
    keep_reshared(data(cluster, name) / NEXT, certificate, share_of(cluster, name))
    return certificate


@pytest.mark.parametrize("writes", range(5))
def test_files_that_are_put_in_place_survive_a_power_cut(cluster, invited, writes, monkeypatch) -> None:
    certificate, left = finish(cluster, "node2", invited["node2"]), [writes]
    original = files.write

    def cut(*arguments) -> None:
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", cut)
        if writes < 4:
            with pytest.raises(PowerCut):
                handover.promote(data(cluster, "node2"))
    assert asyncio.run(handover.take_part(data(cluster, "node2"), lambda *_: None)).identifier == certificate.identifier
    loaded = Loaded.read(data(cluster, "node2"))
    assert loaded.key_id == certificate.identifier and loaded.roster.names == ("node1", "node2", "node4")
    assert not (data(cluster, "node2") / NEXT).exists()
    with pytest.raises(CallerMistake, match="already"):
        handover.prepare(data(cluster, "node2"), invited["node2"], SystemEntropy())


def test_who_leaves_loses_its_share(cluster, invited) -> None:
    keep_reshared(data(cluster, "node3") / NEXT, next_key(cluster, invited["node3"]), None)
    handover.promote(data(cluster, "node3"))
    left = {path.name for path in data(cluster, "node3").iterdir()}
    assert not left & {"key-share.json", "key.json", "roster.json", NEXT, "next.done"}


def test_a_node_cut_off_at_the_last_step_finishes_with_anothers_certificate(cluster, invited) -> None:
    """Its share is in its journal since before it signed; the signatures of the others are in their key.json."""
    invitation, folder = invited["node2"], data(cluster, "node2") / NEXT
    certificate, share, entropy = next_key(cluster, invitation), share_of(cluster, "node2"), SystemEntropy()
    work = handover.take_part(data(cluster, "node2"), lambda *_: None, certificate)
    with pytest.raises(LocalFault, match="holds no share"):
        asyncio.run(work)
    journal = Journal(folder / "journal.sqlite")
    pending = {
        "certificate": certificate.completed({}).tree(),
        "index": share.index,
        "secret": format(share.secret, "x"),
    }
    SealedJournal.open(journal, passphrase(folder), entropy).remember(
        "key/pending", pending_place(invitation.parent, invitation.receivers), canonical_json(pending)
    )
    journal.close()
    other = vouched(cluster, certificate.key, invitation.receivers, bytes(31) + b"1")
    for wrong, fault in ((other, CallerMistake), (replace(certificate, signatures={}), VerificationFailed)):
        with pytest.raises(fault):
            asyncio.run(handover.take_part(data(cluster, "node2"), lambda *_: None, wrong))
        assert Folder(data(cluster, "node2")).certificate().identifier == invitation.parent.identifier
    asyncio.run(handover.take_part(data(cluster, "node2"), lambda *_: None, certificate))
    assert Loaded.read(data(cluster, "node2")).share == share


@pytest.mark.parametrize("writes", range(3))
def test_a_key_is_saved_whole_or_not_at_all(cluster, writes, monkeypatch) -> None:
    """A refresh whose node dies between its two files: after the restart both are old, or both are new."""
    folder = Folder(data(cluster, "node1"))
    old, later = folder.certificate(), vouched(cluster, replace(folder.key(), epoch=1))
    share, left, original = folder.share(), [writes], files.write

    def cut(*arguments) -> None:
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", cut)
        # What dies after the second write dies before the rename that ends it.
        patch.setattr(Folder, "settle", lambda _: cut())
        with pytest.raises(PowerCut):
            folder.save_key(later, share, SystemEntropy())
    loaded = Loaded.read(folder.path)
    assert loaded.key_id == (later if writes == 2 else old).identifier
    assert not (folder.path / "key.next.json").exists()
