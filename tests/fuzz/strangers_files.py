"""Files that a stranger wrote: certificates, evidence, enrolments, admissions, terms, handovers. See decoders.py."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from tacita.crypto.encoding import read_json
from tacita.crypto.errors import InvalidEncoding
from tacita.deploy.cluster import Admission, found
from tacita.deploy.handover import Invitation, plan
from tacita.deploy.local import assign
from tacita.deploy.simulate.members import Members
from tacita.node.identity import common_name
from tacita.protocols import evidence as files
from tacita.protocols import judge
from tacita.protocols.policies.registry import complete_terms, read_session
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.terms import canonical_json, read_toml
from tacita.protocols.verify import verify
from tests.adversary.honest import LINES, TERMS
from tests.fuzz.ceremonies import certified, modulus, modulus_seeds
from tests.fuzz.corpus import ceremony, session
from tests.fuzz.decoder import JSON_BOMBS, NESTED, Decoder, on_tree, text_of, tree
from tests.fuzz.wire import evidence_files


# ---- files ----------------------------------------------------------------------------------------------------------
def _receipt_seeds() -> Sequence[bytes]:
    return [canonical_json(receipt) for receipt in session().result.receipts.values()]


def _omitted(data: bytes) -> object:
    return judge.omissions(tree(data), _certificate(), session().reading.roster)


@lru_cache(maxsize=1)
def _certificate() -> Certificate:
    return Certificate.decode(session().result.certificate)


@lru_cache(maxsize=1)
def _admissions() -> dict[str, Admission]:
    """With real certificates."""
    return found(session().reading.roster.nodes)


def _admission() -> Sequence[bytes]:
    return [canonical_json(_admissions()["node1"].tree())]


def _admitted(data: bytes) -> object:
    """As `admit` takes it, before anything is stored."""
    admission = on_tree(Admission.read, data)
    assert isinstance(admission, Admission)
    return common_name(admission.tls.own.certificate)


def _enrolments() -> Sequence[bytes]:
    return [canonical_json(node.tree()) for node in session().reading.roster.nodes]


STEPS = {
    "policy": "auction",
    "session": {"name": "s"},
    "auction": {"direction": "reverse", "slots": 2, "reserve": [9, "19/2"], "floor": 1, "bids": "steps"},
    "bounds": {"quantity": [0, 8], "steps": 2},
    "solver": {"gap": 0.01, "iterations": 2000},
}
STEP_LINES = "bidder,slot,price,quantity\nann,1,3,1\nann,1,4.5,1\nbob,2,5,2e0\n"
TOML = """policy = "auction"
[auction]
slots = 2
cost = { linear = [1.0, 2], quadratic = 0.5 }
budgets = true
[bounds]
value = [0, 16]
slope = [0.5, 4]
quantity = [0, 8]
"""
BUDGETS = "bidder,quantity\nann,4\n"


def _terms_seeds() -> Sequence[bytes]:
    return [canonical_json(t) for t in (*TERMS.values(), tomllib.loads(TOML), STEPS, session().reading.terms.tree)]


def _session_of(terms: Any, data: bytes) -> object:
    inputs, _, budget = text_of(data).partition("\f")
    return read_session(terms, {"inputs": inputs, **({"budget": budget} if budget else {})})


TOML_NESTED = [
    b"a = ", b'b = """x"""""\na = ', b"b = '''x'''''\na = ", b"b = 'it'\na = ", b'b = "\\""\na = ', b'# "\na = ',
    b"""a = ["'", '"', """, b'a = ["]]]]", ', b"a = [ #]]]]\n",
]  # fmt: skip
"""Texts after which brackets nest, though a careless look takes them for a part of the text."""


def _toml(data: bytes) -> object:
    return complete_terms(read_toml(text_of(data), "terms.toml"))


def _json(data: bytes) -> object:
    """read_json itself, which may also raise ValueError."""
    try:
        return read_json(data)
    except ValueError:
        raise InvalidEncoding("not JSON") from None


QUADRATIC_TERMS: dict[str, Any] = tomllib.loads(TOML)
LONG_SLOT = b"bidder,slot,value,slope,min,max\nann,000000001" + b"0" * 5000 + b",10,1,0,6\nbob,1,8,2,0,3"
OTHER_SLOT = b"bidder,slot,value,slope,min,max\nann,00000000199,10,1,0,6\nbob,1,8,2,0,3"
FILES = [
    Decoder("file/JSON", lambda: [session().result.certificate, *_terms_seeds()], _json, JSON_BOMBS),
    Decoder("file/roster", lambda: [session().reading.roster.encode()], partial(on_tree, Roster.read), JSON_BOMBS),
    Decoder("file/certificate", lambda: [session().result.certificate], Certificate.decode, JSON_BOMBS),
    Decoder(
        "file/certificate, verified", lambda: [session().result.certificate],
        lambda d: verify(d, allow_insecure_key=True), JSON_BOMBS, arithmetic=True,
    ),
    Decoder("file/key certificate", lambda: [ceremony().certificate.encode()], certified, JSON_BOMBS),
    Decoder("file/modulus certificate", modulus_seeds, modulus, JSON_BOMBS),
    Decoder("file/evidence", evidence_files, lambda d: files.from_file(d, session().reading.roster), JSON_BOMBS),
    Decoder(
        "file/evidence, judged", evidence_files, lambda d: judge.judge(d, session().reading.roster), JSON_BOMBS,
        arithmetic=True,
    ),
    Decoder("file/receipt", _receipt_seeds, _omitted, JSON_BOMBS),
    Decoder("file/admission", _admission, _admitted, JSON_BOMBS),
    Decoder("file/enrolment", _enrolments, partial(on_tree, Roster.read_node), JSON_BOMBS),
    Decoder(
        "file/assignment", lambda: [b"bidder,node\nann,node1\n\nbob,node2\n"],
        lambda d: assign(["ann", "bob"], ["node1", "node2"], text_of(d), "bidder"),
        [b"bidder,node\n" + b"a" * 140_000, b'bidder,node\n"' + b"a" * 140_000],
    ),
    Decoder(
        "file/terms", _terms_seeds, partial(on_tree, complete_terms),
        [
            json.dumps({**TERMS["public"], "bounds": {"value": [0, 10**400], "quantity": [0, 1]}}).encode(),
            json.dumps({**TERMS["public"], "solver": {"gap": 10**4000}}).encode(),
            json.dumps({**TERMS["public"], "a" * 60_000: 1}).encode(),
            json.dumps({**TERMS["public"], "bounds": {"quantity" * 8_000: 1}}).encode(),
            *JSON_BOMBS,
        ],
    ),
    Decoder(
        "file/terms in TOML", lambda: [TOML.encode()], _toml,
        [*(start + NESTED for start in TOML_NESTED), b"slots = " + b"9" * 5000, b"[" + b"a." * 9000 + b"a]\nb=1"],
    ),
    Decoder(
        "file/bids", lambda: [(LINES + "\n\f" + BUDGETS).encode(), LINES.encode()],
        partial(_session_of, QUADRATIC_TERMS),
        [LONG_SLOT, OTHER_SLOT, b'"' * 60_000, b"bidder,slot,value,slope,min,max\n" + b"a" * 60_000],
    ),
    Decoder("file/bids in steps", lambda: [STEP_LINES.encode()], partial(_session_of, STEPS)),
]  # fmt: skip


# ---- the handover of a key ------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _invitations() -> dict[str, Invitation]:
    """The key of the honest ceremony goes on to a roster with a fourth node."""
    added = Members(4, "joining").roster.nodes[3]
    ring = ceremony().ring
    with_keys = [replace(node, multi=other.multi, possession=other.possession) for node, other in zip(
        ring.roster.nodes, Members(3, "joining").roster.nodes, strict=True)]  # fmt: skip
    roster = Roster(tuple(with_keys))
    certificate = replace(ceremony().certificate, roster=roster.digest)
    signed = certificate.completed({name: certificate.sign(identity) for name, identity in ring.identities.items()})
    return plan(roster, signed, [added], [])


def _invitation_seeds() -> Sequence[bytes]:
    return [canonical_json(_invitations()["node1"].tree())]


def _invited(data: bytes) -> None:
    invitation = on_tree(Invitation.read, data)
    assert isinstance(invitation, Invitation)
    invitation.check()


HANDOVERS = [
    Decoder("file/handover", _invitation_seeds, partial(on_tree, Invitation.read), JSON_BOMBS),
    Decoder("file/handover, checked", _invitation_seeds, _invited, arithmetic=True),
]
