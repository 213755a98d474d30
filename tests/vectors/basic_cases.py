"""Vectors of the transcript, the hash to units and encryption."""

import hashlib
from collections.abc import Iterator
from typing import Any

from gmpy2 import jacobi

from tacita.crypto.commitment import RSA_2048, hash_to_unit
from tacita.crypto.entropy import SeededEntropy, random_below, random_bits
from tacita.crypto.integers import power
from tacita.crypto.transcript import Context, Transcript
from tests.crypto.helpers import INSECURE_OTHER_MODULUS, load_insecure_key, signed_below
from tests.vectors.notation import context_fields, hexadecimal

Operation = tuple[Any, ...]


def _written(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, str):
        return ["text", value]
    return ["integer", hexadecimal(value)]


def _run(protocol: str, context: Context | None, operations: list[Operation]) -> dict[str, Any]:
    transcript, steps, drawn = Transcript(protocol, context), [], []
    for name, label, *rest in operations:
        if name == "absorb":
            transcript.absorb(label, rest[0])
            steps.append(["absorb", label, *_written(rest[0])])
        elif name == "absorb_all":
            transcript.absorb_all(label, rest[0])
            steps.append(["absorb_all", label, [_written(value) for value in rest[0]]])
        else:
            drawn.append([hexadecimal(value) for value in transcript.challenges(label, *rest)])
            steps.append(["challenges", label, *rest])
    return {
        "protocol": protocol,
        "context": context and context_fields(context),
        "operations": steps,
        "challenges": drawn,
        "digest": transcript.digest().hex(),
    }


ALICE = Context(bytes(range(32)), "commit", "alice", "bid")
TRANSCRIPTS: dict[str, tuple[str, Context | None, list[Operation]]] = {
    "nothing absorbed": ("test", None, []),
    "empty protocol name": ("", None, []),
    "a context alone": ("test", ALICE, []),
    "bytes": ("test", None, [("absorb", "x", b"\x00\x01")]),
    "empty bytes": ("test", None, [("absorb", "x", b"")]),
    "text outside ASCII": ("test", None, [("absorb", "x", "Gebot – 投标")]),
    "zero": ("test", None, [("absorb", "x", 0)]),
    "a negative integer": ("test", None, [("absorb", "x", -256)]),
    "a long integer": ("test", None, [("absorb", "x", 3**700)]),
    "an empty label": ("test", None, [("absorb", "", 5)]),
    "a sequence": ("test", None, [("absorb_all", "x", [1, -1, 0, 2**64])]),
    "an empty sequence": ("test", None, [("absorb_all", "x", [])]),
    "one challenge": ("test", ALICE, [("challenges", "e", 1, 128)]),
    "challenges whose bits are no multiple of eight": ("test", ALICE, [("challenges", "rho", 3, 126)]),
    "no challenge": ("test", ALICE, [("challenges", "rho", 0, 128)]),
    "absorb after a challenge": (
        "test",
        ALICE,
        [("absorb", "C", 77), ("challenges", "gamma", 2, 128), ("absorb", "A", 5), ("challenges", "e", 1, 128)],
    ),
}


def _delimited(fields: list[bytes]) -> str:
    return hashlib.sha256(b"$".join(fields)).hexdigest()


def transcript_groups() -> Iterator[Any]:
    """Operations with the challenges and the digest they lead to."""
    runs = {comment: _run(*run) for comment, run in TRANSCRIPTS.items()}
    yield "operations and results", {}, [(comment, True, run) for comment, run in runs.items()]
    long, signed, plain = runs["absorb after a challenge"], runs["a negative integer"], runs["bytes"]
    wrong = [
        ("the digest of a dollar-delimited hash", {**plain, "digest": _delimited([b"x", b"\x00\x01"])}),
        (
            "the digest of the positive integer",
            {**signed, "digest": _run("test", None, [("absorb", "x", 256)])["digest"]},
        ),
        (
            "the digest of the same bytes as text",
            {**plain, "digest": _run("test", None, [("absorb", "x", "\0\1")])["digest"]},
        ),
        ("the digest without the context", {**runs["a context alone"], "digest": runs["nothing absorbed"]["digest"]}),
        ("the challenges in another order", {**long, "challenges": long["challenges"][::-1]}),
        (
            "the digest before the last challenge",
            {**long, "digest": _run("test", ALICE, TRANSCRIPTS["absorb after a challenge"][2][:3])["digest"]},
        ),
        (
            "a sequence without its length",
            {
                **runs["a sequence"],
                "digest": _run("test", None, [("absorb", "x", v) for v in (1, -1, 0, 2**64)])["digest"],
            },
        ),
    ]
    yield "wrong results", {}, [(comment, False, fields) for comment, fields in wrong]


