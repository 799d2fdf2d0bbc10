"""A training session: when to step, sample, evaluate, save, pause and stop.

It never draws anything and computes no gradient.
"""
