"""The commands of `tweetgen-tui`. Never imports torch or numpy before a command runs."""
