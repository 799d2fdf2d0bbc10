"""The trainer, evaluation, n-gram baselines, the schedule, the fastest settings, and retries where memory runs out.

Never evaluates or saves by itself.
"""
