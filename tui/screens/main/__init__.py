"""The main screen and the actions of its keys, one concern a file.

Never computes what an event means: `tui.run` does.
"""
