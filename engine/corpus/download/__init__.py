"""Data sets that can be downloaded by name, and resumable downloads. Never parses a downloaded file."""
