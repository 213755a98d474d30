"""Exact range proof of 24 numbers of 64 bits, as bids use it: 24 ciphertexts and one integer commitment, one proof."""

from statistics import median
from typing import Any

from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SystemEntropy, random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import CommitmentLink, Proof, Statement
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.threshold import deal
from tacita.crypto.transcript import Context
from tacita.deploy.bench.measure import Note, cpu_seconds
from tacita.protocols.faults import VerificationFailed

COUNT, BITS = 24, 64


def run(bits: int, rounds: int, note: Note) -> dict[str, Any]:
    """Median CPU milliseconds to prove and to verify, and the proof's bytes; the key has `bits` bits.

    Proving includes the search for sums of three squares; encrypting and committing are not part of the proof. Every
    proof is verified, and a proof about another ciphertext must be refused.
    """
    note(f"range proof of {COUNT} values of {BITS} bits")
    entropy = SystemEntropy()
    key = deal(bits, 3, 1, entropy)[0].encryption
    parameters = PublicParameters(key, commitment_group())
    values = [random_bits(entropy, BITS) for _ in range(COUNT)]
    encrypted = [key.encrypt(x, entropy) for x in values]
    r = random_bits(entropy, parameters.group.randomness_bits)
    context = Context(entropy.token(32), "bench", "prover", "range")
    relations = Relations()
    numbers = [relations.integer((1 << BITS) - 1) for _ in values]
    for number in numbers:
        relations.in_range(number, 0, (1 << BITS) - 1)
    links = [link(c, number, key.randomness_bits) for (c, _), number in zip(encrypted, numbers, strict=True)]
    whole = CommitmentLink(parameters.group.commit(values, r), tuple((i, i) for i in range(COUNT)))
    statement = relations.statement(links, [whole])
    proofs: list[Proof] = []

    def prove() -> None:
        witness = relations.witness(dict(enumerate(values)), [t for _, t in encrypted], [r], entropy)
        proofs.append(quadratic.prove(parameters, context, statement, witness, entropy))

    def verify() -> None:
        quadratic.verify(parameters, context, statement, proofs[-1])

    prove()  # makes generators and tables
    verify()
    seconds: dict[str, list[float]] = {"prove": [], "verify": []}
    for _ in range(rounds):
        seconds["prove"].append(cpu_seconds(prove, 1))
        seconds["verify"].append(cpu_seconds(verify, 1))
    _refuses_another(parameters, context, statement, proofs[-1])
    return {
        "values": COUNT,
        "value_bits": BITS,
        "key_bits": bits,
        "rounds": rounds,
        "milliseconds": {name: round(1e3 * median(row), 2) for name, row in seconds.items()},
        "slowest_milliseconds": {name: round(1e3 * max(row), 2) for name, row in seconds.items()},
        "bytes": len(proofs[-1].encode(parameters, statement)),
    }


def _refuses_another(parameters: PublicParameters, context: Context, statement: Statement, proof: Proof) -> None:
    swapped = (statement.paillier[1], statement.paillier[0], *statement.paillier[2:])
    ciphertexts = [
        quadratic.PaillierLink(new.ciphertext, old.terms, old.constant, old.randomness_bits)
        for old, new in zip(statement.paillier, swapped, strict=True)
    ]
    other = Statement(statement.bits, statement.quadratics, tuple(ciphertexts), statement.commitments)
    try:
        quadratic.verify(parameters, context, other, proof)
    except InvalidProof:
        return
    raise VerificationFailed("a range proof verifies for other ciphertexts than its own")
