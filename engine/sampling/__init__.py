"""Generation of tweets: logits, temperature and truncation, the sampler and its quality measures.

Never changes a weight.
"""
