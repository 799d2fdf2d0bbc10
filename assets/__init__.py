"""The embedded corpus, synthetic happy tweets, and the grammar that generates it; only the corpus is in the wheel."""
