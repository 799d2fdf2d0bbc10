"""The vocabulary, frequent n-grams, the GRU, its weights and their average. Never trains, samples or opens a file."""
