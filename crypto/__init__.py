"""Integers, encryption, commitments, signatures and proofs: no session, no socket, no clock, no file."""
