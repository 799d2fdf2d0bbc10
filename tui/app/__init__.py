"""The Textual app: preferences, notifications, signals, keys typed ahead. Never trains."""
