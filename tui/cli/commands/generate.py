"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.config.fields import with_settings
from engine.config.run import RuntimeConfig
from engine.config.sampling import MAX_TWEET_CHARS, SamplingConfig
from engine.errors import CheckpointError, ConfigError, CorpusError
from engine.protocol.events import RefusalReason
from engine.text import counted
from tui.cli.options import (
    MACHINE,
    SAMPLING,
    TRUNCATION,
    TWEET_FILTER,
    AsJsonLines,
    Checkpoint,
    GivenOptions,
    OptionGroup,
    fields_of,
    sampling_settings,
    with_options,
)
from tui.cli.output import print_json, report, report_checkpoint

if TYPE_CHECKING:
    from engine.sampling.generation import Generator

LENGTH = OptionGroup("Sampling", SamplingConfig, ("max_length",))


@with_options(SAMPLING, LENGTH, TRUNCATION, TWEET_FILTER, MACHINE)
def generate(
    given: GivenOptions,
    *,
    count: Annotated[int, typer.Option("-n", "--count", metavar="N", min=1, help="Number of tweets.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Seed of the first tweet, plus 1 for each further one; random by default."
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    as_json: AsJsonLines = False,
) -> None:
    """Print tweets of a trained model, one per line.

    Examples:
    tweetgen-tui generate -n 5
    tweetgen-tui generate -n 5 --temperature 0.6 --prime "good morning"
    tweetgen-tui generate --checkpoint my-run/best --seed 1 --json
    tweetgen-tui generate -n 5 --only-new --avoid monday,work --best-of 4
    tweetgen-tui generate -n 5 --temperature 3 --min-p 0.1 --temperature-last
    """
    settings = sampling_settings(given)
    with_settings(SamplingConfig(max_length=MAX_TWEET_CHARS), settings).require_satisfiable()
    path = resolve_checkpoint(checkpoint)
    first_seed = secrets.randbelow(2**31) if seed is None else seed

    from engine.sampling.generation import Generator
    from tui.run.marks import DraftCounts, drafts_text
    from tui.text.tweets import refused_text

    generator = Generator(path, RuntimeConfig(**fields_of(RuntimeConfig, given)))
    sampling = generator.sampling_config(settings)
    report_checkpoint(path, generator.info)
    if as_json or sampling.only_new:
        _load_training_tweets(generator, is_needed=sampling.only_new)
    drafts, unmet = DraftCounts(), Counter[RefusalReason]()
    for tweet in generator.generate(count, sampling, first_seed):
        drafts = drafts.plus(tweet.num_drafts, tweet.refused, is_failing=bool(tweet.unmet))
        unmet.update(tweet.unmet)
        if as_json:
            print_json(tweet)
        else:
            sys.stdout.write(tweet.text + "\n")
    if sampling.has_filter:
        report(drafts_text(drafts))
        if drafts.num_failing:
            which = f"{drafts.num_failing:,} of {counted(drafts.num_shown, 'tweet')}"
            why = refused_text(unmet.items())
            report(f"The filter refused all drafts of {which}; the nearest are shown: {why}")


def _load_training_tweets(generator: Generator, *, is_needed: bool) -> None:
    """Load the training tweets, to detect copies of them. Raises `ConfigError` where they are needed and missing."""
    try:
        generator.load_training_tweets()
    except (CheckpointError, CorpusError) as error:
        if is_needed:
            hint = "Leave --only-new out, or use a checkpoint whose training tweets are still there."
            raise ConfigError(f"--only-new compares with the training tweets. {error.message}", hint) from error
        report(f"No novelty figures: {error.message}")
