"""Auctions: quadratic or step bids over slots, forward or reverse, cleared at maximal welfare."""
