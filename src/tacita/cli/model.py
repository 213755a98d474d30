"""`tacita model …`: the economic models in the clear, and the corrections to the paper with their evidence."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.model_prediction import prediction
from tacita.cli.options import Format
from tacita.protocols.faults import CallerMistake

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Economic models in the clear; no session.")

app.command()(prediction)

DRAWS = 200_000
DIFFERS = 1
Picture = Annotated[Path | None, typer.Option(help="folder for the picture")]


@app.command()
def taylor(
    check: Annotated[bool, typer.Option("--check", help="compare criteria with the spectral radius")] = False,
    draws: Annotated[int, typer.Option(min=1, max=10_000_000, help="random models and rules for --check")] = DRAWS,
    seed: Annotated[int, typer.Option(min=0, help="of the random draws")] = 0,
    gap: Annotated[float | None, typer.Option(help="output gap in percent: can the economy still recover?")] = None,
    inflation: Annotated[float | None, typer.Option(help="inflation minus target in percent, with --gap")] = None,
    out: Picture = None,
    format: Format = "text",
) -> int:
    """Which Taylor rules are stable, and from where the zero lower bound lets no policy recover."""
    from tacita.protocols.policies.interest_rate import corrections as reference
    from tacita.protocols.policies.interest_rate.economy import region

    if (gap is None) != (inflation is None):
        raise CallerMistake("a state has two numbers: give both --gap and --inflation")
    economy, code = reference.ECONOMY, 0
    low, high = region(*reference.MODEL, 0.0)
    facts: dict[str, object] = {
        "slope": reference.MODEL[0],
        "persistence": reference.MODEL[1],
        "sensitivity": reference.MODEL[2],
        "neutral": float(economy.neutral),
        "growth": economy.growth,
        "escape_weight": economy.escape_weight,
    }
    lines = [
        "model: slope {slope:g}, persistence {persistence:g}, sensitivity {sensitivity:g}, rate at rest {neutral:g} %",
        f"stable rules: φ_π > 1 and {reference.MODEL[0]:g}·φ_π − {-low:.4f} < φ_y < "
        f"{reference.MODEL[0] / 2:g}·φ_π + {high:.4f}",
        "no policy recovers where {escape_weight:.6f}·gap + inflation < −{neutral:g} (the economy's eigenvalue "
        "{growth:.10f})",
    ]
    if gap is not None and inflation is not None:
        facts["recoverable"] = economy.recoverable(gap, inflation)
        side = economy.escape_weight * gap + inflation
        verdict = "can recover" if facts["recoverable"] else "cannot recover whatever the policy"
        lines.append(f"gap {gap:g}, inflation {inflation:g}: {side:.4f}, the economy {verdict}")
    if check:
        wrong = reference.mismatches(draws, seed)
        facts["draws"], facts["mismatches"] = draws, wrong
        lines += [
            f"{draws} random models and rules against the spectral radius of (4.56), seed {seed}:",
            f"  corrected region        {wrong['region']} mismatches",
            f"  (4.61)–(4.63)           {wrong['conditions']} mismatches",
            f"  (4.60) as printed       {wrong['polynomial']} mismatches",
        ]
        code = DIFFERS if wrong["region"] or wrong["conditions"] else 0
    if out is not None:
        from tacita.cli.shows.taylor_picture import save_region

        save_region(out / "taylor.png")
        facts["picture"] = str(out / "taylor.png")
        lines.append(f"files: {out}/taylor.png")
    _say(format, "\n".join(lines).format(**facts), facts)
    return code


@app.command()
def history(out: Picture = None, format: Format = "text") -> None:
    """What the committee of the demo would have decided in the United States from 1985 to 2007."""
    from tacita.cli.shows.interest_rate_picture import save_history, shipped
    from tacita.protocols.policies.interest_rate import history as past

    series, terms = shipped()
    quarters = past.decisions(series, terms)
    distance, fitted = past.distance(quarters), past.fit(series)
    facts: dict[str, object] = {
        "quarters": {q.name: {"decided": q.rate, "actual": q.actual} for q in quarters},
        **distance,
        "fit": fitted,
    }
    lines = [f"{'quarter':8} {'decided':>8} {'actual':>8}"]
    lines += [f"{q.name:8} {q.rate:8.2f} {q.actual:8.2f}" for q in quarters]
    lines += [
        f"mean distance from the treasury bill rate {distance['mean_distance']:.2f} points, mean difference "
        f"{distance['mean_difference']:+.2f}, correlation {distance['correlation']:.2f}",
        f"least squares on the data before {past.FIRST}: slope {fitted['slope']:.3f}, persistence "
        f"{fitted['persistence']:.3f}, sensitivity {fitted['sensitivity']:.3f}",
    ]
    if fitted["sensitivity"] <= 0:
        lines.append("a sensitivity below 0 is no model for a controller: the decisions use that of the terms")
    if out is not None:
        save_history(out / "history.png", quarters)
        lines.append(f"files: {out}/history.png")
    _say(format, "\n".join(lines), facts)


@app.command()
def rai(out: Picture = None, format: Format = "text") -> None:
    """RAI's real hourly series: the stabilisation controller, RAI's own controller, and no control."""
    from tacita.cli.model_rai import report

    report(out, format)


@app.command()
def corrections(
    id: Annotated[str | None, typer.Option("--id", help="one correction; otherwise all")] = None,
    format: Annotated[str, typer.Option(help="text, json or markdown")] = "text",
) -> None:
    """Where the paper's print is wrong: printed, corrected, and numbers computed now that show the difference."""
    from tacita.protocols.policies.corrections import corrections as collect
    from tacita.protocols.policies.corrections import page

    if format not in ("text", "json", "markdown"):
        raise CallerMistake("--format must be text, json or markdown; choose one")
    entries = collect()
    if id is not None:
        entries = tuple(entry for entry in entries if entry.id == id)
        if not entries:
            raise CallerMistake(f"there is no correction '{id[:60]}'; tacita model corrections lists all")
    if format == "markdown":
        sys.stdout.write(page(entries))
    elif format == "json":
        keys = ("id", "where", "printed", "corrected")
        rows = [{**{key: getattr(e, key) for key in keys}, "evidence": e.evidence()} for e in entries]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        for entry in entries:
            sys.stdout.write(
                f"{entry.id}  {entry.where}\n  printed    {entry.printed}\n  corrected  {entry.corrected}\n"
                f"  evidence   {entry.evidence()}\n"
            )


def _say(format: str, text: str, facts: dict[str, object]) -> None:
    sys.stdout.write((json.dumps(facts) if format == "json" else text) + "\n")
