"""Checkpoint files of any run: format, write, list, rename, pin, prune.

Never decides what a run saves and when: that is `engine.session.checkpointing`.
"""
