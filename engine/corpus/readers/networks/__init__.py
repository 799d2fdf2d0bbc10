"""Readers of archives that social networks export, and of dumps of their posts. They never read private messages."""
