"""The trainer, evaluation, the schedule, what is fastest on this machine, and what is done where memory runs out.

Never evaluates or saves by itself.
"""
