"""`tacita node …`: a node on a real machine."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.display import Progress
from tacita.cli.node_key import app as node_key
from tacita.cli.options import Format
from tacita.crypto.entropy import SystemEntropy
from tacita.protocols.faults import CallerMistake, MachineFault
from tacita.protocols.terms import read_toml

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run one party of a cluster on this machine.")

app.add_typer(node_key, name="key")

Data = Annotated[Path, typer.Option("--data", help="the node's data folder")]


def say(format: str, sentence: str, **facts: object) -> None:
    """One sentence for people, or one JSON object."""
    sys.stdout.write((json.dumps(facts) if format == "json" else sentence) + "\n")


@app.command()
def init(
    data: Data,
    name: Annotated[str, typer.Option(help="the node's name in the roster")],
    address: Annotated[str, typer.Option(help="host:port at which other nodes reach this one")],
    format: Format = "text",
) -> None:
    """Make the node's keys; send the enrolment.json it writes to whoever founds the cluster."""
    from tacita.deploy.cluster import enrol

    enrol(data, name, address, SystemEntropy())
    enrolment = data / "enrolment.json"
    say(
        format,
        f"{name} has its keys in {data}; send {enrolment} to the founder of the cluster",
        enrolment=str(enrolment),
    )


@app.command()
def found(
    enrolments: Annotated[list[Path], typer.Argument(help="enrolment.json of every node, in the order of the roster")],
    out: Annotated[Path, typer.Option(help="folder for roster.json and one admission file per node")],
    format: Format = "text",
) -> None:
    """Make roster and TLS certificates from the enrolments; the nodes then make their key: tacita node key propose."""
    from tacita.deploy import cluster
    from tacita.node import files
    from tacita.protocols.roster import Roster

    roster = Roster.read({"nodes": [cluster.read_enrolment(path) for path in enrolments]})
    admissions = cluster.found(roster.nodes)
    files.private_folder(out)
    for name, admission in admissions.items():
        files.write_json(out / f"{name}.admission.json", admission.tree(), files.PRIVATE)
    files.write_json(out / "roster.json", roster.tree())
    say(
        format,
        f"cluster of {len(roster.nodes)} nodes: give each node its admission file from {out}, then delete them here; "
        "when all nodes run, make the key: tacita node key propose at one of them, tacita node key join at the others",
        roster=str(out / "roster.json"),
        admissions={name: str(out / f"{name}.admission.json") for name in admissions},
    )


@app.command()
def admit(
    data: Data,
    admission: Annotated[Path, typer.Argument(help="<name>.admission.json")],
    format: Format = "text",
) -> None:
    """Join the cluster: store roster and TLS certificates in the node's folder."""
    from tacita.deploy.cluster import Admission
    from tacita.deploy.cluster import admit as store
    from tacita.node import files

    store(data, Admission.read(files.read_json(admission, "admission")))
    say(format, f"{data} is ready: run tacita node start --data {data}", data=str(data))


