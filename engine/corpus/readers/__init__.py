"""One reader per format: from an open file to its rows. A reader never sees the file's name or another source."""
