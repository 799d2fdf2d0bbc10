"""The terminal: its capabilities, Textual's driver, its output, and themes. Never imports a run or a widget."""
