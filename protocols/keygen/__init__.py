"""Dealerless generation of the threshold Paillier key (docs/ceremony.md): nobody ever knows the factors of N.

parameters  sizes and public bounds            seeds, merkle, vectors   randomness trees, commitments, encodings
sieve, product, trial, biprime, common_factor  one step of a batch each, as pure functions over vectors
audit       recomputes everything that was said about discarded candidates, and blames
talk        signed rounds, commit and open     batch, theta, ceremony   the protocol
certificate the key with everybody's signature refresh, reshare          new shares of the same key
judge       what a stranger can check of a fault's evidence
"""
