"""`tacita run` and `tacita demo`: a whole session on local nodes."""

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tacita.cli.display import Progress, seconds_line
from tacita.cli.node import input_texts, read_terms
from tacita.cli.options import Format
from tacita.cli.shows import FURTHER_DEMOS, SHOWS
from tacita.deploy import local
from tacita.node import files
from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.registry import POLICIES, read_session
from tacita.protocols.roster import check_size
from tacita.protocols.terms import Terms

CHAIN = "monetary_policy"
DEMOS = (*SHOWS, *FURTHER_DEMOS, CHAIN)
COMPARISONS_PER_SECOND = 1000
"""Secure comparisons per second of three local nodes on two cores, for the estimate that is printed."""


@dataclass(frozen=True)
class Options:
    """What a session is run with."""

    tree: dict[str, Any]
    texts: Mapping[str, str]
    """The input files by name: "inputs", "budget", …"""
    nodes: int
    assignment: str | None
    cluster: Path
    plain: bool
    out: Path
    as_json: bool
    begun: float


def run(
    policy: Annotated[str, typer.Argument(help=f"which policy: {', '.join(POLICIES)}")],
    terms: Annotated[Path, typer.Option(help="terms.toml")],
    inputs: Annotated[Path, typer.Option(help="inputs.csv of all participants; it is split among the nodes")],
    out: Annotated[Path, typer.Option(help="folder for outcome, certificate, roster, picture")],
    nodes: Annotated[int, typer.Option(help="3 to 7 local nodes")] = 3,
    nodes_file: Annotated[Path | None, typer.Option(help="bidder,node; otherwise round-robin")] = None,
    budget: Annotated[Path | None, typer.Option(help="budget.csv; otherwise the one beside the inputs, if any")] = None,
    cluster: Annotated[Path, typer.Option(help="folder with the nodes' data, made on first use")] = Path(".tacita"),
    plan: Annotated[str | None, typer.Option(help="shared: the only plan of this version; overrides the terms")] = None,
    plain: Annotated[bool, typer.Option(help="also solve in the clear and print the gap")] = False,
    format: Format = "text",
) -> None:
    """Run a session on local nodes: they start, compute together, and leave a certificate."""
    begun = time.monotonic()
    policy = _policy(policy)
    tree = read_terms(terms)
    if tree.get("policy") != policy:
        raise CallerMistake(f'{terms} is not for the policy {policy}: it must say policy = "{policy}"')
    if plan is not None:
        tree = {**tree, "session": {**_section(tree, "session"), "plan": plan}}
    options = Options(
        tree=tree,
        texts=input_texts(policy, inputs, budget),
        nodes=nodes,
        assignment=files.read_text(nodes_file, "nodes file") if nodes_file else None,
        cluster=cluster,
        plain=plain,
        out=out,
        as_json=format == "json",
        begun=begun,
    )
    _session(options)


def demo(
    policy: Annotated[str, typer.Argument(help=f"which demo: {', '.join(DEMOS)}")] = "auction",
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("out/demo"),
    cluster: Annotated[Path, typer.Option(help="folder with the nodes' data, made on first use")] = Path(".tacita"),
    format: Format = "text",
) -> None:
    """Run a built-in example on three local nodes; for auction, a coin issue with 12 bidders and 8 slots.

    collateralised and depreciation are the policy stabilisation with other terms: a reserve behind every coin, and
    coins that lose value with every epoch. monetary_policy chains sessions over three periods: prediction,
    stabilisation, auction.
    """
    begun = time.monotonic()
    if policy.replace("-", "_") == CHAIN:
        from tacita.cli import monetary_policy

        monetary_policy.run(out, cluster, format == "json", begun)
        return
    policy, folder = FURTHER_DEMOS.get(policy.replace("-", "_"), (policy, ""))
    policy = _policy(policy, DEMOS)
    example = Path(str(package_files("tacita") / "examples" / (folder or SHOWS[policy].example)))
    options = Options(
        tree=read_terms(example / "terms.toml"),
        texts=input_texts(policy, example / "inputs.csv", None),
        nodes=3,
        assignment=None,
        cluster=cluster,
        plain=True,
        out=out,
        as_json=format == "json",
        begun=begun,
    )
    _session(options)