@app.command()
def start(
    data: Data,
    stop_with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the node until it is stopped."""
    from tacita.node.main import start as serve

    if not data.is_dir():
        raise CallerMistake(f"{data} is no folder; run tacita node init first")
    serve(data, stop_with_stdin)


@app.command()
def status(data: Data, format: Format = "text") -> None:
    """Ask the running node how it is."""
    from tacita.node.client import Operator
    from tacita.node.config import Folder

    async def ask() -> dict[str, object]:
        operator = Operator(Folder(data))
        try:
            reply = await operator.status()
        finally:
            await operator.close()
        if reply is None:
            raise MachineFault(operator.silence())
        return {
            "name": reply.name,
            "address": operator.address,
            "process": reply.process,
            "version": reply.version,
            "provenance": reply.provenance,
            "key_bits": reply.key_bits,
            "sessions": reply.sessions,
            "peers": {p.name: {"address": p.address, "connected": p.connected} for p in reply.peers},
        }

    tree = asyncio.run(ask())
    if format == "json":
        sys.stdout.write(json.dumps(tree) + "\n")
        return
    peers = tree.pop("peers")
    assert isinstance(peers, dict)
    for key, value in tree.items():
        sys.stdout.write(f"{key:11} {value}\n")
    for name, peer in peers.items():
        state = "connected" if peer["connected"] else "not connected"
        sys.stdout.write(f"peer        {name} at {peer['address']}: {state}\n")


@app.command()
def join(
    data: Data,
    terms: Annotated[Path, typer.Option(help="complete terms.toml, the same at every node")],
    inputs: Annotated[Path, typer.Option(help="inputs.csv with this node's participants (header only if it has none)")],
    out: Annotated[Path, typer.Option(help="folder for the results")],
    budget: Annotated[Path | None, typer.Option(help="budget.csv; otherwise the one beside the inputs, if any")] = None,
    format: Format = "text",
) -> None:
    """Run one session together with the other nodes, whose operators run the same command."""
    from tacita.deploy.local import check_session_name, most_telling
    from tacita.node import files
    from tacita.node.client import Finished, Operator
    from tacita.node.config import Folder
    from tacita.protocols.policies.registry import complete_terms

    folder = Folder(data)
    folder.identity()
    completed = complete_terms(read_terms(terms))
    check_session_name(completed)
    texts = input_texts(completed.policy, inputs, budget)
    files.results_folder(out)
    inbox = folder.inbox(completed.session.name)
    files.write_canonical(inbox / "terms.json", completed.tree)
    for name, text in texts.items():
        files.write(inbox / f"{name}.csv", text.encode(), files.PRIVATE)

    async def go() -> Finished:
        operator = Operator(folder)
        try:
            with Progress([operator.name], quiet=format == "json") as progress:
                result = await operator.run(completed.session.name, progress.report)
        finally:
            await operator.close()
        if not isinstance(result, Finished):
            raise most_telling([result])
        return result

    result = asyncio.run(go())
    files.write(out / "outcome.json", (json.dumps(json.loads(result.outcome), indent=2) + "\n").encode())
    files.write(out / "certificate.json", result.certificate)
    files.write_json(out / "roster.json", folder.roster().tree())
    for path in sorted((Path(result.folder) / "private").glob("*.json")):
        files.write(files.private_folder(out / "private") / path.name, path.read_bytes(), files.PRIVATE)
    check = f"tacita verify {out}/certificate.json --roster {out}/roster.json"
    say(format, f"results are in {out}; check: {check}", **json.loads(result.outcome))


@app.command()
def compose(
    cluster: Annotated[Path, typer.Option(help="cluster folder with roster.json and nodes/<name>/")],
    format: Format = "text",
) -> None:
    """Write compose.yaml into a cluster folder: the same nodes as containers."""
    from tacita.deploy.compose import render
    from tacita.deploy.manifest import Manifest
    from tacita.node import files

    manifest = Manifest.read(cluster)
    files.write(cluster / "compose.yaml", render(manifest).encode())
    say(
        format,
        f"{cluster / 'compose.yaml'} runs {len(manifest.nodes)} containers",
        compose=str(cluster / "compose.yaml"),
    )


def read_terms(path: Path) -> dict[str, object]:
    """A terms file as a tree; raises CallerMistake."""
    from tacita.node import files

    return read_toml(files.read_text(path, "terms"), str(path))


def input_texts(policy: str, inputs: Path, budget: Path | None) -> dict[str, str]:
    """The texts of the input files by name: the inputs, and further files of the policy that lie beside them."""
    from tacita.node import files
    from tacita.protocols.policies.registry import POLICIES

    texts = {"inputs": files.read_text(inputs, "inputs")}
    if budget is not None and "budget" not in POLICIES[policy].files:
        raise CallerMistake(f"the policy {policy} knows no budgets; leave out --budget")
    for name in POLICIES[policy].files:
        beside = inputs.parent / f"{name}.csv"
        path = budget if name == "budget" and budget is not None else beside
        if path != beside or (beside.exists() and beside != inputs):
            texts[name] = files.read_text(path, f"{name} file")
    return texts
