"""Readers of what networks give their users, and of dumps of their posts. They never read private messages."""
