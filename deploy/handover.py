"""Handing a key to a changed roster, at one node: some nodes leave, others join, the key stays the same.

Old and new nodes meet in folders `<data>/next`: each is a node folder of its own with the node's identity, a roster of
old and new nodes together and fresh certificates. When all new nodes have signed, `next` takes the place of the old
files; a node that leaves loses its share. Whatever is interrupted goes on when the same command is given again.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacita.crypto.entropy import Entropy
from tacita.deploy.cluster import Admission, admit, found
from tacita.deploy.local import Report, with_keys
from tacita.deploy.manifest import Manifest, NodeSpec
from tacita.node import files, keyfile
from tacita.node.client import Operator
from tacita.node.config import Folder
from tacita.node.keys import NEW_KEY, NEW_SHARE, complete_reshare
from tacita.proto import tacita_pb2
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.roster import Node, Roster, check_size
from tacita.protocols.terms import canonical_json

NEXT, DONE = "next", "next.done"


@dataclass(frozen=True)
class Invitation:
    """What one node needs to take part; it holds TLS keys, so it is for that node's operator only."""

    admission: Admission
    """Its roster holds old and new nodes."""
    old: Roster
    receivers: Roster
    parent: KeyCertificate

    def tree(self) -> dict[str, Any]:
        """As in <name>.handover.json."""
        return {
            "admission": self.admission.tree(),
            "old": self.old.tree(),
            "receivers": self.receivers.tree(),
            "parent": self.parent.tree(),
        }

    @staticmethod
    def read(tree: Any) -> "Invitation":
        """The inverse; raises CallerMistake or VerificationFailed."""
        if not isinstance(tree, dict) or set(tree) != {"admission", "old", "receivers", "parent"}:
            raise CallerMistake("this is no handover file; take the one that was made for this node")
        old, receivers = Roster.read(tree["old"]), Roster.read(tree["receivers"])
        return Invitation(Admission.read(tree["admission"]), old, receivers, KeyCertificate.read(tree["parent"]))

    def check(self) -> None:
        """The rosters fit together and the key is the old roster's; raises CallerMistake or VerificationFailed."""
        new = tuple(node for node in self.receivers.nodes if node not in self.old.nodes)
        if self.admission.roster.nodes != (*self.old.nodes, *new):
            raise CallerMistake("the rosters in this handover file do not fit together; let the founder plan again")
        self.parent.verify(self.old)


def plan(old: Roster, parent: KeyCertificate, add: Sequence[Node], remove: Sequence[str]) -> dict[str, Invitation]:
    """Invitations for all old and new nodes; raises CallerMistake or VerificationFailed."""
    stay = [node for node in old.nodes if node.name in stay_of(old.names, len(add), remove)]
    receivers = Roster.read({"nodes": [node.tree() for node in (*stay, *add)]})
    invitations = {
        name: Invitation(admission, old, receivers, parent) for name, admission in found([*old.nodes, *add]).items()
    }
    next(iter(invitations.values())).check()
    return invitations


def stay_of(names: Sequence[str], joining: int, remove: Sequence[str]) -> list[str]:
    """The names of the nodes that stay; raises CallerMistake if the change is impossible."""
    for name in remove:
        if name not in names:
            raise CallerMistake(f"the cluster has no node {name}; choose from {', '.join(names)}")
    if not joining and not remove:
        raise CallerMistake("the roster would stay as it is; name who joins or leaves, or refresh the key instead")
    stay = [name for name in names if name not in remove]
    check_size(len(stay) + joining)
    check_size(len(names) + joining)
    return stay


# ---- at one node --------------------------------------------------------------------------------------------------


