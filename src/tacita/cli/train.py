"""`tacita train`: the sessions of a network's training one after the other, and the check of their certificates."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tacita.cli.node import input_texts, read_terms
from tacita.cli.options import Format
from tacita.deploy import local
from tacita.node import files
from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.prediction.terms import PredictionTerms
from tacita.protocols.policies.prediction.training import first_step, next_step, verify_chain
from tacita.protocols.policies.registry import POLICIES, read_session
from tacita.protocols.roster import Roster

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train a prediction's network, one session per layer and iteration.",
)
LAYERS = 2
ITERATIONS = 500


@app.command()
def run(
    terms: Annotated[Path, typer.Option(help="terms.toml with [prediction] method = network")],
    inputs: Annotated[Path, typer.Option(help="inputs.csv of all parties; it is split among the nodes")],
    out: Annotated[Path, typer.Option(help="folder for step-001, step-002, …, and outcome.json of the last step")],
    iterations: Annotated[int, typer.Option(help="each takes two sessions", min=1, max=ITERATIONS)] = 5,
    nodes: Annotated[int, typer.Option(help="3 to 7 local nodes")] = 3,
    cluster: Annotated[Path, typer.Option(help="folder with the nodes' data, made on first use")] = Path(".tacita"),
    format: Format = "text",
) -> None:
    """Train on local nodes. Every step leaves a certificate; the last step also publishes the forecast.

    The parties' sums are committed and in range, but not proven to come from any data.
    """
    tree = read_terms(terms)
    steps = LAYERS * iterations
    session = tree.get("session", {})
    base = str(session.get("name") or local.session_name()) if isinstance(session, dict) else ""
    first = first_step(tree, f"{base}-1", steps == 1)
    PredictionTerms.read(first).check_steps(steps)
    texts = {"inputs": input_texts("prediction", inputs, None)["inputs"]}
    read_session(first, texts)  # refuses wrong inputs before a node starts
    files.results_folder(out)
    if any(out.glob("step-*")):
        raise CallerMistake(f"{out} holds the steps of an earlier training; give another --out folder")
    manifest = local.open_cluster(cluster, nodes, note=_say)
    roster = files.read_json(manifest.folder / "roster.json", "roster")
    files.write_json(out / "roster.json", roster)
    outcome = asyncio.run(_train(manifest, first, texts, base, steps, out))
    files.write_json(out / "outcome.json", outcome)
    if format == "json":
        sys.stdout.write(json.dumps(outcome) + "\n")
        return
    sys.stdout.write(f"forecast {outcome['forecast']:.6g} for period {outcome['period']}, training_proven no\n")
    sys.stdout.write(f"files: {out}/outcome.json  {out}/roster.json  {out}/step-001 … step-{steps:03d}\n")
    sys.stdout.write(f"check: tacita train verify {out} --roster {out}/roster.json\n")


async def _train(
    manifest: Any, tree: dict[str, Any], texts: dict[str, str], base: str, steps: int, out: Path
) -> dict[str, Any]:
    names = [node.name for node in manifest.nodes]
    owner = POLICIES["prediction"].owner
    async with local.LocalCluster(manifest) as cluster:
        for step in range(1, steps + 1):
            terms, parts = read_session(tree, texts)
            placed = local.assign(list(parts), names, None, owner)
            local.fill_inboxes(manifest, terms, texts, placed)
            result = await local.run_session(cluster, terms.session.name, lambda _node, _progress: None)
            folder = out / f"step-{step:03d}"
            files.write(folder / "certificate.json", result.certificate)
            files.write_json(folder / "outcome.json", result.outcome)
            seconds = sum(result.seconds.values())
            _say(f"step {step} of {steps}: layer {result.outcome['layer']}, {seconds:.1f} s")
            digest = result.outcome["certificate"]
            tree = next_step(terms, result.outcome, digest, f"{base}-{step + 1}", step + 1 == steps)
    return result.outcome


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="results of tacita train run")],
    roster: Annotated[Path | None, typer.Option(help="roster.json of the cluster you trust")] = None,
    format: Format = "text",
) -> int:
    """Check all certificates of a training and that each step continues the one before."""
    paths = sorted(folder.glob("step-*/certificate.json"))
    if not paths:
        raise CallerMistake(f"{folder} holds no step-001/certificate.json; give the folder of tacita train run")
    known = Roster.read(files.read_json(roster, "roster")) if roster else None
    found = verify_chain([files.read(path, "certificate") for path in paths], known)
    last = found[-1]
    if format == "json":
        shown = {"valid": True, "steps": len(found), "digest": last.digest, "claims": last.claims}
        sys.stdout.write(json.dumps({**shown, "outcome": last.outcome}) + "\n")
    else:
        sys.stdout.write(f"{len(found)} certificates are valid, each continues the one before; training_proven: no\n")
    if known is None:
        sys.stderr.write("tacita: signed by unknown keys: give --roster with the roster you trust\n")
        return 5
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
