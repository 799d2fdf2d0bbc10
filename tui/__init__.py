"""The screen and the command line of `tweetgen-tui`; they reach a session through events and commands only."""
