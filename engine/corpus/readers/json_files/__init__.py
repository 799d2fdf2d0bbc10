"""Readers of JSON and JSON Lines, streamed. They never hold a whole file in memory."""
