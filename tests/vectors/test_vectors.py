"""The vector files are what generate.py makes, and two independent verifiers give the stated verdicts."""

import ast
import json
from pathlib import Path

import pytest

from tacita.crypto.commitment import commitment_group, hash_to_unit
from tacita.crypto.errors import CryptoError, InvalidProof
from tacita.crypto.paillier import PublicParameters, encryption_key
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.threshold import combine
from tacita.crypto.transcript import Transcript
from tests.vectors import generate, verifier
from tests.vectors.intquad_verifier import verify_intquad
from tests.vectors.notation import read_context, read_key, read_statement

FILES = {name: json.loads((generate.FOLDER / f"{name}.json").read_text()) for name in generate.ALGORITHMS}
CASES = [
    pytest.param(name, group, test, id=f"{name}-{test['id']}")
    for name, document in FILES.items()
    for group in document["groups"]
    for test in group["tests"]
]
SECOND = {name: getattr(verifier, f"verify_{name}", verify_intquad) for name in generate.ALGORITHMS}


def number(text):
    return int(text, 16)


def must(condition):
    if not condition:
        raise InvalidProof("the vector states another result")


def parameters_of(group):
    return PublicParameters(encryption_key(number(group["N"])), commitment_group(number(group["N_c"])))


def check_transcript(group, test):
    def value(kind, text):
        return {"bytes": bytes.fromhex, "integer": number, "text": str}[kind](text)

    transcript, drawn = Transcript(test["protocol"], test["context"] and read_context(test["context"])), []
    for name, label, *rest in test["operations"]:
        if name == "absorb":
            transcript.absorb(label, value(*rest))
        elif name == "absorb_all":
            transcript.absorb_all(label, [value(*item) for item in rest[0]])
        else:
            drawn.append([format(x, "x") for x in transcript.challenges(label, *rest)])
    must((drawn, transcript.digest().hex()) == (test["challenges"], test["digest"]))


def check_hash_to_unit(group, test):
    must(hash_to_unit(number(group["modulus"]), test["label"], test["index"]) == number(test["value"]))


def check_encryption(group, test):
    key, c = encryption_key(number(group["N"])), number(test["ciphertext"])
    key.check(c)
    if "plaintext" in test:
        must(key.encrypt_with(number(test["plaintext"]), number(test["randomness"])) == c)


def check_knowledge(group, test):
    parameters = parameters_of(group)
    proof = knowledge.Proof.decode(parameters, bytes.fromhex(test["proof"]))
    statement = knowledge.Statement(number(test["ciphertext"]))
    knowledge.verify(parameters, read_context(test["context"]), statement, proof)


def check_intquad(group, test):
    parameters, statement = parameters_of(group), read_statement(test["statement"])
    proof = quadratic.Proof.decode(parameters, statement, bytes.fromhex(test["proof"]))
    quadratic.verify(parameters, read_context(test["context"]), statement, proof)


def check_decryption(group, test):
    key, group_c = read_key(group["key"]), commitment_group(number(group["N_c"]))
    ciphertexts, partials = (tuple(number(x) for x in test[name]) for name in ("ciphertexts", "partials"))
    proof = decryption.Proof.decode(key, bytes.fromhex(test["proof"]))
    statement = decryption.statement_for(key, test["index"], ciphertexts, partials)
    decryption.verify(key, group_c, read_context(test["context"]), statement, proof)


def check_combine(group, test):
    partials = {int(i): number(w) for i, w in test["partials"].items()}
    must(combine(read_key(group["key"]), partials) == number(test["plaintext"]))


def verdict_of(check, refusals, group, test):
    """Only a named refusal counts as "invalid"; any other exception fails the test."""
    try:
        check(group, test)
    except refusals:
        return "invalid"
    return "valid"


@pytest.mark.parametrize(("name", "group", "test"), CASES)
def test_the_library_gives_the_stated_verdict(name, group, test):
    check = globals()[f"check_{name}"]
    assert verdict_of(check, CryptoError, group, test) == test["result"], test["comment"]


@pytest.mark.parametrize(("name", "group", "test"), CASES)
def test_the_second_verifier_gives_the_stated_verdict(name, group, test):
    assert verdict_of(SECOND[name], verifier.Invalid, group, test) == test["result"], test["comment"]


def test_regenerating_gives_identical_files():
    for name, text in generate.build():
        assert (generate.FOLDER / name).read_text() == text, f"{name}: run python -m tests.vectors.generate"


def test_every_algorithm_has_valid_and_invalid_vectors_and_all_stay_small():
    for name, document in FILES.items():
        results = [test["result"] for group in document["groups"] for test in group["tests"]]
        assert {"valid", "invalid"} == set(results), name
        assert document["count"] == len(results)
        assert all(test["comment"] for group in document["groups"] for test in group["tests"])
    assert sum(path.stat().st_size for path in generate.FOLDER.glob("*.json")) < 600_000


def test_the_second_verifier_imports_nothing_of_the_library():
    allowed = {"hashlib", "collections.abc", "math", "typing", "tests.vectors.verifier"}
    for file in ("verifier.py", "intquad_verifier.py"):
        tree = ast.parse(Path(generate.FOLDER / file).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                assert node.module in allowed
