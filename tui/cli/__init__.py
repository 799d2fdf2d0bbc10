"""The command line: options, commands and their output.

Never imports Textual or torch before a command needs them.
"""
