"""The vocabulary, the GRU, the buffer and the moving average of its weights. Never trains, samples or opens a file."""
