"""Readers of the archives that X, Mastodon and Bluesky give their users. They never look at a file's name."""
