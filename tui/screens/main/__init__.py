"""The main screen and the controllers of its keys, one concern per file.

Never computes what an event means: `tui.run` does.
"""
