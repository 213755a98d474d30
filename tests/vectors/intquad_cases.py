"""Vectors of IntQuad: ranges, products, links of both kinds."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from tacita.crypto.commitment import RSA_2048, commitment_group
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import quadratic
from tacita.crypto.transcript import Context
from tests.crypto.helpers import contexts_that_differ, load_insecure_key, product_instance, range_instance
from tests.vectors.notation import context_fields, hexadecimal, statement_fields
from tests.vectors.proof_cases import ALICE, broken_bytes, flipped

RANGES = {
    "the lower end": ([(0, 100)], [0]),
    "the upper end": ([(0, 100)], [100]),
    "the middle, a perfect square": ([(0, 101)], [50]),
    "a negative range": ([(-50, -10)], [-37]),
    "a range of one value": ([(5, 5)], [5]),
    "64 bits, four values": ([(0, 2**64 - 1)] * 4, [0, 1, 2**63, 2**64 - 1]),
}


def intquad_groups() -> Iterator[Any]:
    """Ranges, products, links of both kinds."""
    dealt, entropy = load_insecure_key(), SeededEntropy("vectors/intquad")
    parameters = dealt.parameters
    common = {"N": hexadecimal(dealt.public.modulus), "N_c": hexadecimal(RSA_2048)}

    def fields(statement: quadratic.Statement, data: bytes, context: Context = ALICE) -> dict[str, Any]:
        return {"context": context_fields(context), "statement": statement_fields(statement), "proof": data.hex()}

    def proven(statement: quadratic.Statement, witness: quadratic.Witness) -> bytes:
        proof = quadratic.prove(parameters, ALICE, statement, witness, entropy)
        return proof.encode(parameters, statement)

    cases: list[Any] = []
    for comment, (ranges, values) in RANGES.items():
        case = range_instance(parameters, entropy, ranges, values)
        cases.append((comment, True, fields(case.statement, proven(case.statement, case.witness))))
    bid = range_instance(parameters, entropy, [(0, 100)], [42], commitment=True)
    data = proven(bid.statement, bid.witness)
    cases.append(("a bid with its commitment", True, fields(bid.statement, data)))
    whole, witness = product_instance(parameters, entropy, x=-30, y=20)
    cases.append(("an encrypted product", True, fields(whole, proven(whole, witness))))
    bare = dataclasses.replace(whole, commitments=())
    bare_data = proven(bare, dataclasses.replace(witness, commitments=()))
    cases.append(("a product without a commitment link", True, fields(bare, bare_data)))
    lone = dataclasses.replace(whole, paillier=(), quadratics=())
    cases.append(
        ("a commitment link alone", True, fields(lone, proven(lone, dataclasses.replace(witness, paillier=()))))
    )
    yield "valid proofs", common, cases

    cases = [(f"another {name}", False, fields(bid.statement, data, c)) for name, c in contexts_that_differ(ALICE)]
    for comment, broken in broken_bytes(data, _ends(parameters, bid.statement)).items():
        cases.append((comment, False, fields(bid.statement, broken)))
    for comment, statement in _other_statements(dealt, bid.statement).items():
        cases.append((comment, False, fields(statement, data)))
    proof = quadratic.Proof.decode(parameters, bid.statement, data)
    n_c = parameters.group.modulus
    for comment, change in {
        "C negated": {"commitment": n_c - proof.commitment},
        "C_* negated": {"cross": n_c - proof.cross},
        "C_* of zero": {"cross": 0},
        "z_P congruent but beyond its bound": {
            "paillier": proof.paillier
            + _beyond(proof.paillier, quadratic._Sizes(parameters, bid.statement).paillier, dealt)
        },
    }.items():
        lie = dataclasses.replace(proof, **change)
        cases.append((comment, False, fields(bid.statement, lie.encode(parameters, bid.statement))))
    cases.append(
        (
            "z_x of one although there is no commitment link",
            False,
            fields(bare, flipped(bare_data, len(bare_data) - 1)),
        )
    )
    yield "invalid proofs", common, cases


def _beyond(response: Any, bits: int, dealt: Any) -> int:
    """The smallest multiple of the group order that carries the response over its bound 2^(bits + 1)."""
    order = (dealt.p - 1) * (dealt.q - 1)
    return -(-((1 << (bits + 1)) - int(response)) // order) * order


def _ends(parameters: Any, statement: quadratic.Statement) -> dict[str, int]:
    """Where each field of an encoded proof ends."""
    sizes, ends, at = quadratic._Sizes(parameters, statement), {}, 0
    widths = {"C": 256, "C_*": 256, "e": 16}
    widths |= {f"z_{i}": (bits + 9) // 8 for i, bits in enumerate(sizes.values)}
    widths |= {"z_r": (sizes.randomness + 8) // 8, "z_*": (sizes.randomness + 8) // 8}
    widths |= {"z_P": (sizes.paillier + 8) // 8, "z_x": (sizes.links + 8) // 8}
    for name, width in widths.items():
        at += width
        ends[name] = at
    return ends


def _other_statements(dealt: Any, statement: quadratic.Statement) -> dict[str, quadratic.Statement]:
    """Statements for which the proof was not made."""
    key, link, external = dealt.encryption, statement.paillier[0], statement.commitments[0]
    form = statement.quadratics[0]

    def paillier(**change: Any) -> quadratic.Statement:
        return dataclasses.replace(statement, paillier=(dataclasses.replace(link, **change),))

    def relation(**change: Any) -> quadratic.Statement:
        return dataclasses.replace(statement, quadratics=(dataclasses.replace(form, **change),))

    def commitment(**change: Any) -> quadratic.Statement:
        return dataclasses.replace(statement, commitments=(dataclasses.replace(external, **change),))

    return {
        "one bit more for a witness": dataclasses.replace(statement, bits=(statement.bits[0] + 1, *statement.bits[1:])),
        "a witness more": dataclasses.replace(statement, bits=(*statement.bits, 8)),
        "a witness less": dataclasses.replace(statement, bits=statement.bits[:-1]),
        "another constant in the relation": relation(constant=form.constant + 4),
        "another coefficient": relation(linear=tuple((i, k + 4) for i, k in form.linear)),
        "a product less": relation(products=form.products[:-1]),
        "a relation less": dataclasses.replace(statement, quadratics=()),
        "a relation twice": dataclasses.replace(statement, quadratics=(form, form)),
        "a relation about a witness that does not exist": relation(linear=((9, 1),)),
        "a relation about a negative index": relation(linear=((-1, 1),)),
        "the ciphertext plus one": paillier(ciphertext=link.ciphertext * (1 + key.modulus) % key.square),
        "a ciphertext of zero": paillier(ciphertext=0),
        "the ciphertext plus N²": paillier(ciphertext=link.ciphertext + key.square),
        "another constant in the link": paillier(constant=1),
        "another coefficient in the link": paillier(terms=((0, 2),)),
        "another bound of the randomness": paillier(randomness_bits=link.randomness_bits + 1),
        "a link less": dataclasses.replace(statement, paillier=()),
        "a link twice": dataclasses.replace(statement, paillier=(link, link)),
        "the commitment negated": commitment(commitment=RSA_2048 - external.commitment),
        "a commitment under another generator": commitment(terms=((1, 0),)),
        "a commitment under a generator that does not exist": commitment(terms=((4, 0),)),
        "a commitment to another value": commitment(
            commitment=commitment_group().canonical(external.commitment * commitment_group().generators(1)[0])
        ),
        "a commitment link less": dataclasses.replace(statement, commitments=()),
    }
