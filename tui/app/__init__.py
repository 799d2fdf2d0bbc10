"""The Textual app: the main screen over a run, what its keys do, leaving, pins, recordings. Never trains."""
