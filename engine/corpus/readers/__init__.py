"""One file per format: from an open file to its rows. No reader looks at a file's name or at another reader."""
