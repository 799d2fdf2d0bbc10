"""One reader per format: from open files to their rows. Only exports of several files depend on names."""
