"""The table of checkpoints and the details of one. Never reads a file."""
