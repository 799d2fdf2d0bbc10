"""Tweets, from files to batches of numbers. Knows no torch.

`files` opens and recognises (one `*_rows.py` per format), `cleaning` keeps or drops, `split` holds out, `loading`
puts these together into a `Corpus`; `encoded` and `batches` turn it into what a model is trained on.
"""

from engine.corpus.batches import BatchStream, Position
from engine.corpus.encoded import Batch, EncodedTweets
from engine.corpus.loading import Corpus, CorpusReport, check_corpus, load_corpus, read_tweets

__all__ = [
    "Batch",
    "BatchStream",
    "Corpus",
    "CorpusReport",
    "EncodedTweets",
    "Position",
    "check_corpus",
    "load_corpus",
    "read_tweets",
]
