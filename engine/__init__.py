"""The engine: vocabulary, GRU, trainer, sampler and the session that runs them. Knows no screen and no command line.

Start reading at `session/session.py`; `protocol/events/` and `protocol/commands.py` are the two vocabularies that it
speaks.
"""
