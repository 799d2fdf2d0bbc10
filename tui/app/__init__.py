"""The Textual app: preferences, notifications, input that arrives early. Never trains."""
