"""Attacks on INSECURE nodes in this process, each with a control that lacks exactly one named check.

patching      named functions that are replaced for a while: the only place that switches anything off
behaviour     a node that misbehaves: hooks on the honest program
scene         one session with such a node, on the deterministic driver
session       what a session shows: verdict, leaks, two worlds, harm
case          one row: the attack, its control, and what makes it ok
evidence      judging what honest nodes took away
catalogue     all rows
inputs, keys, sharing, products, verification, openings, computing, attempts, release, transport, exhaustion, proofs,
sizes, local  the rows, by what they attack
bids, dealing, deviations, certificates, cheaters, programs, engines, ring, liars, prover, intruder, instance
              attackers and their targets; tests use them, too
"""
