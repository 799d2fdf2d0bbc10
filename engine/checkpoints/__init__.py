"""Checkpoint files: save, load, list, rename, pin, prune. Never decides when to save one."""
