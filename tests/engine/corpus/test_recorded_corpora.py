"""What exact resume and comparable figures depend on, of small corpora in every format: recorded, and never to change.

The digest and the order of batches decide what a resumed run trains on, the split what its losses mean, and near-
duplicates and novelty what a report says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.batches import epoch_order
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.loading import load_corpus
from engine.model.vocab import Vocab
from tests.engine.corpus.reading import Container, Files, cases, packed

TWEETS, NEAR = (case.rows for case in cases("tweets"))
REPEATED = [*TWEETS, *NEAR, "THE CAT hugs a red kite", *TWEETS[:3], "", "http://a.example/b", "x" * 150]
LABELLED = [f'{4 if number % 4 else number % 8 // 2},{number},"{tweet}"' for number, tweet in enumerate(TWEETS)]


def lines(texts: Iterable[str], end: str = "\n") -> str:
    return "".join(f"{text}{end}" for text in texts)


def x_archive(tweets: list[str]) -> dict[str, str]:
    """Return an archive of X in two parts."""
    parts = ("data/tweets.js", tweets[:20]), ("data/tweets-part1.js", tweets[20:])
    return {
        name: f"window.YTD.tweets.part{part} = "
        + json.dumps([{"tweet": {"id_str": f"{part}{n}", "full_text": text}} for n, text in enumerate(own)])
        for part, (name, own) in enumerate(parts)
    }


def outbox(tweets: list[str]) -> str:
    public = "https://www.w3.org/ns/activitystreams#Public"
    notes = [{"type": "Note", "content": f"<p>{tweet}</p>", "to": [public]} for tweet in tweets]
    return json.dumps({"orderedItems": [{"type": "Create", "object": note} for note in notes]})


def bluesky(tweets: list[str]) -> str:
    posts = [{"$type": "app.bsky.feed.post", "text": tweet, "createdAt": "2024"} for tweet in tweets]
    return lines(map(json.dumps, posts))


OPTIONS: dict[str, object] = dict.fromkeys(("lowercase", "ascii", "mask_mentions", "strip_links"), True)
FOLDER = {
    "b/z.csv": lines(["text", *(f'"{tweet}"' for tweet in NEAR)]),
    "a.txt": lines(TWEETS),
    "c.json": json.dumps(TWEETS[:9] + NEAR[:2]),
}
POSTS = {"export": {"posts": [{"post": {"text": each}} for each in TWEETS]}}
CORPORA: dict[str, tuple[Files, Container, dict[str, object]]] = {
    "text": ({"a.txt": lines(TWEETS)}, "", {}),
    "text with duplicates and unusable lines": ({"a.txt": lines(REPEATED)}, "", {}),
    "text with duplicates, kept": ({"a.txt": lines(REPEATED)}, "", {"keep_duplicates": True}),
    "text changed by options": ({"a.txt": lines(REPEATED)}, "", {**OPTIONS, "max_length": 60}),
    "text in Windows-1252 with old line ends": ({"a.txt": lines(TWEETS, "\r\n").encode("cp1252", "ignore")}, "", {}),
    "csv with labels": ({"a.csv": lines(["target,id,text", *LABELLED])}, "", {}),
    "csv with labels, all kept": ({"a.csv": lines(["target,id,text", *LABELLED])}, "", {"label": "all"}),
    "JSON lines": ({"a.jsonl": lines(json.dumps({"id": n, "text": each}) for n, each in enumerate(TWEETS))}, "", {}),
    "JSON": ({"a.json": json.dumps(POSTS)}, "", {}),
    "an archive of X": (x_archive(TWEETS), "zip", {}),
    "an outbox of Mastodon": ({"outbox.json": outbox(TWEETS), "likes.json": "{}"}, "tar.gz", {}),
    "Bluesky": ({"a.jsonl": bluesky(TWEETS)}, "", {}),
    "a folder of several formats": (FOLDER, "folder", {}),
}


def hash_of(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def described(config: CorpusConfig) -> str:
    """Return the recorded text of a corpus."""
    corpus = load_corpus(config)
    vocab = Vocab.from_counts(corpus.char_counts, 1)
    tweets = EncodedTweets.from_flat(corpus.train, vocab)
    orders = [
        hash_of(" ".join(map(str, batch)) for batch in epoch_order(tweets.lengths, 8, seed, epoch, weights))
        for seed, epoch, weights in ((0, 0, None), (0, 1, None), (7, 0, np.full(len(tweets), 1.5)))
    ]
    longest = max(corpus.train, key=len)
    copied = [
        corpus.novelty.copied_share(each) for each in (longest, f"{longest} by the sea", longest[30:], "a new one")
    ]
    return "\n".join(
        [
            f"digest       {corpus.digest}",
            f"split        {len(corpus.train)} and {len(corpus.validation)}: {hash_of(corpus.validation)}",
            f"by file      {corpus.num_train_by_file}",
            f"duplicates   {corpus.report.num_duplicates}, near {corpus.report.num_near_duplicates}",
            f"report       {corpus.report}",
            f"vocabulary   {len(vocab)}: {hash_of(vocab.chars)}",
            f"targets      {tweets.num_targets}",
            f"orders       {', '.join(orders)}",
            f"novelty      {len(corpus.novelty.windows)} windows; copied {', '.join(f'{each:.3f}' for each in copied)}",
        ]
    )


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_is_read_split_and_ordered_as_recorded(tmp_path: Path, name: str, snapshot: SnapshotAssertion) -> None:
    files, container, options = CORPORA[name]
    config = CorpusConfig(files=(str(packed(tmp_path, files, container)),), **options)  # type: ignore[arg-type]
    assert described(config) == snapshot
