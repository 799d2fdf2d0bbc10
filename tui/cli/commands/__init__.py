"""The commands of `tweetgen-tui`, one module each. Never imports torch or numpy before a command runs."""
