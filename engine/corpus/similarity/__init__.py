"""Which tweets say the same: near-duplicates, shared runs, copies.

All of it works on arrays of 64-bit hashes, never on pairs of texts.
"""
