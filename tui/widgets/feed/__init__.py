"""The feed of generated tweets: layout, selection, surprise colours, wrapping. Never sends a command."""
