"""One reader per format: from an open file to its rows. Only X's, of several files, depends on names."""
