"""Everything that a caller can get wrong ends in one sentence, before anything is computed."""

from typing import Any

import pytest

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.prediction.training import first_step
from tacita.protocols.policies.registry import POLICIES, read_session
from tests.policies.prediction.desks import GRAM, NETWORK, case, changed, inputs_csv

HEADER = "party,period,price\n"
SECRET = "3.1415926"
ROWS = {(n, t): "3.0" for n in ("a", "b", "c") for t in range(1, 7)}


def table(rows: dict[tuple[str, Any], str]) -> str:
    return HEADER + "".join(f"{name},{t},{price}\n" for (name, t), price in rows.items())


def cell(price: str) -> str:
    return table({**ROWS, ("a", 2): price})


INPUTS = {
    "missing column": ("party,price\na,3\n", "inputs line 1: column 'period' is missing"),
    "unknown column": ("party,period,price,note\n", "column 'note' is not known"),
    "column twice": ("party,period,price,price\n", "a column is there twice"),
    "empty file": ("", "inputs line 1: column 'party' is missing"),
    "a row too short": (HEADER + "a,1\n", "inputs line 2: 2 values where the header has 3"),
    "0 parties": (HEADER, "0 parties take part; a prediction needs at least 3"),
    "2 parties": (table({k: v for k, v in ROWS.items() if k[0] != "c"}), "would learn the other's sums"),
    "NaN": (cell("NaN"), "inputs line 3: price is not a finite decimal number"),
    "infinity": (cell("-inf"), "price is not a finite decimal number"),
    "a huge exponent": (cell("1e999999999"), "price is not a finite decimal number"),
    "no number": (cell("three"), "price is not a finite decimal number"),
    "empty cell": (cell(""), "price is not a finite decimal number"),
    "a name": (HEADER + "../x,1,3\n", "inputs line 2: party '../x' must be"),
    "period": (HEADER + "a,one,3\n", "inputs line 2: period must be a whole number"),
    "negative period": (HEADER + "a,-1,3\n", "inputs line 2: period must be a whole number"),
    "huge period": (HEADER + f"a,{'9' * 5000},3\n", "inputs line 2: period must be a whole number"),
    "duplicate": (table(ROWS) + "a,2,3.0\n", "inputs line 20: a second price of a in period 2"),
    "gap": (table({k: v for k, v in ROWS.items() if k != ("b", 3)}), "b has no price for period 3"),
    "too short": (table({k: v for k, v in ROWS.items() if k[0] != "c" or k[1] > 2}), "c has 4 prices; with lags = 3"),
    "too long": (table({(n, t): "3" for n in ("a", "b", "c") for t in range(513)}), "a has 513 prices; at most 512"),
    "too many rows": (HEADER + "".join(f"a,{t},3\n" for t in range(33_000)), "more than 32768 lines"),
    "above": (cell("4.01"), "a, period 2: price lies outside the public bounds [2, 4]"),
    "below": (cell("1.99"), "a, period 2: price lies outside the public bounds [2, 4]"),
    "a jump": (cell("3.51"), "a, period 2: price moves by more than the public bound 0.5"),
}


@pytest.mark.parametrize("what", INPUTS)
def test_inputs(what: str) -> None:
    text, sentence = INPUTS[what]
    with pytest.raises(CallerMistake) as error:
        read_session(GRAM, {"inputs": text})
    assert sentence in str(error.value)


def test_no_sentence_repeats_a_private_price() -> None:
    for bad in (SECRET + "x", SECRET + "e9", "1" + SECRET):
        with pytest.raises(CallerMistake) as error:
            read_session(GRAM, {"inputs": cell(bad)})
        assert SECRET not in str(error.value)


