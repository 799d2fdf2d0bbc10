"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.config.run import RuntimeConfig, with_settings
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError, CorpusError
from tui.cli.options import FILTERS, MACHINE, SAMPLING, GivenOptions, OptionGroup, fields_of, with_options
from tui.cli.output.checkpoint_line import print_checkpoint
from tui.cli.output.tables import print_json

LENGTH = OptionGroup("Sampling", SamplingConfig, ("max_length",))


@with_options(SAMPLING, LENGTH, FILTERS, MACHINE)
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
        typer.Option(metavar="NAME", help="Name or path of the checkpoint; by default the best of the latest run."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print tweets of a trained model, one per line.

    Examples:
    tweetgen-tui generate -n 5
    tweetgen-tui generate -n 5 --temperature 0.6 --prime "good morning"
    tweetgen-tui generate --checkpoint my-run/best --seed 1 --json
    """
    settings = fields_of(SamplingConfig, given)
    with_settings(SamplingConfig(), settings)
    path = resolve_checkpoint(checkpoint)
    first_seed = secrets.randbelow(2**31) if seed is None else seed

    from engine.sampling.generation import Generator

    generator = Generator(path, RuntimeConfig(**fields_of(RuntimeConfig, given)))
    print_checkpoint(path, generator.info)
    if as_json:
        try:
            generator.load_training_tweets()
        except (CheckpointError, CorpusError) as error:
            typer.echo(f"No novelty figures: {error.message}", err=True)
    for tweet in generator.generate(count, generator.sampling_config(settings), first_seed):
        if as_json:
            print_json(tweet)
        else:
            sys.stdout.write(tweet.text + "\n")