def hash_to_unit_groups() -> Iterator[Any]:
    """Generators and other hashed units."""
    for name, modulus in (("RSA-2048", RSA_2048), ("a small N_c", INSECURE_OTHER_MODULUS), ("toy", 77)):
        cases = []
        for label, index in [("h", 0), ("g*", 0), ("g", 0), ("g", 1), ("g", 257)]:
            fields = {"label": label, "index": index, "value": hexadecimal(hash_to_unit(modulus, label, index))}
            cases.append((f"{label} {index}", True, fields))
        good = hash_to_unit(modulus, "g", 2)
        for comment, value in {
            "the negated element": modulus - good,
            "the square, a public power of the hash": good * good % modulus,
            "the unit of another index": hash_to_unit(modulus, "g", 3),
            "the unit of another label": hash_to_unit(modulus, "h", 2),
            "one": 1,
        }.items():
            # In the toy group two labels may meet in one element.
            cases.append((comment, value == good, {"label": "g", "index": 2, "value": hexadecimal(value)}))
        yield name, {"modulus": hexadecimal(modulus)}, cases


def encryption_groups() -> Iterator[Any]:
    """c = (1 + mN)·h_s^r mod N², and what counts as a ciphertext."""
    dealt, entropy = load_insecure_key(), SeededEntropy("vectors/encryption")
    key = dealt.encryption
    common = {"N": hexadecimal(key.modulus)}
    half, cases = int(key.half), []
    plaintexts = {"zero": 0, "one": 1, "minus one": -1, "the largest": half, "the smallest": -half}
    plaintexts |= {"random": signed_below(entropy, half), "a negative random one": -random_below(entropy, half)}
    for comment, m in plaintexts.items():
        r = random_bits(entropy, key.randomness_bits)
        cases.append((comment, True, _encryption(m, r, key.encrypt_with(m, r))))
    cases.append(("randomness zero", True, _encryption(5, 0, key.with_plaintext(5))))
    r = random_bits(entropy, key.randomness_bits)
    c = key.encrypt_with(5, r)
    cases += [
        ("another plaintext", False, _encryption(6, r, c)),
        ("another randomness", False, _encryption(5, r + 1, c)),
        ("the negated ciphertext", False, _encryption(5, r, key.square - c)),
        (
            "a plaintext of (N+1)/2",
            False,
            _encryption(half + 1, r, key.with_plaintext(half + 1) * key.h_s.power(r) % key.square),
        ),
        ("the plaintext N − 5 in place of −5", False, _encryption(key.modulus - 5, r, key.encrypt_with(-5, r))),
    ]
    yield "encryptions", common, cases
    minus_one = next(x for x in range(2, 1000) if jacobi(x, key.modulus) == -1)
    members = {
        "an encryption": (c, True),
        "one": (1, True),
        "N² − 1": (key.square - 1, True),
        "a sum": (c * c % key.square, True),
        "the negated ciphertext, which decrypts to the same": (key.square - c, True),
        "zero": (0, False),
        "negative": (-c, False),
        "N": (key.modulus, False),
        "N²": (key.square, False),
        "N² + 1": (key.square + 1, False),
        "a ciphertext plus N²": (c + key.square, False),
        "a multiple of p": (dealt.p * 5, False),
        "a multiple of q": (c * dealt.q % key.square, False),
        "Jacobi symbol −1": (c * power(minus_one, key.modulus, key.square) % key.square, False),
    }
    yield "membership", common, [(n, ok, {"ciphertext": hexadecimal(x)}) for n, (x, ok) in members.items()]


def _encryption(plaintext: Any, randomness: Any, ciphertext: Any) -> dict[str, str]:
    return {
        "plaintext": hexadecimal(plaintext),
        "randomness": hexadecimal(randomness),
        "ciphertext": hexadecimal(ciphertext),
    }