TERMS = {
    "unknown key": (changed(GRAM, "prediction", lag=3), "unknown key 'lag'; did you mean lags?"),
    "unknown section": ({**GRAM, "solver": {}}, "unknown section 'solver'"),
    "unknown bound": (changed(GRAM, "bounds", prices=[1, 2]), "unknown key 'prices'"),
    "no bounds": ({k: v for k, v in GRAM.items() if k != "bounds"}, "price must be [smallest, largest]"),
    "one price": (changed(GRAM, "bounds", price=[3, 3]), "allows only one value"),
    "reversed": (changed(GRAM, "bounds", price=[4, 2]), "is reversed"),
    "no change": (changed(GRAM, "bounds", change=0), "change must be above 0"),
    "wide change": (changed(GRAM, "bounds", change=3), "at most the width of price"),
    "NaN": (changed(GRAM, "bounds", change=float("nan")), "is not a finite number"),
    "target": (changed(GRAM, "prediction", target=5), "target = 5 lies outside [2, 4]"),
    "lags": (changed(GRAM, "prediction", lags=0), "lags must be a whole number from 1 to 16"),
    "method": (changed(GRAM, "prediction", method="oracle"), 'method must be "gram" or "network"'),
    "ridge": (changed(GRAM, "prediction", ridge=0), "ridge = 0 lies outside"),
    "network of gram": ({**GRAM, "network": {}}, "[network] belongs to"),
    "network key": (changed(NETWORK, "network", layers=3), "unknown key 'layers'"),
    "hidden": (changed(NETWORK, "network", hidden=65), "hidden must be a whole number from 1 to 64"),
    "scale": (changed(NETWORK, "network", scale={"deviation": 0}), "deviation = 0 lies outside"),
    "scale key": (changed(NETWORK, "network", scale={"level": 1}), "[network.scale] has an unknown key 'level'"),
    "history": (changed(NETWORK, "network", history=[[1.0]]), "step 1 has 1 weights where the layer has 9"),
    "history of text": (changed(NETWORK, "network", history=[["1"]]), "something else than weights"),
    "history of NaN": (changed(NETWORK, "network", history=[[float("nan")] * 9]), "something else than weights"),
    "history of huge": (changed(NETWORK, "network", history=[[1e300] * 9]), "something else than weights"),
}


@pytest.mark.parametrize("what", TERMS)
def test_terms(what: str) -> None:
    tree, sentence = TERMS[what]
    with pytest.raises(CallerMistake) as error:
        read_session(tree, {"inputs": inputs_csv(1)})
    assert sentence in str(error.value)


def test_histories_that_end_in_different_periods_have_no_common_forecast() -> None:
    text = table({k: v for k, v in ROWS.items() if k != ("c", 6)})
    with pytest.raises(CallerMistake, match="end in different periods"):
        case(GRAM, text)
    assert case(changed(GRAM, "prediction", forecast=False), text).instance.rows == 8


@pytest.mark.parametrize("pattern", [(), (1,), (5, 1), (-1, 9), (0, 2), (0, 600), (1, 10**7), (True, 9), (1, 5, 9)])
def test_a_pattern_that_no_party_can_have_is_refused(pattern: tuple[int, ...]) -> None:
    terms, _ = read_session(GRAM, {"inputs": inputs_csv(1)})
    with pytest.raises(CallerMistake):
        POLICIES["prediction"].check_pattern(terms, "a", pattern)


def test_a_training_that_leaves_its_bounds_stops_at_the_party() -> None:
    a = case(changed(NETWORK, "network", limit=1, scale={"deviation": 1e-6, "change": 1e-6}), inputs_csv(1))
    with pytest.raises(CallerMistake, match="alice: the sums of step 1 leave the public bounds"):
        a.values("alice")


def test_only_a_training_at_its_beginning_is_started() -> None:
    for tree, sentence in (
        (GRAM, "use tacita run for gram"),
        ({"policy": "auction"}, 'must say policy = "prediction"'),
        (changed(NETWORK, "network", history=[[0.5] * 9]), "history must be empty"),
    ):
        with pytest.raises(CallerMistake, match=sentence):
            first_step(tree, "x", True)
