"""How objects are written in the vector files: integers in hexadecimal with a sign, bytes in hexadecimal."""

from collections.abc import Iterable
from typing import Any

from tacita.crypto.integers import Integer
from tacita.crypto.proofs.quadratic import CommitmentLink, PaillierLink, Quadratic, Statement
from tacita.crypto.threshold import ThresholdKey
from tacita.crypto.transcript import Context


def hexadecimal(value: Integer) -> str:
    """-26 as "-1a"."""
    return format(int(value), "x")


def terms(pairs: Iterable[tuple[Integer, ...]]) -> list[list[Any]]:
    """Index, …, coefficient: the last one in hexadecimal."""
    return [[*map(int, indices), hexadecimal(k)] for *indices, k in pairs]


def context_fields(context: Context) -> dict[str, str]:
    """A context as JSON."""
    return {
        "session": context.session.hex(),
        "round": context.round,
        "prover": context.prover,
        "object": context.object,
    }


def statement_fields(statement: Statement) -> dict[str, Any]:
    """An IntQuad statement as JSON."""
    return {
        "bits": list(statement.bits),
        "quadratics": [
            {"products": terms(q.products), "linear": terms(q.linear), "constant": hexadecimal(q.constant)}
            for q in statement.quadratics
        ],
        "paillier": [
            {
                "ciphertext": hexadecimal(link.ciphertext),
                "terms": terms(link.terms),
                "constant": hexadecimal(link.constant),
                "tau": link.randomness_bits,
            }
            for link in statement.paillier
        ],
        "commitments": [
            {"commitment": hexadecimal(link.commitment), "terms": [list(pair) for pair in link.terms]}
            for link in statement.commitments
        ],
    }


def key_fields(key: ThresholdKey) -> dict[str, Any]:
    """The public side of a threshold key as JSON."""
    return {
        "N": hexadecimal(key.modulus),
        "parties": key.parties,
        "threshold": key.threshold,
        "kappa": hexadecimal(key.kappa),
        "mu": hexadecimal(key.mu),
        "sigma": key.sigma,
        "v": hexadecimal(key.v),
        "verification": [hexadecimal(value) for value in key.verification],
        "epoch": key.epoch,
        "provenance": key.provenance,
    }


def read_context(fields: dict[str, str]) -> Context:
    """The inverse of context_fields."""
    return Context(bytes.fromhex(fields["session"]), fields["round"], fields["prover"], fields["object"])


def _triples(rows: list[list[Any]]) -> tuple[Any, ...]:
    return tuple((*indices, int(k, 16)) for *indices, k in rows)


def read_statement(fields: dict[str, Any]) -> Statement:
    """The inverse of statement_fields."""
    return Statement(
        tuple(fields["bits"]),
        tuple(
            Quadratic(_triples(q["products"]), _triples(q["linear"]), int(q["constant"], 16))
            for q in fields["quadratics"]
        ),
        tuple(
            PaillierLink(int(p["ciphertext"], 16), _triples(p["terms"]), int(p["constant"], 16), p["tau"])
            for p in fields["paillier"]
        ),
        tuple(
            CommitmentLink(int(c["commitment"], 16), tuple(tuple(pair) for pair in c["terms"]))
            for c in fields["commitments"]
        ),
    )


def read_key(fields: dict[str, Any]) -> ThresholdKey:
    """The inverse of key_fields."""
    return ThresholdKey(
        modulus=int(fields["N"], 16),
        parties=fields["parties"],
        threshold=fields["threshold"],
        kappa=int(fields["kappa"], 16),
        mu=int(fields["mu"], 16),
        sigma=fields["sigma"],
        v=int(fields["v"], 16),
        verification=tuple(int(value, 16) for value in fields["verification"]),
        epoch=fields["epoch"],
        provenance=fields["provenance"],
    )
