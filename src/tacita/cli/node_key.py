"""`tacita node key …`: one node's part in making the cluster's key, on its own machine."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tacita.cli.ceremony_display import CeremonyProgress, progress_sentence
from tacita.cli.keygen import describe
from tacita.cli.options import Format
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.certificate import KeyCertificate

if TYPE_CHECKING:
    from tacita.node.config import Folder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="This node's part in the cluster's key.")

Data = Annotated[Path, typer.Option("--data", help="the node's data folder")]
Name = Annotated[str, typer.Option(help="name of the ceremony, the same at every node")]
Bits = Annotated[int, typer.Option(help="2048 or 3072, the same at every node")]


Handover = Annotated[Path | None, typer.Option(help="this node's file of tacita node key plan: hand the key on")]


@app.command()
def propose(
    data: Data, name: Name = "founding", bits: Bits = 2048, handover: Handover = None, format: Format = "text"
) -> None:
    """Begin a key ceremony or a handover; the other operators then run `tacita node key join` alike."""
    if format == "text":
        how = f"--name {name} --bits {bits}" if handover is None else "--handover …"
        typer.echo(f"waiting for the others: tacita node key join --data … {how}", err=True)
    if handover is None:
        _take_part(data, name, bits, False, format)
    else:
        _hand_on(data, handover, None, format)


@app.command()
def join(
    data: Data,
    name: Name = "founding",
    bits: Bits = 2048,
    handover: Handover = None,
    certificate: Annotated[
        Path | None, typer.Option(help="key.json of another node, if a handover was interrupted only here")
    ] = None,
    format: Format = "text",
) -> None:
    """Take part in a key ceremony or a handover, or in one that was interrupted: it goes on where it was."""
    if handover is None and certificate is not None:
        raise CallerMistake("--certificate finishes a handover; give --handover with this node's file, too")
    if handover is None:
        _take_part(data, name, bits, False, format)
    else:
        _hand_on(data, handover, certificate, format)


@app.command()
def plan(
    roster: Annotated[Path, typer.Option(help="roster.json of the cluster as it is")],
    key: Annotated[Path, typer.Option(help="key.json of any node")],
    out: Annotated[Path, typer.Option(help="folder for one handover file per node and the next roster.json")],
    add: Annotated[list[Path] | None, typer.Option(help="enrolment.json of a node that joins; may be repeated")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="a node that leaves; may be repeated")] = None,
    format: Format = "text",
) -> None:
    """Plan how the key goes to a changed roster: a file for each old and each new node, which then join with it."""
    from tacita.deploy import handover
    from tacita.deploy.cluster import read_enrolment
    from tacita.node import files
    from tacita.protocols.roster import Roster

    old = Roster.read(files.read_json(roster, "roster"))
    parent = KeyCertificate.read(files.read_json(key, "key file"))
    joining = [Roster.read_node(read_enrolment(path)) for path in add or []]
    invitations = handover.plan(old, parent, joining, remove or [])
    files.private_folder(out)
    for name, invitation in invitations.items():
        files.write_json(out / f"{name}.handover.json", invitation.tree(), files.PRIVATE)
    receivers = next(iter(invitations.values())).receivers
    files.write_json(out / "roster.json", receivers.tree())
    facts = {"nodes": list(receivers.names), "handovers": {n: str(out / f"{n}.handover.json") for n in invitations}}
    sentence = (
        f"{', '.join(receivers.names)} will hold the key: give each old and new node its file from {out}, then delete "
        "them here; all stop their nodes and run tacita node key propose or join with --handover"
    )
    typer.echo(json.dumps(facts) if format == "json" else sentence)


def _hand_on(data: Path, file: Path, complete: Path | None, format: str) -> None:
    from tacita.crypto.entropy import SystemEntropy
    from tacita.deploy import handover
    from tacita.node import files
    from tacita.node.config import Folder

    invitation = handover.Invitation.read(files.read_json(file, "handover file"))
    certificate = KeyCertificate.read(files.read_json(complete, "key file")) if complete else None
    handover.prepare(data, invitation, SystemEntropy())
    name = Folder(data).identity().name
    with CeremonyProgress([name], quiet=format == "json") as progress:
        made = asyncio.run(handover.take_part(data, progress.report, certificate))
    if name in invitation.receivers.names:
        describe(format, made, f"{name} holds its share for the next roster; start the node again")
    else:
        describe(format, made, f"{name} has left the cluster; its share is erased")


@app.command()
def refresh(data: Data, format: Format = "text") -> None:
    """New shares of the same key, together with the other nodes, whose operators run the same command."""
    _take_part(data, "refresh", 2048, True, format)


@app.command()
def status(data: Data, format: Format = "text") -> None:
    """Say how far a running ceremony has come, or check this node's key file and say what it holds.

    Exit code 0 only if the node holds a key and makes none.
    """
    from tacita.node.config import Folder

    folder = Folder(data)
    name = folder.identity().name
    making = asyncio.run(_making(folder))
    if making is not None:
        typer.echo(json.dumps({"making": making}) if format == "json" else f"{name}: {progress_sentence(**making)}")
        raise typer.Exit(CallerMistake.exit_code)
    certificate = folder.certificate() if folder.has_key() else None
    if certificate is None:
        raise CallerMistake(f"{name} holds no key of a ceremony; run tacita node key join --data {data}")
    folder.share()
    describe(format, certificate, f"{name} holds a certified key, and its share opens")


async def _making(folder: "Folder") -> dict[str, Any] | None:
    """What the node is doing with a key right now, if it runs."""
    from tacita.node.client import Operator

    operator = Operator(folder)
    try:
        reply = await operator.status()
    finally:
        await operator.close()
    if reply is None or not reply.HasField("making"):
        return None
    return {field.name: getattr(reply.making, field.name) for field in reply.making.DESCRIPTOR.fields}


def _take_part(data: Path, name: str, bits: int, renew: bool, format: str) -> None:
    from tacita.crypto.security import ALLOWED_MODULUS_BITS
    from tacita.deploy.local import most_telling
    from tacita.node.client import Finished, Operator
    from tacita.node.config import Folder
    from tacita.proto import tacita_pb2
    from tacita.protocols.terms import check_name

    if bits not in ALLOWED_MODULUS_BITS:
        raise CallerMistake("--bits must be 2048 or 3072; shorter keys are not secure")
    kind = tacita_pb2.KeyRequest.REFRESH if renew else tacita_pb2.KeyRequest.CEREMONY
    request = tacita_pb2.KeyRequest(kind=kind, name=check_name(name, "ceremony name"), bits=bits)

    async def go() -> Finished:
        operator = Operator(Folder(data))
        try:
            with CeremonyProgress([operator.name], quiet=format == "json") as progress:
                result = await operator.make_key(request, progress.report)
        finally:
            await operator.close()
        if not isinstance(result, Finished):
            raise most_telling([result])
        return result

    certificate = KeyCertificate.read(json.loads(asyncio.run(go()).outcome))
    describe(format, certificate, "the nodes have made a key; this node's share is in its data folder")
