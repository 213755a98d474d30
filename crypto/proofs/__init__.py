"""One proof, one file: Statement, Witness, Proof, prove, verify. `verify` returns None or raises InvalidProof."""
