"""Handing a local cluster's key to a changed roster: some nodes leave, others join, the key stays the same.

Old and new nodes meet in folders `<data>/next`, made for this purpose: each is a node folder of its own with the node's
identity, a roster of old and new nodes together and fresh certificates. When all new nodes have signed, `next` takes
the place of the old files; a node that leaves loses its share. An interrupted resharing goes on when started again.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from tacita.crypto.entropy import Entropy
from tacita.deploy.cluster import admit, enrol, found
from tacita.deploy.local import Report, free_ports, with_keys
from tacita.deploy.manifest import Manifest, NodeSpec
from tacita.node import files, keyfile
from tacita.node.config import Folder
from tacita.proto import tacita_pb2
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.roster import Node, Roster, check_size

NEXT = "next"


def plan(manifest: Manifest, add: int, remove: Sequence[str]) -> list[str]:
    """The names of the new roster; raises CallerMistake."""
    names = [node.name for node in manifest.nodes]
    for name in remove:
        if name not in names:
            raise CallerMistake(f"the cluster has no node {name}; choose from {', '.join(names)}")
    stay = [name for name in names if name not in remove]
    used = {path.name for path in (manifest.folder / "nodes").iterdir() if (path / "roster.json").exists()}
    fresh = (f"node{i}" for i in range(1, 100))
    new = [name for name in fresh if name not in used][:add]
    check_size(len(stay) + add)
    check_size(len(names) + add)
    if not add and not remove:
        raise CallerMistake("the roster would stay as it is; use --add, --remove, or tacita key refresh")
    return [*stay, *new]


def reshare(manifest: Manifest, receivers: Sequence[str], entropy: Entropy, report: Report) -> KeyCertificate:
    """Prepare, hand the key on, put the new files in place; raises TacitaError."""
    order = manifest.folder / "reshare.json"
    if not order.exists():
        prepare(manifest, receivers, entropy)
        files.write_json(order, {"receivers": list(receivers), "certificate": None})
    tree = files.read_json(order, "unfinished resharing")
    receivers, names = tree["receivers"], [node.name for node in manifest.nodes]
    if tree["certificate"] is None:
        everybody = Roster.read(files.read_json(_data(manifest, names[0]) / NEXT / "roster.json", "roster"))
        specs = tuple(NodeSpec(n.name, n.address, _data(manifest, n.name) / NEXT) for n in everybody.nodes)
        request = tacita_pb2.KeyRequest(kind=tacita_pb2.KeyRequest.RESHARE, name="reshare")
        certificate = asyncio.run(with_keys(Manifest(manifest.folder, specs), request, report))
        files.write_json(order, {"receivers": receivers, "certificate": certificate.tree()})
    promote(manifest, list(dict.fromkeys([*names, *receivers])), receivers)
    certificate = KeyCertificate.read(files.read_json(order, "unfinished resharing")["certificate"])
    order.unlink()
    return certificate


def _data(manifest: Manifest, name: str) -> Path:
    return manifest.folder / "nodes" / name


def prepare(manifest: Manifest, receivers: Sequence[str], entropy: Entropy) -> None:
    """Folders in which old and new nodes meet."""
    old = Roster.read(files.read_json(manifest.folder / "roster.json", "roster"))
    parent = files.read_json(manifest.nodes[0].folder / "key.json", "key file")
    new = [name for name in receivers if name not in old.names]
    nodes: dict[str, Node] = {}
    for name, port in zip([*old.names, *new], free_ports(len(old.names) + len(new)), strict=True):
        data = _data(manifest, name)
        if name in new:
            (data / "identity.json").unlink(missing_ok=True)
            nodes[name] = enrol(data, name, f"127.0.0.1:{port}", entropy)
            keyfile.passphrase(data, entropy)
        else:
            nodes[name] = old.nodes[old.names.index(name)]
    admissions = found(list(nodes.values()))
    roster = Roster(tuple(nodes[name] for name in receivers))
    for name in nodes:
        folder, data = _data(manifest, name) / NEXT, _data(manifest, name)
        shutil.rmtree(folder, ignore_errors=True)
        files.private_folder(folder)
        for own in ("identity.json", keyfile.FILE_NAME):
            files.write(folder / own, files.read_private(data / own, own, files.SECRET_BYTES), files.PRIVATE)
        admit(folder, admissions[name])
        files.write_json(folder / "old-roster.json", old.tree())
        files.write_json(folder / "receivers.json", roster.tree())
        files.write_json(folder / "parent.json", parent)
        if name in old.names:
            share = files.read_private(data / "key-share.json", "key share", files.SECRET_BYTES)
            files.write(folder / "old-share.json", share, files.PRIVATE)


def promote(manifest: Manifest, names: Sequence[str], receivers: Sequence[str]) -> None:
    """The new key, roster and certificates take the place of the old ones; who leaves loses its share."""
    for name in names:
        data, folder = _data(manifest, name), _data(manifest, name) / NEXT
        if not folder.exists():
            continue  # done before an interruption
        roster = Roster.read(files.read_json(folder / "receivers.json", "roster"))
        if name in receivers:
            tls = files.read_private(folder / "tls.json", "certificate file", files.SECRET_BYTES)
            share = files.read_private(folder / "key-share.json", "key share", files.SECRET_BYTES)
            files.write(data / "tls.json", tls, files.PRIVATE)
            files.write(data / "key-share.json", share, files.PRIVATE)
            Folder(data).save_roster(roster)
            files.write_json(data / "key.json", files.read_json(folder / "key.json", "key file"))
        else:
            for file in ("key-share.json", "key.json", "roster.json"):
                (data / file).unlink(missing_ok=True)
        files.write_json(manifest.folder / "next-roster.json", roster.tree())
        shutil.rmtree(folder)
    (manifest.folder / "next-roster.json").replace(manifest.folder / "roster.json")
