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


@app.command()
def propose(data: Data, name: Name = "founding", bits: Bits = 2048, format: Format = "text") -> None:
    """Begin a key ceremony; the other operators then run `tacita node key join` with the same name and bits."""
    if format == "text":
        typer.echo(f"waiting for the others: tacita node key join --data … --name {name} --bits {bits}", err=True)
    _take_part(data, name, bits, False, format)


@app.command()
def join(data: Data, name: Name = "founding", bits: Bits = 2048, format: Format = "text") -> None:
    """Take part in a key ceremony, or in one that was interrupted: it goes on where it was."""
    _take_part(data, name, bits, False, format)


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
