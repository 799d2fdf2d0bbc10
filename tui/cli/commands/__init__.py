"""What the commands of `tweetgen-tui` do, one file each. Torch is imported inside the functions that need it."""
