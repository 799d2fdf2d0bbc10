"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.config.run import RuntimeConfig, SamplingConfig, with_settings
from engine.errors import CheckpointError, CorpusError
from tui.cli.options import DRAWING, LENGTH, MACHINE, Given, fields_of, takes
from tui.cli.output.tables import print_json


@takes(DRAWING, LENGTH, MACHINE)
def generate(
    given: Given,
    *,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Tweets to write.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the first tweet, the next has the next; a random one without it.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="NAME-OR-PATH", help="Who writes; without it, the best of the latest run.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Write tweets with a trained model, one per line on stdout."""
    settings = fields_of(SamplingConfig, given)
    with_settings(SamplingConfig(), settings)
    path = resolve_checkpoint(checkpoint)
    first_seed = secrets.randbelow(2**31) if seed is None else seed

    from engine.sampling.generation import Generator

    generator = Generator(path, RuntimeConfig(**fields_of(RuntimeConfig, given)))
    if as_json:
        try:
            generator.load_novelty()
        except (CheckpointError, CorpusError) as error:
            typer.echo(f"Novelty can't be told: {error.message}", err=True)
    for tweet in generator.write(count, generator.sampling(settings), first_seed):
        if as_json:
            print_json(tweet)
        else:
            sys.stdout.write(tweet.text + "\n")
