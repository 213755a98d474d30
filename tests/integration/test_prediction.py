"""A training through real node processes with `tacita train`, and how a prediction's mistakes and results are shown."""

from importlib import import_module
from pathlib import Path

import pytest

from tacita.cli.shows.prediction import PredictionShow
from tacita.deploy.attack.engines import clear
from tests.integration.running import Running, outcome, succeeded, tacita, tree_of
from tests.policies.prediction.desks import GRAM, NETWORK, case, inputs_csv

front = import_module("tacita.cli.main")
TERMS = """policy = "prediction"
[prediction]
lags = 2
target = 3.0
[bounds]
price = [2.0, 4.0]
change = 0.5
"""
NETWORK_TERMS = TERMS.replace("lags = 2", 'lags = 2\nmethod = "network"') + "[network]\nhidden = 2\nlimit = 32\n"


def written(folder: Path, terms: str, inputs: str) -> tuple[str, ...]:
    (folder / "terms.toml").write_text(terms)
    (folder / "inputs.csv").write_text(inputs)
    return "--terms", str(folder / "terms.toml"), "--inputs", str(folder / "inputs.csv")


@pytest.mark.cluster
def test_a_training_is_a_chain_of_certificates(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["train", "run", *written(tmp_path, NETWORK_TERMS, inputs_csv(21, 8)), "--cluster", str(running.folder)]
    command += ["--out", str(out), "--iterations", "1"]
    ran = succeeded(tacita(*command))
    assert "training_proven no" in ran.out and "step 2 of 2" in ran.err
    assert {p.name for p in out.iterdir()} == {"step-001", "step-002", "outcome.json", "roster.json"}
    assert outcome(out)["training_proven"] is False and outcome(out)["period"] == 9
    assert front._run(["train", "verify", str(out), "--roster", str(out / "roster.json")]) == 0
    assert "2 certificates are valid" in capsys.readouterr().out
    assert front._run(["verify", str(out / "step-002" / "certificate.json")]) == 5
    assert "training_proven: no" in capsys.readouterr().out
    assert front._run(command) == 2
    assert "holds the steps of an earlier training" in capsys.readouterr().err
    (out / "step-001").rename(out / "step-003")
    assert front._run(["train", "verify", str(out)]) == 1
    assert "not that of the first step" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "terms", "inputs", "sentence"),
    [
        (["run", "prediction"], TERMS, "party,period,price\na,1,NaN\n", "inputs line 2: price is not a finite decimal"),
        (["run", "prediction"], TERMS, inputs_csv(1, 3), "alice has 3 prices; with lags = 2"),
        (["run", "prediction"], TERMS + "[solver]\n", inputs_csv(1, 8), "unknown section 'solver'"),
        (["run", "auction"], TERMS, inputs_csv(1, 8), 'it must say policy = "auction"'),
        (["train", "run"], TERMS, inputs_csv(1, 8), "use tacita run for gram"),
        (["train", "run"], NETWORK_TERMS, "", "column 'party' is missing"),
    ],
    ids=["NaN", "too short", "unknown section", "another policy", "not a training", "empty file"],
)
def test_mistakes_end_in_a_sentence_before_a_node_is_touched(
    command: list[str], terms: str, inputs: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--out", str(tmp_path / "out"), "--cluster", str(tmp_path / "cluster")]
    assert front._run([*command, *written(tmp_path, terms, inputs), *places]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said and said.count("tacita: ") == 1
    assert tree_of(tmp_path / "out") == [] and tree_of(tmp_path / "cluster") == []


@pytest.mark.parametrize("tree", [GRAM, NETWORK], ids=["gram", "network"])
def test_picture_and_tables_show_the_outcome(tree: dict, tmp_path: Path) -> None:
    a, show = case(tree, inputs_csv(3)), PredictionShow()
    found = {**a.instance.outcome(clear(a.program, a.engine_inputs)), **a.instance.claims()}
    path = tmp_path / "prediction.png"
    show.save(path, a.terms, a.parts, found)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_mode & 0o077 == 0
    assert f"training_proven {'yes' if tree is GRAM else 'no'}" in show.headline(found)
    assert "for period 17" in show.headline(found) and "3 parties, 48 prices" in show.describe(a.instance)
    assert len(show.tables(a.terms, a.parts, found, 120)) == (3 if tree is GRAM else 2)
