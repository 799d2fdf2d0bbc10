"""A synthetic corpus of happy tweets, shipped with the program, and the grammar that writes it."""
