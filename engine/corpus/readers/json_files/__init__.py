"""Readers of JSON and JSON Lines, streamed. They never load a large file whole."""
