"""One reader per format: from an open file to its rows. A reader never decides by the file's name."""
