"""The status and machine panels, line by line. Never sends a command."""
