"""The terminal: its capabilities, Textual's driver, output pacing and compaction. Never imports a run or a widget."""
