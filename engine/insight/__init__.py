"""What a model computes along a text: functions of its weights and of token ids.

They train nothing, and never use the global random generators, whose state belongs to the run.
"""
