"""Random sessions: any model, horizon, number of scenarios and scale."""

from typing import Any

import numpy as np

from tests.policies.stabilisation.references import Files


def random_files(rng: np.random.Generator, well_scaled: bool = False) -> Files:
    """Terms and inputs; `well_scaled`: with a control cost, so that a fixed number of iterations is enough."""
    model = str(rng.choice(["coin", "collateralised", "depreciation"]))
    controls = 2 if model == "collateralised" else 1
    horizon = int(rng.integers(1, 5 if controls == 2 else 7))
    size = 10 ** float(rng.uniform(-2, -0.5))
    effect = 10 ** float(rng.uniform(-0.5, 0.5))
    limit = min(1.0, size / effect * float(rng.uniform(0.3, 3)))
    low = float(rng.uniform(0.6, 0.9))
    cost = effect**2 * float(rng.uniform(0.05, 0.5)) if well_scaled or rng.random() < 0.7 else 0.0
    objective = "tracking" if well_scaled or rng.random() < 0.7 else "mean"
    tree: dict[str, Any] = {
        "policy": "stabilisation",
        "stabilisation": {
            "model": model,
            "objective": objective,
            "horizon": horizon,
            "shared": int(rng.integers(1, horizon + 1)),
            "weight": short(rng.uniform(0.1, 0.9)),
            "control_cost": short(cost) if objective == "tracking" else 0,
            "public_outputs": ["mean", "variance"],
        },
        "price": {"deviation": short(rng.uniform(-1, 1) * size)},
        "supply": {"growth": [short(-limit), short(limit)]},
        "bounds": {
            "persistence": [short(low), short(low + 0.2)],
            "effect": [short(-1.4 * effect), short(-0.6 * effect)],
            "shock": [short(-size / 2), short(size / 2)],
        },
        "solver": {"iterations": 400},
    }
    if model != "depreciation":
        tree["supply"]["outstanding"] = 1000
    else:
        tree["depreciation"] = {"rate": 0.02, "minted": [500.0, 300.0, 200.0]}
    if controls == 2:
        tree["collateral"] = {"ratio": 1.3, "ratio_max": 1.5, "growth": [-0.05, 0.05]}
        tree["bounds"]["ratio_effect"] = [short(0.1 * effect), short(0.5 * effect)]
    return Files(tree, rows(rng, tree))


def rows(rng: np.random.Generator, tree: dict[str, Any]) -> str:
    """Two to four parties with one or two scenarios each, everything inside the bounds."""
    bounds, horizon = tree["bounds"], tree["stabilisation"]["horizon"]
    names = ["effect", *(["ratio_effect"] if "ratio_effect" in bounds else [])]
    lines = [",".join(["party", "scenario", "persistence", *names, *(f"shock_{k + 1}" for k in range(horizon))])]
    for party in ["alice", "bob", "carol", "dave"][: int(rng.integers(2, 5))]:
        for scenario in range(int(rng.integers(1, 3))):
            ranges = [bounds[n] for n in ("persistence", *names)] + [bounds["shock"]] * horizon
            numbers = [f"{rng.uniform(*pair):.12f}" for pair in ranges]
            lines.append(",".join([party, str(scenario + 1), *numbers]))
    return "\n".join(lines)


def short(value: float) -> float:
    return float(f"{value:.8g}")
