"""A training session on its worker thread: when to step, sample, evaluate, save, pause and stop.

Never draws anything.
"""
