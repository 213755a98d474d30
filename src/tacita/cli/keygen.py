"""`tacita keygen` and `tacita key …`: the key of a local cluster, made and renewed by its nodes."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tacita.cli.ceremony_display import CeremonyProgress
from tacita.cli.options import Format
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.certificate import KeyCertificate

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The key of a local cluster.")


def keygen(
    out: Annotated[Path, typer.Option(help="cluster folder: roster, and each node's data with its own share")],
    nodes: Annotated[int, typer.Option(help="3 to 7 local nodes")] = 3,
    bits: Annotated[int, typer.Option(help="2048 or 3072")] = 2048,
    format: Format = "text",
) -> None:
    """Let local nodes make a threshold key among themselves: no dealer, nobody ever knows its factors."""
    from tacita.crypto.entropy import SystemEntropy
    from tacita.crypto.security import ALLOWED_MODULUS_BITS
    from tacita.deploy import local
    from tacita.deploy.manifest import Manifest
    from tacita.node.config import Folder
    from tacita.protocols.roster import check_size

    check_size(nodes)
    if bits not in ALLOWED_MODULUS_BITS:
        raise CallerMistake("--bits must be 2048 or 3072; shorter keys are not secure")
    if not (out / "roster.json").exists():
        local.prepare_cluster(out, nodes, SystemEntropy())
    manifest = Manifest.read(out)
    if len(manifest.nodes) != nodes:
        raise CallerMistake(f"{out} holds a cluster of {len(manifest.nodes)} nodes; give another --out folder")
    if all(Folder(node.folder).has_key() for node in manifest.nodes):
        raise CallerMistake(f"the cluster in {out} has a key already; give another --out folder, or refresh its shares")
    names = [node.name for node in manifest.nodes]
    with CeremonyProgress(names, quiet=format == "json") as progress:
        certificate = asyncio.run(local.make_key(manifest, bits, progress.report))
    describe(format, certificate, f"{out} is a cluster of {nodes} nodes with a key")


@app.command()
def refresh(
    cluster: Annotated[Path, typer.Option(help="cluster folder")] = Path(".tacita"),
    format: Format = "text",
) -> None:
    """New shares of the same key: copies of old shares, stolen or lost, become worthless."""
    from tacita.deploy import local
    from tacita.deploy.manifest import Manifest

    manifest = Manifest.read(cluster)
    names = [node.name for node in manifest.nodes]
    with CeremonyProgress(names, quiet=format == "json") as progress:
        certificate = asyncio.run(local.refresh_key(manifest, progress.report))
    describe(format, certificate, f"the nodes in {cluster} hold new shares; delete every backup of the old ones")


@app.command()
def reshare(
    cluster: Annotated[Path, typer.Option(help="cluster folder")] = Path(".tacita"),
    add: Annotated[int, typer.Option(help="how many nodes join")] = 0,
    remove: Annotated[list[str] | None, typer.Option(help="a node that leaves; may be given several times")] = None,
    format: Format = "text",
) -> None:
    """Hand the same key to a changed roster; who leaves loses its share, and the old shares become worthless."""
    from tacita.crypto.entropy import SystemEntropy
    from tacita.deploy import reshare as work
    from tacita.deploy.manifest import Manifest

    manifest = Manifest.read(cluster)
    names = [node.name for node in manifest.nodes]
    with CeremonyProgress(names, quiet=format == "json") as progress:
        certificate = work.reshare(manifest, add, remove or [], SystemEntropy(), progress.report)
    receivers = ", ".join(node.name for node in Manifest.read(cluster).nodes)
    describe(format, certificate, f"{receivers} hold the key now; delete every backup of the old shares")


@app.command()
def show(
    cluster: Annotated[Path, typer.Option(help="cluster folder")] = Path(".tacita"),
    format: Format = "text",
) -> None:
    """Check the key certificate of every node of a local cluster and say what it holds."""
    from tacita.deploy.manifest import Manifest
    from tacita.node.config import Folder
    from tacita.protocols.faults import VerificationFailed

    certificates = []
    for node in Manifest.read(cluster).nodes:
        certificate = Folder(node.folder).certificate() if Folder(node.folder).has_key() else None
        if certificate is None:
            raise CallerMistake(f"{node.name} holds no key of a ceremony; run tacita keygen --out with a new folder")
        certificates.append(certificate)
    if len({certificate.identifier for certificate in certificates}) != 1:
        raise VerificationFailed("the nodes hold different keys or epochs; restore their key files, or refresh again")
    describe(format, certificates[0], f"all nodes in {cluster} hold the same certified key")


def describe(format: str, certificate: KeyCertificate, sentence: str) -> None:
    """What everybody may know of a key."""
    key, origin = certificate.key, certificate.origin
    facts: dict[str, Any] = {
        "key_id": certificate.identifier.hex(),
        "bits": key.modulus.bit_length(),
        "nodes": key.parties,
        "quorum": key.threshold + 1,
        "provenance": key.provenance,
        "epoch": key.epoch,
        "origin": origin.kind,
        "batches": origin.batches,
        "aborts": origin.epoch,
    }
    if format == "json":
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    sys.stdout.write(sentence + "\n")
    for name, value in facts.items():
        sys.stdout.write(f"{name:11} {value}\n")
