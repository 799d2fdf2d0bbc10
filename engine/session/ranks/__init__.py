"""A run that several processes train: what the leader orders, and how a follower obeys.

The leader is an ordinary session: commands, clock, journal, sampling and saving are its own. The followers train on
their part of each batch, evaluate their share of the validation tweets, and know no user.
"""
