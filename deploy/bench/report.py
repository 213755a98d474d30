"""What was measured, as goals and as tables; nothing here is a figure of its own but the limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacita.deploy.bench.measure import Goal

STAGES_LIMIT = 0.05
"""Largest part of a session's total that its stages may leave out."""


def goals(result: Mapping[str, Any]) -> list[Goal]:
    """Every goal with what this run measured for it; sessions count with their slowest run."""
    encryption, ranges = result.get("encryption"), result.get("ranges")
    sessions, demo = result.get("sessions", {}), result.get("demo")
    ratios = encryption["operations"]["encrypt"]["ratio"] if encryption and encryption["bits"] == 2048 else {}
    times = ranges["milliseconds"] if ranges else {}
    seconds = demo["seconds"] if demo else {}
    small, large, long = (sessions.get(name) for name in ("(3, 1)", "(12, 8)", "(3, 24)"))
    cost = long["iteration_cost"] if long else {}
    megabytes = (cost["online_bytes"] + cost["offline_bytes"]) / 1e6 if cost else None
    keygen = result.get("keygen")
    made = keygen["nodes"] if keygen and keygen["bits"] == 2048 else {}
    three, five = made.get("3"), made.get("5")
    memory = [s["memory_mib"] for s in sessions.values() if s["memory_mib"]]
    rest = [abs(s["unaccounted"]) for s in sessions.values()]
    return [
        Goal("encryption, 2048 bits, beside phe", 10.0, ratios.get("phe"), "times faster", at_least=True),
        Goal("range proof, 24 × 64 bits, prove", 60.0, times.get("prove"), "ms"),
        Goal("range proof, 24 × 64 bits, verify", 60.0, times.get("verify"), "ms"),
        Goal("key ceremony, 3 nodes, median", 15.0, three and three["median"], "s"),
        Goal("key ceremony, 5 nodes, median", 40.0, five and five["median"], "s"),
        Goal("key ceremony, 3 nodes, a candidate", 4.0, three and three["wall_milliseconds_per_candidate"], "ms wall"),
        Goal("session (3, 1), 20 iterations", 5.0, small and small["slowest_total"], "s"),
        Goal("session (12, 8), Clarke payments", 45.0, large and large["slowest_total"], "s"),
        Goal("session (3, 24)", 20.0, long and long["slowest_total"], "s"),
        Goal("iteration at (3, 24), online CPU of a node", 50.0, cost.get("online_milliseconds"), "ms"),
        Goal("iteration at (3, 24), offline CPU of a node", 110.0, cost.get("offline_milliseconds"), "ms"),
        Goal("iteration at (3, 24), sent by a node", 0.6, megabytes, "MB"),
        Goal("memory of a node with its worker", 300.0, max(memory, default=None), "MiB"),
        Goal("stages add up to the total", 100 * STAGES_LIMIT, 100 * max(rest) if rest else None, "% left out"),
        Goal("make demo, from nothing", 360.0, seconds.get("from_nothing"), "s"),
        Goal("make demo, again", 90.0, seconds.get("again"), "s"),
    ]


