"""A chain of sessions: every arrow is checked, and a session that is left out, swapped or altered is noticed."""

import tomllib
from importlib import import_module
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import pytest

from tacita.cli.monetary_policy import INPUTS, Market, with_reading, worth
from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.policies.chain import Link, carried, check_chain, next_terms
from tacita.protocols.policies.registry import read_session
from tests.integration.running import tree_of

front = import_module("tacita.cli.main")

OWN_CLUSTER = {"demo": ["--cluster", "{0}/cluster"], "verify": []}
EXAMPLE = package_files("tacita") / "examples" / "monetary-policy"
OUTCOMES: list[tuple[str, dict[str, Any]]] = [
    ("prediction", {"forecast": 1.0292923044, "latest": [1.0388, 1.03]}),
    (
        "stabilisation",
        {"auction_size": 12632.25612, "block_reward": 499.5, "outstanding": 1000000.0, "maximum": 1199175.5},
    ),
    ("auction", {"supply": [12000.25], "price": [1.03]}),
    ("prediction", {"forecast": 1.0077803, "latest": [1.03, 1.0135]}),
    ("stabilisation", {"auction_size": -5.0, "block_reward": 400.0, "outstanding": 1012499.75, "maximum": 1190000.0}),
]


def chain() -> list[Link]:
    """The example's terms with invented outcomes."""
    links: list[Link] = []
    for i, (policy, outcome) in enumerate(OUTCOMES):
        template = tomllib.loads((EXAMPLE / f"{policy}.toml").read_text())
        terms, _ = read_session(
            next_terms(template, links, f"chain-{i}"), {"inputs": (EXAMPLE / INPUTS[policy]).read_text()}
        )
        links.append(Link(terms, outcome, f"{i + 1:064x}"))
    return links


def test_terms_take_over_what_the_sessions_before_decided() -> None:
    links = chain()
    assert links[1].terms.tree["price"]["now"] == 1.029292304
    assert links[1].terms.tree["price"]["previous"] == 1.03
    assert links[1].terms.tree["supply"]["outstanding"] == 1000000  # the template's: nothing went before
    assert float(links[2].terms.tree["auction"]["supply_max"][0]) == 12632.256
    assert links[4].terms.tree["supply"]["outstanding"] == 1000000 + 499.5 + 12000.25
    assert links[4].terms.tree["supply"]["maximum"] == 1199175.5
    assert [link.terms.session.follows for link in links[1:]] == [link.digest for link in links[:-1]]
    assert len(check_chain(links)) == len(links) - 1


@pytest.mark.parametrize("i", range(1, 5))
def test_a_session_that_is_left_out_is_noticed(i: int) -> None:
    links = chain()
    if i == len(links) - 1:
        assert check_chain(links[:-1])  # the end of a chain may be missing: nothing cites it
        return
    with pytest.raises(VerificationFailed, match="does not follow"):
        check_chain([*links[:i], *links[i + 1 :]])


def test_sessions_in_another_order_are_refused() -> None:
    links = chain()
    with pytest.raises(VerificationFailed, match="does not follow"):
        check_chain([links[1], links[0], *links[2:]])


@pytest.mark.parametrize(
    ("i", "key", "value"),
    [
        (0, "forecast", 1.04),
        (0, "latest", [1.0, 1.02]),
        (1, "auction_size", 12632.2),
        (1, "auction_size", 0.0),
        (1, "block_reward", 0.0),
        (1, "maximum", 2e6),
        (2, "supply", [11000.0]),
    ],
)
def test_terms_that_took_over_another_number_are_refused(i: int, key: str, value: object) -> None:
    """The same certificates in order, but an outcome says something else than the terms after it took over."""
    links = chain()
    links[i] = Link(links[i].terms, {**links[i].outcome, key: value}, links[i].digest)
    with pytest.raises(VerificationFailed, match=r"is not the|does not continue"):
        check_chain(links)


def test_nothing_is_auctioned_after_a_decision_to_buy_back() -> None:
    with pytest.raises(CallerMistake, match="hold no auction"):
        carried("auction", chain())


def test_the_market_of_the_example_answers_to_coins() -> None:
    market = Market.read((EXAMPLE / "market.toml").read_text())
    still = market.after(market.price, 1e6, 1e6, 0.0)
    assert market.target < still < market.price
    assert market.after(market.price, 1e6, 1.01e6, 0.0) < still


def test_histories_and_bids_of_the_next_period() -> None:
    prices, bids = (EXAMPLE / "prices.csv").read_text(), (EXAMPLE / "bids.csv").read_text()
    longer = with_reading(prices, 1.01, (0.0003, -0.0002, -0.0001))
    added = sorted(set(longer.splitlines()) - set(prices.splitlines()))
    assert added == ["east-desk,13,1.010300", "north-desk,13,1.009800", "west-desk,13,1.009900"]
    assert worth(bids, 0.5).splitlines()[1] == "aster,1,0.530500,0.0000042,0,9000"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "monetary_policy", "--out", "{0}/used"], "holds the periods of an earlier run"),
        (["demo", "monetary_policy", "--out", "{0}/file"], "is a file"),
        (["verify", "{0}/empty"], "holds no certificate.json; give the folder of results"),
        (["verify", "{0}/nowhere"], "cannot be read"),
        (["verify", "{0}/used", "--terms", "{0}/file"], "--terms is for one certificate"),
        (["verify", "{0}/used"], "the certificate is malformed"),
        (["verify", "{0}/used", "--roster", "{0}/nowhere"], "the roster {0}/nowhere cannot be read"),
    ],
    ids=["a used folder", "a file", "an empty folder", "no folder", "terms of a chain", "no certificates", "no roster"],
)
def test_what_a_caller_can_get_wrong_ends_in_a_sentence_and_writes_nothing(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for period in ("period-1", "period-2"):
        (tmp_path / "used" / period).mkdir(parents=True)
        (tmp_path / "used" / period / "certificate.json").write_text("{}\n")
    (tmp_path / "file").write_text("mine")
    before = tree_of(tmp_path)
    assert front._run([word.format(tmp_path) for word in [*arguments, *OWN_CLUSTER[arguments[0]]]]) == (
        1 if "malformed" in sentence else 2
    )
    err = capsys.readouterr().err
    assert sentence.format(tmp_path) in err and err.count("tacita: ") == 1 and "Traceback" not in err
    assert tree_of(tmp_path) == before