def prepare(data: Path, invitation: Invitation, entropy: Entropy) -> None:
    """The folder in which this node meets the others; raises CallerMistake if it was invited to something else."""
    invitation.check()
    folder, node, name = data / NEXT, Folder(data), Folder(data).identity().name
    order = canonical_json({k: v for k, v in invitation.tree().items() if k != "admission"})
    if (folder / "order.json").exists():
        if files.read(folder / "order.json", "unfinished handover", files.SECRET_BYTES) == order:
            return
        raise CallerMistake(f"{folder} holds another unfinished handover; finish that, or delete it if no node did")
    if name in invitation.old.names:
        held = node.certificate() if node.has_key() else None
        if held is not None and held.origin.parent == invitation.parent.identifier:
            raise CallerMistake(f"{name} has taken part in this handover already; nothing is left to do here")
        if held is None or held.identifier != invitation.parent.identifier:
            raise CallerMistake(f"this handover is of another key or epoch than {name} holds; plan it again")
    elif node.has_key():
        raise CallerMistake(f"{data} holds the key of another cluster; choose an empty folder for the joining node")
    shutil.rmtree(folder, ignore_errors=True)
    files.private_folder(folder)
    keyfile.passphrase(data, entropy)
    for own in ("identity.json", keyfile.FILE_NAME):
        if (data / own).exists():
            files.write(folder / own, files.read_private(data / own, own, files.SECRET_BYTES), files.PRIVATE)
    admit(folder, invitation.admission)
    files.write_json(folder / "old-roster.json", invitation.old.tree())
    files.write_json(folder / "receivers.json", invitation.receivers.tree())
    files.write_json(folder / "parent.json", invitation.parent.tree())
    if name in invitation.old.names:
        share = files.read_private(data / "key-share.json", "key share", files.SECRET_BYTES)
        files.write(folder / "old-share.json", share, files.PRIVATE)
    # Last, so that half a folder is made again.
    files.write(folder / "order.json", order)


async def take_part(data: Path, report: Report, certificate: KeyCertificate | None = None) -> KeyCertificate:
    """One node's part, in a process of its own that ends with it; then the new files take their place.

    Args:
        data: the folder of a node that does not run, after `prepare`.
        report: progress.
        certificate: the complete one of another node, if this node was interrupted when the others finished.
    """
    folder = data / NEXT
    name = Folder(data).identity().name
    if certificate is not None:
        complete_reshare(folder, certificate)
    elif not (folder / NEW_KEY).exists():
        await _refuse_running(data)
        roster = Folder(folder).roster()
        spec = NodeSpec(name, roster.nodes[roster.index(name)].address, folder)
        request = tacita_pb2.KeyRequest(kind=tacita_pb2.KeyRequest.RESHARE, name="reshare")
        await with_keys(Manifest(data, (spec,)), request, report)
    return promote(data)


async def _refuse_running(data: Path) -> None:
    if not (data / "tls.json").exists():
        return
    operator = Operator(Folder(data))
    running = await operator.status(1.0)
    await operator.close()
    if running is not None:
        raise CallerMistake(f"{operator.name} runs; stop it while its key is handed on, and start it afterwards")


def promote(data: Path) -> KeyCertificate:
    """The new key, roster and certificates take the place of the old ones; who leaves loses its share."""
    folder, name = data / NEXT, Folder(data).identity().name
    receivers = Roster.read(files.read_json(folder / "receivers.json", "roster"))
    certificate = KeyCertificate.read(files.read_json(folder / NEW_KEY, "key file"))
    certificate.verify(receivers)
    if name in receivers.names:
        for source, target in (("tls.json", "tls.json"), (NEW_SHARE, "key-share.json")):
            files.write(data / target, files.read_private(folder / source, source, files.SECRET_BYTES), files.PRIVATE)
        Folder(data).save_roster(receivers)
        files.write_json(data / "key.json", certificate.tree())
    else:
        for file in ("key-share.json", "key.json", "roster.json"):
            (data / file).unlink(missing_ok=True)
    # Gone at once or not at all.
    shutil.rmtree(data / DONE, ignore_errors=True)
    folder.rename(data / DONE)
    shutil.rmtree(data / DONE)
    return certificate
