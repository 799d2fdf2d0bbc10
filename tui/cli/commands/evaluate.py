"""`tweetgen-tui evaluate`: how well a checkpoint predicts tweets, and the quality of those it samples."""

from __future__ import annotations

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
from engine.corpus.report import counted
from engine.errors import ConfigError, CorpusError
from tui.cli.completion import complete_checkpoint
from tui.cli.options import (
    MACHINE,
    TWEETS,
    GivenOptions,
    OptionGroup,
    fields_of,
    require_files,
    to_corpus_config,
    with_options,
)
from tui.cli.output.checkpoint_line import print_checkpoint
from tui.cli.output.evaluation_tables import print_evaluation, print_evaluation_json
from tui.cli.output.progress_display import passing_folder, show_progress

if TYPE_CHECKING:  # they import numpy or torch
    from engine.checkpoints.format import CheckpointInfo
    from engine.corpus.arrays import EncodedTweets, FlatTweets
    from engine.corpus.corpus import Corpus
    from engine.sampling.generation import Comparison, GeneratedTweet, Generator

DATA = OptionGroup(
    "Tweets",
    CorpusConfig,
    ("files",),
    "File, folder or archive of tweets, or - for standard input; repeatable. Default: the checkpoint's own validation "
    "tweets.",
)
QUALITY = OptionGroup("Quality", SamplingConfig, ("temperature",))
_DEFAULT_COUNT = 1000


@with_options(DATA, *TWEETS[1:], MACHINE, QUALITY)
def evaluate(
    given: GivenOptions,
    *,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_checkpoint,
            help="Name or path of the checkpoint; by default the best of the latest run.",
        ),
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the bits per character of a checkpoint.

    It is evaluated on --data, or by default on its own validation tweets. Every target counts, <EOS> included; a
    character outside the vocabulary costs 20 bits more. What is piped in is not stored.

    Examples:
    tweetgen-tui evaluate
    tweetgen-tui evaluate --data other.csv --json
    tweetgen-tui evaluate --baselines --quality
    """
    require_files(given, "max_length")
    _require_quality({"count": count, "seed": seed, "temperature": given.get("temperature")}, is_given=quality)
    sampling = SamplingConfig(temperature=given.get("temperature", SamplingConfig.temperature))
    runtime_config = RuntimeConfig(**fields_of(RuntimeConfig, given))

    from engine.checkpoints.checkpoint import load_checkpoint
    from engine.compute.device import Runtime
    from engine.corpus.arrays import EncodedTweets
    from engine.sampling.generation import Generator
    from engine.training.evaluation import evaluate as evaluate_tweets

    with passing_folder() as folder:
        corpus_config = to_corpus_config(given, folder)
        path = resolve_checkpoint(checkpoint)
        loaded = load_checkpoint(path)
        print_checkpoint(path, loaded.info)
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
        train = EncodedTweets.from_flat(own.train, loaded.vocab)
        bits = _bits_of_baselines(train, encoded, len(loaded.vocab))
    if own and quality:
        seeds = range(seed or 0, (seed or 0) + (count or _DEFAULT_COUNT))
        comparison = _compared(Generator(path, runtime_config), sampling, seeds, tweets, own)
    (print_evaluation_json if as_json else print_evaluation)(result, bits, comparison)


def _require_quality(given: Mapping[str, object], *, is_given: bool) -> None:
    """Raise `ConfigError` for options of --quality without it."""
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None and not is_given:
        raise ConfigError(f"--{name} has no effect without --quality.", "Add --quality.")


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
        sys.stderr.write(f"{counted(len(own.validation), 'validation tweet')} of {own.name}\n")
        return own.validation
    with show_progress() as on_progress:
        tweets, report = read_tweets(files or CorpusConfig(), on_progress)
    sys.stderr.write(f"{report}\n")
    if not tweets:
        raise CorpusError("No usable tweet to evaluate on.", "Give a file with one tweet per row.")
    return tweets


def _bits_of_baselines(train: EncodedTweets, held_out: EncodedTweets, vocab_size: int) -> dict[str, float]:
    """Return the bits per character of each baseline on `held_out`, counted on `train`."""
    from engine.baselines import baseline_bits

    with show_progress() as on_progress:
        return baseline_bits(train, held_out, vocab_size, on_progress)


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
