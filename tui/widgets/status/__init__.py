"""The status and machine panels and the lines of text in them. Never sends a command."""
