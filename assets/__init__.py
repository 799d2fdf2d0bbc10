"""The embedded corpus, synthetic happy tweets; the grammar that generates it, not in the wheel; the lesson's code."""
