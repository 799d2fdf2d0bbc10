"""`tweetgen-tui evaluate`: how well a checkpoint predicts tweets, in bits per character."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from engine.checkpoint_list import resolve_checkpoint
from engine.config import RuntimeConfig
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from tui.formatting import format_count
from tui.options import MACHINE, TWEETS, Given, fields_of, require_files, takes, to_corpus_config
from tui.tables import print_facts, print_json

if TYPE_CHECKING:  # numpy would come with it, before --help is shown
    from engine.corpus.flat import FlatTweets


@takes(TWEETS, MACHINE)
def evaluate(
    given: Given,
    *,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="NAME-OR-PATH", help="What to evaluate; without it, the best of the latest run."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the bits per character of a checkpoint on tweets: those of --data, or else its own held-out ones.

    Every target counts, the end-of-tweet symbol included; a character that the model does not know costs 20 bits more.
    """
    require_files(given, "max_length")
    corpus_config = to_corpus_config(given)
    path = resolve_checkpoint(checkpoint)

    from engine.checkpoint import load_checkpoint
    from engine.corpus.encoded import EncodedTweets
    from engine.evaluation import evaluate as evaluate_tweets
    from engine.runtime import Runtime

    loaded = load_checkpoint(path)
    runtime = Runtime.resolve(RuntimeConfig(**fields_of(RuntimeConfig, given)))
    runtime.apply()
    tweets = EncodedTweets.from_flat(_tweets(corpus_config, loaded.info.corpus), loaded.vocab)
    result = evaluate_tweets(loaded.to_model(runtime.device), tweets, runtime)
    losses = {"bits_per_char": result.bits_per_char, "nats_per_char": result.nats_per_char}
    counts = {
        "num_tweets": result.num_tweets,
        "num_chars": result.num_chars,
        "num_unknown_chars": result.num_unknown_chars,
    }
    if as_json:
        print_json(losses | counts)
        return
    shown = {name: f"{value:.4f}" for name, value in losses.items()}
    shown |= {name: format_count(count) for name, count in counts.items()}
    print_facts((name.replace("_", " "), value) for name, value in shown.items())


def _tweets(wanted: CorpusConfig | None, own: CorpusConfig) -> FlatTweets:
    """Return the tweets to read, having said on stderr which. Raises `CorpusError` where there is none."""
    from engine.corpus.loading import load_corpus, read_tweets
    from tui.reading_bar import reading_bar

    if wanted is None or not wanted.files:
        with reading_bar(Console(stderr=True)) as on_progress:
            corpus = load_corpus(own, on_progress)
        sys.stderr.write(f"the {len(corpus.validation):,} held-out tweets of {corpus.name}\n")
        return corpus.validation
    with reading_bar(Console(stderr=True)) as on_progress:
        tweets, report = read_tweets(wanted, on_progress)
    sys.stderr.write(f"{report}\n")
    if not tweets:
        raise CorpusError("There is no usable tweet to evaluate on.", "Give a file with one tweet per row.")
    return tweets
