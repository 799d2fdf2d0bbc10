"""The vocabulary, the GRU, its weights in one buffer and their moving average. Never trains, samples or opens a file."""