def _policy(name: str, choice: Iterable[str] = POLICIES) -> str:
    policy = name.replace("-", "_")
    if policy in POLICIES:
        return policy
    if policy in FURTHER_DEMOS:
        of = FURTHER_DEMOS[policy][0]
        raise CallerMistake(f'{policy} is a model of the policy {of}: run {of} with model = "{policy}" in its terms')
    if policy == CHAIN:
        raise CallerMistake(
            f"{CHAIN} is a chain of sessions: run its policies one by one, each following the certificate before it "
            f"(docs/monetary-policy.md), or run tacita demo {CHAIN}"
        )
    raise CallerMistake(f"there is no policy '{name[:40]}' in this version; choose from: {', '.join(choice)}")


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    section = tree.get(name, {})
    return section if isinstance(section, dict) else {}


def _session(options: Options) -> None:
    out, as_json = options.out, options.as_json
    console = Console(stderr=as_json)

    def say(sentence: str) -> None:
        sys.stderr.write(f"{sentence}\n")

    # 1. everything that can be refused is refused before a node starts
    name = str(_section(options.tree, "session").get("name") or local.session_name())
    tree = {**options.tree, "session": {**_section(options.tree, "session"), "name": name}}
    terms, parts = read_session(tree, options.texts)
    policy = POLICIES[terms.policy]
    instance = policy.instance(terms, {name: part.pattern for name, part in parts.items()})
    _announce(terms, instance, options.nodes, say)
    files.results_folder(out)
    manifest = local.open_cluster(options.cluster, options.nodes, note=say)
    names = [node.name for node in manifest.nodes]
    placed = local.assign(list(parts), names, options.assignment, policy.owner)
    # 2. the session
    local.fill_inboxes(manifest, terms, options.texts, placed)

    async def go() -> tuple[local.SessionResult, float, float]:
        async with local.LocalCluster(manifest) as cluster:
            started = time.monotonic()
            with Progress(names, quiet=as_json) as progress:
                result = await local.run_session(cluster, name, progress.report)
            return result, started, time.monotonic()

    result, started, ended = asyncio.run(go())
    # 3. results, all at the end, each file whole or not at all
    seconds = {"start": round(started - options.begun, 3), **result.seconds}
    seconds["collect"] = round(ended - options.begun - sum(seconds.values()), 3)
    outcome = {**result.outcome, "seconds": seconds}
    for participant, data in result.private.items():
        files.write(files.private_folder(out / "private") / f"{participant}.json", data, files.PRIVATE)
    files.write_json(out / "roster.json", files.read_json(manifest.folder / "roster.json", "roster"))
    files.write(out / "certificate.json", result.certificate)
    files.write_json(out / "outcome.json", outcome)
    _show(options, terms, parts, outcome, console)


def _announce(terms: Terms, instance: Instance, nodes: int, say: Any) -> None:
    """Name the cost before anything starts; refuses terms that cannot be computed."""
    check_size(nodes)
    demand = instance.demand(nodes, (nodes - 1) // 2, terms.session.security)
    say(
        f"{SHOWS[terms.policy].describe(instance)}, {demand.comparisons:,} secure comparisons, "
        f"about {max(1, demand.comparisons // COMPARISONS_PER_SECOND)} s"
    )


def _show(options: Options, terms: Terms, parts: dict[str, Part], outcome: dict[str, Any], console: Console) -> None:
    out, show = options.out, SHOWS[terms.policy]
    plain = show.gap(terms, parts, outcome) if options.plain else None
    picture = f"{terms.policy}.png"
    show.save(out / picture, terms, parts, outcome)
    if options.as_json:
        extra = {"gap": plain} if plain is not None else {}
        sys.stdout.write(json.dumps({**outcome, **extra}) + "\n")
        return
    for table in show.tables(terms, parts, outcome, console.width):
        console.print(table, highlight=False)
    headline = show.headline(outcome)
    console.print(
        f"{headline + ', ' if headline else ''}security {outcome['security']}, key {outcome['provenance']}, "
        f"inputs_bound {'yes' if outcome['inputs_bound'] else 'no'}"
    )
    if plain is not None:
        gaps = "  ".join(f"{k} {v:.1e}" for k, v in plain.items()) or "nothing is public to compare"
        console.print(f"gap to the plain solution: {gaps}", soft_wrap=True)
    console.print(seconds_line(outcome["seconds"]), soft_wrap=True)
    written = "  ".join(f"{out}/{name}" for name in ("outcome.json", "certificate.json", "roster.json", picture))
    console.print(f"files: {written}", soft_wrap=True)
    console.print(f"check: tacita verify {out}/certificate.json --roster {out}/roster.json", soft_wrap=True)
