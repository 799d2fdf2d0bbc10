"""`tweetgen-tui evaluate`: how well a checkpoint predicts tweets, and the quality of those it samples."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.checkpoints.catalog import require_trusted_corpus, resolve_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import RuntimeConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CorpusError
from engine.text import counted
from tui.cli.options import (
    MACHINE,
    TWEETS,
    AsJson,
    Checkpoint,
    GivenOptions,
    OptionGroup,
    fields_of,
    require_data,
    require_effect,
    to_corpus_config,
    with_options,
)
from tui.cli.output import (
    passing_folder,
    print_facts,
    print_json,
    print_table,
    report,
    report_checkpoint,
    show_progress,
)

if TYPE_CHECKING:  # they import numpy or torch
    from engine.checkpoints.format import CheckpointInfo
    from engine.corpus.arrays import FlatTweets
    from engine.corpus.corpus import Corpus
    from engine.sampling.generation import Comparison, GeneratedTweet, Generator, Quality

DATA = OptionGroup(
    "Tweets",
    CorpusConfig,
    ("files",),
    "File, folder or archive of tweets, or - for standard input; repeatable. Default: the checkpoint's own validation "
    "tweets.",
)
QUALITY = OptionGroup("Quality", SamplingConfig, ("temperature",))
_DEFAULT_COUNT = 1000
_LABELS = {
    "bits_per_char": "bits/char",
    "nats_per_char": "nats/char",
    "num_tweets": "tweets",
    "num_chars": "characters",
    "num_unknown_chars": "outside the vocabulary",
}
"""Display names of the figures, by JSON name."""


@with_options(DATA, *TWEETS[1:], MACHINE, QUALITY)
def evaluate(
    given: GivenOptions,
    *,
    checkpoint: Checkpoint = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Compare with uniform, unigram and Witten-Bell 2- to 7-gram models of the training tweets.",
        ),
    ] = False,
    quality: Annotated[
        bool,
        typer.Option(
            "--quality", help="Sample tweets, and compare known words, diversity, copies and lengths with real ones."
        ),
    ] = False,
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            metavar="N",
            min=1,
            rich_help_panel="Quality",
            help="Tweets to sample.",
            show_default="1000",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            rich_help_panel="Quality",
            help="Seed of the first tweet, plus 1 for each further one.",
            show_default="0",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the bits per character of a checkpoint.

    It is evaluated on --data, or by default on its own validation tweets. Every target counts, <EOS> included; a
    character outside the vocabulary costs 20 bits more. What is piped in is not stored.

    Examples:
    tweetgen-tui evaluate
    tweetgen-tui evaluate --data other.csv --json
    tweetgen-tui evaluate --baselines --quality
    """
    require_data(given, "max_length")
    of_quality = {"count": count, "seed": seed, "temperature": given.get("temperature")}
    require_effect(of_quality, "without --quality", "Add --quality.", has_effect=quality)
    sampling = SamplingConfig(temperature=given.get("temperature", SamplingConfig.temperature))
    runtime_config = RuntimeConfig(**fields_of(RuntimeConfig, given))

    from engine.checkpoints.checkpoint import load_checkpoint
    from engine.compute.device import Runtime
    from engine.corpus.arrays import EncodedTweets
    from engine.sampling.generation import Generator
    from engine.training.baselines import baseline_bits
    from engine.training.evaluation import evaluate as evaluate_tweets

    with passing_folder() as folder:
        corpus_config = to_corpus_config(given, folder)
        path = resolve_checkpoint(checkpoint)
        loaded = load_checkpoint(path)
        report_checkpoint(path, loaded.info)
        runtime = Runtime.resolve(runtime_config)
        runtime.apply()
        files = corpus_config if corpus_config and corpus_config.files else None
        compares = baselines or quality
        named = files.files if files else ()
        own = None if files and not compares else _own_corpus(path, loaded.info, named, must_be_same=compares)
        tweets = _tweets(files, own)
    encoded = EncodedTweets.from_flat(tweets, loaded.vocab)
    result = evaluate_tweets(loaded.to_model(runtime.device), encoded)
    bits, comparison = None, None
    if own and baselines:
        with show_progress() as on_progress:
            train = EncodedTweets.from_flat(own.train, loaded.vocab)
            bits = baseline_bits(train, encoded, len(loaded.vocab), on_progress)
    if own and quality:
        seeds = range(seed or 0, (seed or 0) + (count or _DEFAULT_COUNT))
        comparison = _compared(Generator(path, runtime_config), sampling, seeds, tweets, own)
    figures = {name: getattr(result, name) for name in _LABELS}
    if as_json:
        computed = {"baselines": bits, "quality": comparison}
        print_json(figures | {name: value for name, value in computed.items() if value is not None})
        return
    shown = {name: f"{value:,}" if isinstance(value, int) else f"{value:.4f}" for name, value in figures.items()}
    print_facts((_LABELS[name], value) for name, value in shown.items())
    if bits is not None:
        _print_baselines(result.bits_per_char, bits)
    if comparison is not None:
        _print_quality(comparison)


