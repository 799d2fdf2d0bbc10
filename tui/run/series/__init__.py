"""The history of a value by step, bounded however long the run: buckets, and columns for a plot. Never draws."""
