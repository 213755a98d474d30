"""Handing a local cluster's key to a changed roster: every node's part of deploy/handover.py on this machine."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tacita.crypto.entropy import Entropy
from tacita.deploy import handover
from tacita.deploy.cluster import enrol
from tacita.deploy.handover import NEXT
from tacita.deploy.local import Report, free_ports, with_keys
from tacita.deploy.manifest import Manifest, NodeSpec
from tacita.node import files
from tacita.node.config import Folder
from tacita.proto import tacita_pb2
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.roster import Roster


def reshare(manifest: Manifest, add: int, remove: Sequence[str], entropy: Entropy, report: Report) -> KeyCertificate:
    """Prepare, hand the key on, put the new files in place; what was interrupted goes on. Raises TacitaError."""
    order = manifest.folder / "reshare.json"
    if not order.exists():
        receivers = _receivers(manifest, add, remove)
        prepare(manifest, receivers, remove, entropy)
        files.write_json(order, {"receivers": receivers, "finished": False})
    tree = files.read_json(order, "unfinished resharing")
    receivers, names = tree["receivers"], [node.name for node in manifest.nodes]
    everybody = list(dict.fromkeys([*names, *receivers]))
    if not tree["finished"]:
        roster = Folder(_data(manifest, names[0]) / NEXT).roster()
        specs = tuple(NodeSpec(n.name, n.address, _data(manifest, n.name) / NEXT) for n in roster.nodes)
        request = tacita_pb2.KeyRequest(kind=tacita_pb2.KeyRequest.RESHARE, name="reshare")
        asyncio.run(with_keys(Manifest(manifest.folder, specs), request, report))
        files.write_json(order, {"receivers": receivers, "finished": True})
    for name in everybody:
        if (_data(manifest, name) / NEXT).exists():  # else it was done before an interruption
            handover.promote(_data(manifest, name))
    certificate = Folder(_data(manifest, receivers[0])).certificate()
    files.write_json(manifest.folder / "roster.json", Folder(_data(manifest, receivers[0])).roster().tree())
    order.unlink()
    return certificate


def _data(manifest: Manifest, name: str) -> Path:
    return manifest.folder / "nodes" / name


def _receivers(manifest: Manifest, add: int, remove: Sequence[str]) -> list[str]:
    """The names of the new roster; new nodes get names that no folder with a roster has. Raises CallerMistake."""
    names = [node.name for node in manifest.nodes]
    stay = handover.stay_of(names, add, remove)
    for node in manifest.nodes:
        if not Folder(node.folder).has_key():
            raise CallerMistake(f"{node.name} holds no key to hand on; run tacita keygen --out with a new folder")
    used = {path.name for path in (manifest.folder / "nodes").iterdir() if (path / "roster.json").exists()}
    new = [name for name in (f"node{i}" for i in range(1, 100)) if name not in used][:add]
    return [*stay, *new]


def prepare(manifest: Manifest, receivers: Sequence[str], remove: Sequence[str], entropy: Entropy) -> None:
    """New nodes with keys of their own, and the folders in which all meet."""
    old = Roster.read(files.read_json(manifest.folder / "roster.json", "roster"))
    parent = Folder(manifest.nodes[0].folder).certificate()
    new = [name for name in receivers if name not in old.names]
    joining = []
    for name, port in zip(new, free_ports(len(new)), strict=True):
        (_data(manifest, name) / "identity.json").unlink(missing_ok=True)
        joining.append(enrol(_data(manifest, name), name, f"127.0.0.1:{port}", entropy))
    for name, invitation in handover.plan(old, parent, joining, remove).items():
        # A folder of an attempt that was interrupted before its order was written: nobody has begun.
        (_data(manifest, name) / NEXT / "order.json").unlink(missing_ok=True)
        handover.prepare(_data(manifest, name), invitation, entropy)
