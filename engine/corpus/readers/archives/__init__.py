"""Readers of the archives that X, Mastodon and Bluesky give their users. They never read private messages."""
