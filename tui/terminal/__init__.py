"""The terminal: its capabilities, the driver, the bytes that are sent. Never knows a run."""
