"""The parts of the page that `tweetgen-tui export html` writes: template, style sheet, and plain JavaScript."""
