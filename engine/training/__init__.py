"""The trainer, evaluation, the learning-rate schedule and the prefetching of batches.

Never decides when to evaluate or save.
"""
