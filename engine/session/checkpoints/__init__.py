"""The checkpoints of a run in progress: when they are due, what they contain, how they are written and loaded.

It never defines the file format, nor lists or renames files: that is `engine.checkpoints`.
"""
