"""What a caller can get wrong ends in one sentence and exit code 2 before a node is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.interest_rate.policy import InterestRatePolicy
from tacita.protocols.policies.registry import complete_terms, read_session
from tests.policies.interest_rate.committees import HEADER, P4, P4_LIMITED, case, tree

front = import_module("tacita.cli.main")
PRIVATE = "3.14159265"
"""No sentence may repeat a private number."""
GOOD = ["a", "0.5", PRIVATE, "2"]
CONSENSUS = {"method": "consensus"}


@dataclass(frozen=True)
class Case:
    """One mistake and a part of the sentence it must lead to."""

    sentence: str
    text: str = P4
    committee: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def cell(place: int, text: str) -> str:
    row = list(GOOD)
    row[place] = text
    return f"{HEADER}\n{','.join(row)}\nb,0.5,1,2\nc,0.5,1,2\n"


def terms(sentence: str, committee: Mapping[str, Any] | None = None, **sections: Mapping[str, Any]) -> Case:
    return Case(sentence, P4, committee or {}, sections)


CASES = {
    "missing column": Case("column 'inflation' is missing", "member,preference,output_gap\na,0.5,1\n"),
    "unknown column": Case("column 'note' is not known", P4.replace("inflation", "inflation,note", 1)),
    "column twice": Case("a column is there twice", P4.replace("inflation", "inflation,inflation", 1)),
    "limits without consensus": Case("column 'least' needs [committee] method = \"consensus\"", P4_LIMITED),
    "no limits": Case("column 'least' is missing", P4, CONSENSUS),
    "empty file": Case("inputs line 1", ""),
    "0 members": Case("the inputs hold 0 members; a committee needs at least 3", HEADER + "\n"),
    "2 members": Case("one of two could compute the other's numbers", f"{HEADER}\na,0.5,{PRIVATE},2\nb,0.5,1,2\n"),
    "65 members": Case("more than 64 members", HEADER + "\n" + "".join(f"m{i},0.5,1,2\n" for i in range(65))),
    "10⁶ rows": Case("more than 64 members", HEADER + "\n" + "".join(f"m{i},0.5,1,2\n" for i in range(10**6))),
    "a long line": Case("inputs line 2", HEADER + "\n" + "a" * 10**6),
    "short row": Case("inputs line 2: 3 values where the header has 4", f"{HEADER}\na,0.5,{PRIVATE}\n"),
    "duplicate": Case("a second row of a", f"{HEADER}\na,0.5,{PRIVATE},2\na,0.5,1,2\nb,0.5,1,2\n"),
    "NaN": Case("inputs line 2: output_gap is not a finite decimal number", cell(2, "NaN")),
    "infinity": Case("inputs line 2: inflation is not", cell(3, "inf")),
    "no number": Case("inputs line 2: preference is not", cell(1, "half")),
    "empty cell": Case("inputs line 2: inflation is not", cell(3, "")),
    "a huge exponent": Case("inputs line 2: output_gap is not", cell(2, "1e999999999")),
    "a fraction": Case("inputs line 2: preference is not", cell(1, "1/2")),
    "a member's name": Case("member '../x' must be", cell(0, "../x")),
    "preference above 1": Case("a: preference lies outside the public bounds [0, 1]", cell(1, "1.01")),
    "gap outside": Case("a: output_gap lies outside the public bounds [-10, 10]", cell(2, "-31.4159265")),
    "inflation outside": Case("a: inflation lies outside the public bounds", cell(3, "10.5")),
    "limit outside": Case(
        "b: move lies outside the public bounds [0.25, 10]", P4_LIMITED.replace("1,8,1.5", "1,8,0.2"), CONSENSUS
    ),
    # terms
    "unknown key": terms("unknown key 'slop'; did you mean slope?", economy={"slop": 1}),
    "unknown section": terms("unknown section 'rules'", rules={"a": 1}),
    "method": terms("[committee] method must be", {"method": "dictator"}),
    "statistic": terms("[committee] statistic must be", {"statistic": "mode"}),
    "no bounds": terms("[bounds] output_gap must be [smallest, largest]", bounds={"output_gap": 3}),
    "reversed bounds": terms("[bounds] inflation is reversed", bounds={"inflation": [3, 1]}),
    "preference bounds": terms("[bounds] preference", bounds={"preference": [0, 2]}),
    "no slope": terms("[economy] slope = 0 lies outside", economy={"slope": 0}),
    "an explosive gap": terms("[economy] persistence", economy={"persistence": 1.5}),
    "a negative rate at rest": terms("must not be negative", economy={"real_rate": -3}),
    "a negative previous rate": terms("[economy] previous_rate", economy={"previous_rate": -1}),
    "too many moves": terms("[objective] moves must be a whole number from 1 to 8", objective={"moves": 9}),
    "more moves than periods": terms("from 1 to 2", objective={"horizon": 2, "moves": 3}),
    "no cost of rates": terms("one of them must be positive", objective={"rate_weight": 0, "move_weight": 0}),
    "badly conditioned": terms("raise rate_weight", objective={"rate_weight": 0, "move_weight": 1e-6, "moves": 8}),
    "median of consensus": terms('write statistic = "mean"', {"method": "consensus", "statistic": "median"}),
    "statistics of consensus": terms('write reveal = "path"', {"method": "consensus", "reveal": "statistics"}),
    "statistics of rates": terms('write reveal = "path"', {"statistic": "median_rate", "reveal": "statistics"}),
    "limits without bounds": terms("[bounds] move must be", CONSENSUS, bounds={"move": None}),
    "limits that could exclude all rates": terms("no rate that all accept", CONSENSUS, bounds={"least": [0, 5]}),
    "limits in one_shot": terms("unknown key 'least'", bounds={"least": [0, 1]}),
}


@pytest.mark.parametrize("what", CASES)
def test_a_mistake_is_one_sentence_that_names_no_private_number(what: str) -> None:
    given = CASES[what]
    with pytest.raises(CallerMistake) as caught:
        read_session(tree(given.committee, **given.sections), {"inputs": given.text})
    sentence = str(caught.value)
    assert given.sentence in sentence
    assert "\n" not in sentence and PRIVATE not in sentence and len(sentence) < 400


def test_the_command_line_says_it_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    economy = "[economy]\nslope = 0.1\npersistence = 0.6\nsensitivity = 0.2\n"
    bounds = "[bounds]\noutput_gap = [-9, 9]\ninflation = [-9, 9]\n"
    (tmp_path / "terms.toml").write_text(f'policy = "interest_rate"\n{economy}{bounds}')
    (tmp_path / "inputs.csv").write_text(cell(2, "NaN"))
    out = tmp_path / "out"
    files = ["--terms", str(tmp_path / "terms.toml"), "--inputs", str(tmp_path / "inputs.csv"), "--out", str(out)]
    assert front._run(["run", "interest_rate", *files, "--cluster", str(tmp_path / "cluster")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tacita: inputs line 2: output_gap is not") and "Traceback" not in err
    assert not out.exists() and not (tmp_path / "cluster").exists()


def test_completed_terms_hold_every_key_and_complete_to_themselves() -> None:
    for committee in ({}, CONSENSUS, {"statistic": "median", "reveal": "statistics"}):
        completed = complete_terms(tree(committee))
        assert complete_terms(completed.tree).canonical() == completed.canonical()
        assert completed.tree["economy"]["previous_rate"] == 4


def test_an_impossible_pattern_or_too_few_members_are_refused() -> None:
    policy, example = InterestRatePolicy(), case({})
    for patterns, sentence in (
        ({"a": (1,), "b": (1,)}, "2 members take part"),
        ({f"m{i}": (1,) for i in range(65)}, "at most 64"),
        ({"a": (1,), "b": (1,), "c": (0, 1)}, "c announces a pattern"),
    ):
        with pytest.raises(CallerMistake, match=sentence):
            policy.instance(example.terms, patterns)


def test_representations_never_show_private_numbers() -> None:
    for inputs in case(CONSENSUS, P4_LIMITED).members.values():
        assert repr(inputs) == "MemberInputs()"
