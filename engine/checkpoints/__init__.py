"""Checkpoint files: written, read, listed, renamed, pruned. Never decides when one is saved."""