@dataclass(frozen=True)
class Sheet:
    """A table of text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(result: Mapping[str, Any]) -> list[Sheet]:
    """The tables that are printed."""
    found = []
    if result.get("encryption"):
        found.append(_encryption(result["encryption"]))
    if result.get("ranges"):
        found.append(_ranges(result["ranges"]))
    if result.get("keygen"):
        found += _keygen(result["keygen"])
    if result.get("sessions"):
        found += [_sessions(result["sessions"]), _costs(result["sessions"]), _stages(result["sessions"])]
    return [*found, _goals(result["goals"])]


def _encryption(figures: Mapping[str, Any]) -> Sheet:
    names = list(next(iter(figures["operations"].values()))["milliseconds"])
    rows = []
    for operation, row in figures["operations"].items():
        cells = [f"{row['milliseconds'][name]:.4f}" for name in names]
        cells += [f"{row['ratio'][name]:.1f}" for name in names[1:]]
        rows.append((operation, *cells))
    first = figures["first_encryption_milliseconds"]
    title = f"Paillier, {figures['bits']} bits, CPU ms per call (our first encryption of a process: {first:.0f} ms)"
    header = ("operation", *names, *(f"{name}/tacita" for name in names[1:]))
    return Sheet(title, header, tuple(rows))


def _ranges(figures: Mapping[str, Any]) -> Sheet:
    title = f"Exact range proof, {figures['values']} values of {figures['value_bits']} bits, {figures['bytes']} bytes"
    rows = tuple(
        (name, f"{figures['milliseconds'][name]:.1f}", f"{figures['slowest_milliseconds'][name]:.1f}")
        for name in figures["milliseconds"]
    )
    return Sheet(title, ("step", "median CPU ms", "slowest"), rows)


def _keygen(figures: Mapping[str, Any]) -> list[Sheet]:
    rows, whole = [], []
    for nodes, row in figures["nodes"].items():
        rows.append((f"tacita, {nodes} nodes, {figures['bits']} bits", *_candidates(row)))
        counts = (str(row["ceremonies"]), f"{row['min']:.1f}", f"{row['median']:.1f}", f"{row['max']:.1f}")
        whole.append((f"{nodes} nodes", *counts, f"{row['expected_seconds']:.1f}"))
    if figures["peer"]:
        peer = figures["peer"]
        rows.append((f"tno {peer['version']}, {peer['parties']} parties, {peer['bits']} bits", *_candidates(peer)))
    header = ("search", "wall ms", "CPU ms a party", "timed", "expected", "expected wall s a key")
    return [
        Sheet("Key ceremony, one candidate", header, tuple(rows)),
        Sheet(
            f"Whole ceremonies, {figures['bits']} bits, seconds",
            ("ceremony", "runs", "min", "median", "max", "expected"),
            tuple(whole),
        ),
    ]


def _candidates(row: Mapping[str, Any]) -> tuple[str, ...]:
    each = (row["wall_milliseconds_per_candidate"], row["cpu_milliseconds_per_candidate_and_party"])
    counts = (str(row["candidates"]), str(row["expected_candidates"]), f"{row['expected_seconds']:.0f}")
    return (*(f"{x:.2f}" for x in each), *counts)


def _sessions(sessions: Mapping[str, Any]) -> Sheet:
    rows = []
    for name, s in sessions.items():
        peer = s["stock_mpyc"]
        beside = (f"{peer['median_total']:.2f}", f"{peer['ratio_of_totals']:.2f}") if peer else ("–", "–")
        steps = (f"{peer['iteration_milliseconds']:.1f}", f"{peer['ratio_of_iterations']:.2f}") if peer else ("–", "–")
        ours = (f"{s['median_total']:.2f}", f"{s['slowest_total']:.2f}")
        row = (*ours, *beside, f"{s['iteration_milliseconds']:.1f}", *steps, f"{s['memory_mib']:.0f}")
        rows.append((f"{name} {s['class']}, {s['iterations']} it.", *row))
    header = ("session", "median s", "slowest s", "stock ADMM s", "ratio", "ms/it.", "stock ms/it.", "ratio", "MiB")
    title = "Whole sessions; stock MPyC does the ADMM iterations only: no proofs, payments, certificate"
    return Sheet(title, header, tuple(rows))


def _costs(sessions: Mapping[str, Any]) -> Sheet:
    rows = []
    for name, s in sessions.items():
        cost, peer = s["iteration_cost"], s["stock_mpyc"]
        ours = (f"{cost['online_milliseconds']:.1f}", f"{cost['offline_milliseconds']:.1f}")
        stock = f"{peer['iteration_cpu_milliseconds_per_party']:.1f}" if peer else "–"
        sent = (f"{cost['online_bytes'] / 1e6:.3f}", f"{cost['offline_bytes'] / 1e6:.3f}")
        stock_sent = f"{peer['iteration_bytes_per_party'] / 1e6:.3f}" if peer else "–"
        rows.append((name, *ours, stock, *sent, stock_sent))
    header = ("session", "online ms", "offline ms", "stock ms", "online MB", "offline MB", "stock MB")
    title = "An iteration at one node: CPU of its engine and bytes it sends; offline is what no input enters"
    return Sheet(title, header, tuple(rows))


def _stages(sessions: Mapping[str, Any]) -> Sheet:
    names = list(dict.fromkeys(stage for s in sessions.values() for stage in s["stages"]))
    rows = []
    for name, s in sessions.items():
        cells = [f"{s['stages'].get(stage, 0.0):.3f}" for stage in names]
        rows.append((name, *cells, f"{sum(s['stages'].values()):.3f}", f"{s['stages_of_total']:.3f}"))
    return Sheet("Seconds by stage, median session", ("session", *names, "sum", "total"), tuple(rows))


def _goals(measured: list[Mapping[str, Any]]) -> Sheet:
    words = {True: "met", False: "NOT MET", None: "not measured"}
    rows = []
    for goal in measured:
        sign = "≥" if goal["at_least"] else "≤"
        value = "–" if goal["value"] is None else f"{goal['value']:.4g}"
        rows.append((goal["name"], f"{sign} {goal['limit']:g} {goal['unit']}", value, words[goal["met"]]))
    return Sheet("Goals", ("goal", "limit", "measured", ""), tuple(rows))
