"""Whole clusters in one process, on a virtual clock, a seeded network and seeded entropy: one seed, one history.

clock     an event loop whose time moves only when everybody waits
plan      what happens in the world of a seed: weather, cuts, a node that misbehaves, the auction
network   packets that are late, lost, doubled and out of order, and links that are cut
members   INSECURE keys of a whole cluster
node      one node: the protocol code of the real nodes between the network and an engine
deviant   a node that misbehaves
watch     what must hold at every step
world     one world from its seed to a verdict
report    many worlds
"""
