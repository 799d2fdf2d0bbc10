"""A run that several processes train: the leases of the leader, and how a follower executes them.

The leader is an ordinary session: commands, clock, journal, evaluation, sampling and saving are its own. The followers
train on their part of each batch, and read no command.
"""
