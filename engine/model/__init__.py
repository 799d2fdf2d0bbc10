"""The vocabulary, the GRU and the average of its weights. Never trains, samples or touches a file."""
