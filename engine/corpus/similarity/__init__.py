"""Near-duplicates, shared runs of characters, and copies, by arrays of 64-bit hashes.

Never compares pairs of texts.
"""
