"""Joint decryption: every node's partial decryptions of a list of ciphertexts with one proof, and their combination."""

from collections.abc import Mapping, Sequence

from gmpy2 import mpz

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import CryptoError
from tacita.crypto.integers import Integer
from tacita.crypto.proofs import decryption
from tacita.crypto.threshold import KeyShare, combine, partial_decrypt
from tacita.crypto.transcript import Context
from tacita.protocols.faults import BadPartialDecryption
from tacita.protocols.stages.setup import Setup


def decrypt_partially(
    setup: Setup, context: Context, share: KeyShare, ciphertexts: Sequence[Integer], entropy: Entropy
) -> bytes:
    """This node's partial decryptions of exactly these ciphertexts, with one proof for all."""
    partials = [partial_decrypt(setup.key, share, c) for c in ciphertexts]
    statement = decryption.statement_for(setup.key, share.index, ciphertexts, partials)
    proof = decryption.prove(setup.key, setup.parameters.group, context, statement, share, entropy)
    writer = Writer()
    for w in partials:
        writer.unsigned(w, setup.key.encryption.ciphertext_bytes)
    return writer.blob(proof.encode(setup.key)).to_bytes()


def verify_partials(setup: Setup, context: Context, ciphertexts: Sequence[Integer], data: bytes) -> list[Integer]:
    """The partial decryptions of the context's prover, verified; raises BadPartialDecryption naming it."""
    node = context.prover
    try:
        reader = Reader(data, f"the partial decryptions of {node}")
        partials = [mpz(reader.unsigned(setup.key.encryption.ciphertext_bytes)) for _ in ciphertexts]
        proof = decryption.Proof.decode(setup.key, reader.blob(1 << 16))
        reader.finish()
        statement = decryption.statement_for(setup.key, setup.roster.index(node) + 1, ciphertexts, partials)
        decryption.verify(setup.key, setup.parameters.group, context, statement, proof)
    except CryptoError as error:
        raise BadPartialDecryption(node, f"its partial decryption is refused: {error}") from error
    return partials


def combined(setup: Setup, partials: Mapping[str, Sequence[Integer]]) -> list[int]:
    """The plaintexts from t+1 nodes' verified partial decryptions."""
    points = {setup.roster.index(node) + 1: values for node, values in partials.items()}
    count = len(next(iter(partials.values())))
    return [int(combine(setup.key, {i: values[j] for i, values in points.items()})) for j in range(count)]
