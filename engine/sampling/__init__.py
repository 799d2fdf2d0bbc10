"""Generation of tweets: logits to distribution, sampling, and the quality of the result. Never changes a weight."""
