"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.config.fields import with_settings
from engine.config.run import RuntimeConfig
from engine.config.sampling import MAX_TWEET_CHARS, SamplingConfig
from engine.errors import CheckpointError, ConfigError, CorpusError
from tui.cli.completion import complete_checkpoint
from tui.cli.options import (
    MACHINE,
    SAMPLING,
    TRUNCATION,
    TWEET_FILTER,
    GivenOptions,
    OptionGroup,
    fields_of,
    sampling_settings,
    with_options,
)
from tui.cli.output.checkpoint_line import print_checkpoint
from tui.cli.output.draft_report import DraftReport
from tui.cli.output.tables import print_json

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
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_checkpoint,
            help="Name or path of the checkpoint; by default the best of the latest run.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
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

    generator = Generator(path, RuntimeConfig(**fields_of(RuntimeConfig, given)))
    sampling = generator.sampling_config(settings)
    print_checkpoint(path, generator.info)
    if as_json or sampling.only_new:
        _load_training_tweets(generator, is_needed=sampling.only_new)
    report = DraftReport()
    for tweet in generator.generate(count, sampling, first_seed):
        report.add(tweet)
        if as_json:
            print_json(tweet)
        else:
            sys.stdout.write(tweet.text + "\n")
    if sampling.has_filter:
        for line in report.lines():
            typer.echo(line, err=True)


def _load_training_tweets(generator: Generator, *, is_needed: bool) -> None:
    """Load the training tweets, to detect copies of them. Raises `ConfigError` where they are needed and missing."""
    try:
        generator.load_training_tweets()
    except (CheckpointError, CorpusError) as error:
        if is_needed:
            hint = "Leave --only-new out, or use a checkpoint whose training tweets are still there."
            raise ConfigError(f"--only-new compares with the training tweets. {error.message}", hint) from error
        typer.echo(f"No novelty figures: {error.message}", err=True)
