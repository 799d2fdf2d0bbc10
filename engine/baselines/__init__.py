"""N-gram baselines, entered through `ngrams`: the scores that a model has to beat. Never uses a trained model."""