def _own_corpus(path: Path, info: CheckpointInfo, named: tuple[str, ...], *, must_be_same: bool) -> Corpus:
    """Return the corpus that the checkpoint at `path` was trained on.

    Raises `CorpusError`, with `must_be_same` also if it changed, and `CheckpointError` if the checkpoint is imported
    and its files are not `named`.
    """
    from engine.corpus.corpus import load_corpus

    require_trusted_corpus(path, info, named)
    with show_progress() as on_progress:
        corpus = load_corpus(info.corpus, on_progress)
    if must_be_same and corpus.digest != info.corpus_digest:
        raise CorpusError(
            f"{corpus.name} has changed since the checkpoint was trained on it.",
            "Omit --baselines and --quality, which need the original training tweets.",
        )
    return corpus


def _tweets(files: CorpusConfig | None, own: Corpus | None) -> FlatTweets:
    """Return the tweets of `files`, or else the validation tweets; report on stderr which. Raises `CorpusError`."""
    from engine.corpus.corpus import read_tweets

    if files is None and own is not None:
        report(f"{counted(len(own.validation), 'validation tweet')} of {own.name}")
        return own.validation
    with show_progress() as on_progress:
        tweets, found = read_tweets(files or CorpusConfig(), on_progress)
    report(str(found))
    if not tweets:
        raise CorpusError("No usable tweet to evaluate on.", "Give a file with one tweet per row.")
    return tweets


def _compared(
    generator: Generator, sampling: SamplingConfig, seeds: range, tweets: FlatTweets, own: Corpus
) -> Comparison:
    """Sample a tweet per seed, and return their figures beside those of `tweets`."""
    from engine.sampling.generation import compare

    sampling = replace(sampling, max_length=generator.info.sampling.max_length)
    written: list[GeneratedTweet] = []
    with show_progress() as on_progress:
        for tweet in generator.generate(len(seeds), sampling, seeds[0]):
            written.append(tweet)
            on_progress(len(written) / len(seeds), "writing tweets")
    return compare(written, tweets, own)


def _print_baselines(of_model: float, of_baselines: Mapping[str, float]) -> None:
    """Print bits per character, one model per line, and mark the best."""
    sys.stdout.write("\n")
    titles = {name: re.sub(r"^witten_bell_(.*)", r"Witten-Bell \1-gram", name) for name in of_baselines}
    bits = {titles[name]: value for name, value in of_baselines.items()} | {"this model": of_model}
    best = min(bits, key=lambda title: bits[title])
    rows = ((title, f"{value:.4f}", "best" if title == best else "") for title, value in bits.items())
    print_table(("model", "bits/char", ""), rows)


def _print_quality(comparison: Comparison) -> None:
    """Print figures of sampled tweets beside those of real ones."""
    sys.stdout.write("\n")
    columns = [_cells(comparison.written), _cells(comparison.held_out)]
    training = {"mean chars": f"{comparison.train_mean_chars:.1f}"}
    rows = ((name, *(column[name] for column in columns), training.get(name, "")) for name in columns[0])
    print_table(("tweets", "sampled", "validation", "training"), rows)


def _cells(quality: Quality) -> dict[str, str]:
    """Return the figures formatted, by display name."""
    shares = {
        "known words": quality.known_word_share,
        "distinct-3": quality.distinct_3,
        "copies": quality.copy_share,
        "near-copies": quality.near_copy_share,
        "ended by <EOS>": quality.ended_share,
    }
    return {
        "number": f"{quality.num_tweets:,}",
        **{name: f"{100 * share:.1f} %" for name, share in shares.items()},
        "mean chars": f"{quality.mean_chars:.1f}",
    }
