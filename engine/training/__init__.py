"""The trainer, evaluation and the learning-rate schedule.

Never decides when to evaluate or save.
"""
