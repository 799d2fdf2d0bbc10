"""The vocabulary, the GRU and the moving average of its weights. Never trains, samples or opens a file."""
