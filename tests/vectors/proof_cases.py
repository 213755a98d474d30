"""Vectors of the proofs and of threshold decryption."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from tacita.crypto.commitment import RSA_2048, commitment_group
from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.proofs import decryption, knowledge
from tacita.crypto.threshold import partial_decrypt
from tacita.crypto.transcript import Context
from tests.crypto.helpers import contexts_that_differ, load_insecure_key
from tests.vectors.notation import context_fields, hexadecimal, key_fields

ALICE = Context(bytes(range(32)), "commit", "alice", "bid")
NODE = Context(bytes(range(32)), "release", "node 1", "outputs")


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def broken_bytes(data: bytes, fields: dict[str, int]) -> dict[str, bytes]:
    """One flipped bit at the end of each field, and wrong lengths."""
    broken = {f"one bit of {name}": flipped(data, end - 1) for name, end in fields.items()}
    return broken | {"no bytes": b"", "the last byte missing": data[:-1], "a byte too many": data + b"\0"}


def knowledge_groups() -> Iterator[Any]:
    """Proofs of knowledge of one plaintext."""
    dealt, entropy = load_insecure_key(), SeededEntropy("vectors/knowledge")
    parameters, key = dealt.parameters, dealt.encryption
    cases: list[Any] = []

    def fields(c: Any, data: bytes, context: Context = ALICE) -> dict[str, Any]:
        return {"context": context_fields(context), "ciphertext": hexadecimal(c), "proof": data.hex()}

    for m in (0, -1, int(key.half), 123456789):
        c, r = key.encrypt(m, entropy)
        proof = knowledge.prove(parameters, ALICE, knowledge.Statement(c), knowledge.Witness(m, r), entropy)
        data = proof.encode(parameters)
        cases.append((f"plaintext {m if abs(m) < 10**9 else '(N−1)/2'}", True, fields(c, data)))
    for name, other in contexts_that_differ(ALICE):
        cases.append((f"another {name}", False, fields(c, data, other)))
    for comment, bad in broken_bytes(data, {"e": 16, "z": 80, "s": len(data)}).items():
        cases.append((comment, False, fields(c, bad)))
    order = (dealt.p - 1) * (dealt.q - 1)
    unreduced = proof
    while unreduced.plaintext + key.modulus >= 1 << key.bits:
        unreduced = knowledge.prove(parameters, ALICE, knowledge.Statement(c), knowledge.Witness(m, r), entropy)
    unreduced = dataclasses.replace(unreduced, plaintext=unreduced.plaintext + key.modulus)
    cases.append(("z not reduced modulo N", False, fields(c, unreduced.encode(parameters))))
    beyond = proof.randomness + ((1 << 513) - proof.randomness + order - 1) // order * order
    cases.append(
        (
            "s congruent but beyond its bound",
            False,
            fields(c, dataclasses.replace(proof, randomness=beyond).encode(parameters)),
        )
    )
    cases.append(("the ciphertext plus one", False, fields(c * (1 + key.modulus) % key.square, data)))
    cases.append(("the ciphertext re-randomised", False, fields(c * key.h_s.base % key.square, data)))
    cases.append(("a ciphertext of zero", False, fields(0, data)))
    cases.append(("the ciphertext plus N²", False, fields(c + key.square, data)))
    yield "proofs of knowledge", {"N": hexadecimal(key.modulus), "N_c": hexadecimal(RSA_2048)}, cases


def decryption_groups() -> Iterator[Any]:
    """Proofs of correct partial decryption."""
    dealt, entropy = load_insecure_key(), SeededEntropy("vectors/decryption")
    key, group, square = dealt.public, commitment_group(), int(dealt.encryption.square)
    common = {"key": key_fields(key), "N_c": hexadecimal(RSA_2048)}

    def fields(statement: decryption.Statement, data: bytes, context: Context = NODE) -> dict[str, Any]:
        return {
            "context": context_fields(context),
            "index": statement.index,
            "ciphertexts": [hexadecimal(c) for c in statement.ciphertexts],
            "partials": [hexadecimal(w) for w in statement.partials],
            "proof": data.hex(),
        }

    def made(share: Any, count: int, flip: bool = False) -> tuple[decryption.Statement, bytes]:
        ciphertexts = [dealt.encryption.encrypt(random_bits(entropy, 64), entropy)[0] for _ in range(count)]
        partials = [partial_decrypt(key, share, c) for c in ciphertexts]
        partials = [square - w for w in partials] if flip else partials
        statement = decryption.Statement(share.index, tuple(ciphertexts), tuple(partials))
        proof = decryption.prove(key, group, NODE, statement, share, entropy)
        return statement, proof.encode(key)

    cases: list[Any] = []
    for share, count in [(dealt.shares[1], 1), (dealt.shares[2], 3)]:
        cases.append((f"node {share.index}, {count} ciphertexts", True, fields(*made(share, count))))
    cases.append(("signs flipped, by design", True, fields(*made(dealt.shares[0], 2, flip=True))))
    statement, data = made(dealt.shares[0], 2)
    cases.append(("node 1, two ciphertexts", True, fields(statement, data)))
    for name, other in contexts_that_differ(NODE):
        cases.append((f"another {name}", False, fields(statement, data, other)))
    for comment, broken in broken_bytes(data, {"e": 16, "z": len(data)}).items():
        cases.append((comment, False, fields(statement, broken)))
    (c, d), (w, x) = statement.ciphertexts, statement.partials
    for comment, (index, ciphertexts, partials) in {
        "another node": (2, (c, d), (w, x)),
        "a node of index zero": (0, (c, d), (w, x)),
        "a node that does not exist": (4, (c, d), (w, x)),
        "the partials swapped": (1, (c, d), (x, w)),
        "both swapped": (1, (d, c), (x, w)),
        "a partial shifted by one plaintext": (1, (c, d), (w * (1 + key.modulus) % square, x)),
        "errors that cancel": (1, (c, d), (w * key.v % square, x * pow(key.v, -1, square) % square)),
        "a partial of zero": (1, (c, d), (0, x)),
        "a partial plus N²": (1, (c, d), (w + square, x)),
        "a partial less": (1, (c, d), (w,)),
        "a partial more": (1, (c, d), (w, x, w)),
        "a ciphertext less": (1, (c,), (w, x)),
        "the first pair alone": (1, (c,), (w,)),
        "nothing at all": (1, (), ()),
        "another ciphertext": (1, (c * d % square, d), (w, x)),
        "a ciphertext of zero": (1, (0, d), (w, x)),
        "a ciphertext plus N²": (1, (c + square, d), (w, x)),
    }.items():
        cases.append((comment, False, fields(decryption.Statement(index, ciphertexts, partials), data)))
    yield "decryption proofs", common, cases
    next_epoch = dataclasses.replace(key, epoch=1)
    yield (
        "another refresh epoch",
        {**common, "key": key_fields(next_epoch)},
        [("a proof of epoch 0", False, fields(statement, data))],
    )


def combine_groups() -> Iterator[Any]:
    """Plaintexts from partial decryptions."""
    dealt, entropy = load_insecure_key(), SeededEntropy("vectors/combine")
    key, square, half = dealt.public, int(dealt.encryption.square), int(dealt.encryption.half)
    cases: list[Any] = []

    def fields(partials: dict[int, Any], plaintext: int) -> dict[str, Any]:
        return {"partials": {i: hexadecimal(w) for i, w in partials.items()}, "plaintext": hexadecimal(plaintext)}

    for m in (0, 1, -1, half, -half, 987654321):
        c = dealt.encryption.encrypt(m, entropy)[0]
        all_three = {share.index: int(partial_decrypt(key, share, c)) for share in dealt.shares}
        name = str(m) if abs(m) < 10**10 else "extreme"
        cases.append((f"all nodes, plaintext {name}", True, fields(all_three, m)))
        for absent in all_three:
            quorum = {i: w for i, w in all_three.items() if i != absent}
            cases.append((f"without node {absent}, plaintext {name}", True, fields(quorum, m)))
    w = all_three
    cases += [
        ("signs flipped", True, fields({1: square - w[1], 2: w[2]}, m)),
        ("one node alone", False, fields({1: w[1]}, m)),
        ("nobody", False, fields({}, m)),
        ("another plaintext", False, fields(w, m + 1)),
        ("the plaintext plus N", False, fields(w, m + key.modulus)),
        ("a partial multiplied by three", False, fields({**w, 1: w[1] * 3 % square}, m)),
        ("a partial shifted by one plaintext", False, fields({**w, 1: w[1] * (1 + key.modulus) % square}, m)),
        ("two partials swapped", False, fields({1: w[2], 2: w[1]}, m)),
        (
            "a node of index zero that chooses the plaintext",
            False,
            fields({0: 1 + 777 * key.modulus, 3: w[3]}, _chosen(key)),
        ),
        ("a node that does not exist", False, fields({3: w[3], 4: w[1]}, m)),
    ]
    yield "combinations", {"key": key_fields(key)}, cases


def _chosen(key: Any) -> int:
    """What 1 + 777·N in the place of node 0 would decrypt to: u = w_0^{2Δ}."""
    plaintext = 2 * key.delta * 777 * pow(4 * key.kappa, -1, key.modulus) % key.modulus
    return plaintext if 2 * plaintext < key.modulus else plaintext - key.modulus
