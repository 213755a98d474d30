"""Terms and input files: every mistake is one sentence that says where and what to do, without private numbers."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.registry import POLICIES, complete_terms
from tests.policies.stabilisation.references import P6C, Files

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PRIVATE = "0.93141592"
HEADER, FIRST, *REST = P6C.lines.splitlines()
CELLS = FIRST.split(",")
CELLS[2] = PRIVATE


def example(name: str) -> Files:
    folder = EXAMPLES / name
    return Files(tomllib.loads((folder / "terms.toml").read_text()), (folder / "inputs.csv").read_text())


def inputs(*rows: str, header: str = HEADER) -> Files:
    return Files(P6C.tree, "\n".join([header, *rows]))


def cell(place: int, text: str) -> Files:
    return inputs(",".join(text if i == place else c for i, c in enumerate(CELLS)), *REST)


GOOD_ROW = ",".join(CELLS)


def without(section: str, key: str, files: Files = P6C) -> Files:
    kept = {k: v for k, v in files.tree[section].items() if k != key}
    return Files({**files.tree, section: kept}, files.lines)


COLLATERAL, DEPRECIATION = example("collateralised"), example("depreciation")

CASES: dict[str, tuple[Files, str]] = {
    # inputs
    "empty file": (inputs(header=""), "inputs line 1: column 'party' is missing"),
    "missing column": (inputs(header=HEADER.replace(",effect", "")), "column 'effect' is missing"),
    "unknown column": (inputs(header=HEADER + ",note"), "column 'note' is not known"),
    "column twice": (inputs(header=HEADER + ",effect"), "a column is there twice"),
    "too few shocks": (inputs(header=HEADER.replace(",shock_5", "")), "column 'shock_5' is missing"),
    "short row": (inputs("a,1,0.9"), "inputs line 2: 3 values where the header has 9"),
    "0 parties": (inputs(), "0 scenarios take part"),
    "1 party": (inputs(GOOD_ROW, GOOD_ROW.replace("a,1", "a,2")), "the inputs hold 1 party"),
    "second scenario 1": (inputs(GOOD_ROW, GOOD_ROW), "inputs line 3: a second scenario 1 of a"),
    "bad name": (cell(0, "Alice Bank"), "inputs line 2: party"),
    "scenario 0": (cell(1, "0"), "inputs line 2: scenario must be a whole number from 1 to 8"),
    "scenario 9": (cell(1, "9"), "inputs line 2: scenario must be a whole number from 1 to 8"),
    "NaN": (cell(4, "nan"), "inputs line 2: shock_1 is not a finite decimal number"),
    "infinite": (cell(3, "-inf"), "inputs line 2: effect is not a finite decimal number"),
    "empty cell": (cell(2, ""), "inputs line 2: persistence is not a finite decimal number"),
    "persistence outside": (cell(2, "1.2"), "a, scenario 1: persistence lies outside the public bounds [0.85, 1.05]"),
    "effect outside": (cell(3, "0.5"), "a, scenario 1: effect lies outside the public bounds [-1.1, -0.4]"),
    "shock outside": (cell(8, "0.31"), "a, scenario 1: shock_5 lies outside the public bounds [-0.3, 0.3]"),
    # terms
    "unknown key": (P6C.changed("stabilisation", horizont=3), "unknown key 'horizont'; did you mean horizon?"),
    "unknown section": (Files({**P6C.tree, "auction": {}}, P6C.lines), "unknown section 'auction'"),
    "section of another model": (
        Files({**P6C.tree, "collateral": {}}, P6C.lines),
        'section [collateral] does not belong to model = "coin"',
    ),
    "no horizon": (without("stabilisation", "horizon"), "[stabilisation] horizon must be a whole number from 1 to 12"),
    "long horizon": (P6C.changed("stabilisation", horizon=13), "horizon must be a whole number from 1 to 12"),
    "shared beyond horizon": (P6C.changed("stabilisation", shared=6), "shared must be a whole number from 1 to 5"),
    "weight": (P6C.changed("stabilisation", weight=1.5), "weight = 1.5 lies outside [0, 1]"),
    "model": (P6C.changed("stabilisation", model="gold"), '"coin" or "collateralised" or "depreciation"'),
    "outputs": (P6C.changed("stabilisation", public_outputs=["psi"]), "public_outputs may list mean and variance"),
    "growth without 0": (P6C.changed("supply", growth=[0.1, 0.5]), "[supply] growth must allow 0"),
    "no growth": (P6C.changed("supply", growth=[0, 0]), "nothing is left to decide"),
    "reversed bounds": (P6C.changed("bounds", effect=[1, -1]), "[bounds] effect is reversed"),
    "no coins": (P6C.changed("supply", outstanding=0), "[supply] outstanding = 0 lies outside"),
    "minimum above supply": (P6C.changed("supply", minimum=2000), "outstanding is below minimum"),
    "price far off": (
        Files({**P6C.tree, "price": {"now": 1000, "target": 1}}, P6C.lines),
        "now and target differ by more than a factor of 148",
    ),
    "NaN in the terms": (P6C.changed("price", deviation=float("nan")), "is not a finite number"),
    "cost of a linear objective": (
        P6C.changed("stabilisation", objective="mean"),
        'control_cost belongs to objective = "tracking"',
    ),
    "no collateral": (Files({k: v for k, v in COLLATERAL.tree.items() if k != "collateral"}, ""), "[collateral]"),
    "ratio below 1": (COLLATERAL.changed("collateral", ratio=0.9), "[collateral] ratio = 0.9 lies outside [1,"),
    "ratio above its maximum": (COLLATERAL.changed("collateral", ratio=1.7), "ratio is above ratio_max"),
    "a ratio needs its effect": (without("bounds", "ratio_effect", COLLATERAL), "[bounds] ratio_effect must be"),
    "no cohorts": (without("depreciation", "minted", DEPRECIATION), "[depreciation] minted must list the coins"),
    "outstanding beside cohorts": (DEPRECIATION.changed("supply", outstanding=5), "remove it"),
    "rate": (DEPRECIATION.changed("depreciation", rate=1.5), "[depreciation] rate = 1.5 lies outside [0, 1]"),
    "all coins gone": (
        DEPRECIATION.changed("depreciation", rate=1, minted=[5, 0]),
        "no coins are outstanding",
    ),
    "iterates too large": (P6C.changed("bounds", effect=[-1e9, 1e9]), "narrow"),
}


def start(files: Files) -> None:
    """Everything that happens before a node is touched."""
    terms, parts = files.read()
    POLICIES["stabilisation"].instance(terms, {n: p.pattern for n, p in parts.items()}).demand(3, 1, "abort")


@pytest.mark.parametrize("what", CASES)
def test_a_mistake_is_one_sentence(what: str) -> None:
    files, sentence = CASES[what]
    with pytest.raises(CallerMistake) as caught:
        start(files)
    message = str(caught.value)
    assert sentence in message and "\n" not in message and len(message) < 400
    assert PRIVATE not in message


def test_completed_terms_complete_to_themselves() -> None:
    for files in (P6C, example("stabilisation"), COLLATERAL, DEPRECIATION):
        terms, _ = files.read()
        assert complete_terms(terms.tree).canonical() == terms.canonical()
        assert complete_terms(files.tree).canonical() == terms.canonical()


def test_a_pattern_that_no_party_can_have_is_refused() -> None:
    terms, _ = P6C.read()
    policy: Any = POLICIES["stabilisation"]
    for pattern in ([], [8], [1, 0], [0, 0], [-1], [True]):
        with pytest.raises(CallerMistake):
            policy.check_pattern(terms, "a", pattern)
    with pytest.raises(CallerMistake, match="at most 64"):
        policy.instance(terms, {f"p{i}": [0, 1, 2] for i in range(22)})


def test_one_node_s_part_of_the_inputs_may_hold_nobody() -> None:
    terms, _ = P6C.read()
    assert POLICIES["stabilisation"].read_part(terms, {"inputs": HEADER}) == {}
    assert set(POLICIES["stabilisation"].read_part(terms, {"inputs": f"{HEADER}\n{FIRST}"})) == {"a"}


def test_numbers_that_would_overflow_are_refused_before_anything_is_sent() -> None:
    wide = P6C.changed("bounds", persistence=[-2, 2])
    with pytest.raises(CallerMistake):
        start(wide.changed("solver", iterations=5000, control_penalty=1e-9))
