"""Stabilisation: how many coins to issue or buy back to keep the price near its target, from private scenarios."""
