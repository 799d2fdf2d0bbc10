"""Settings of a run as frozen dataclasses, their validation and the presets. Reads no file and imports no torch."""
