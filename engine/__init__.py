"""The engine: corpus, model, trainer, sampler and the session that runs them. Never imports a screen or command line.

Start reading at `session/session.py`; `protocol/commands.py` and `protocol/events.py` define its input and output.
"""
