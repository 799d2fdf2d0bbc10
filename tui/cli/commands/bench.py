"""`tweetgen-tui bench`: speed of training, sampling and reading, beside the tutorial's loop and `nn.GRU`.

With `--first-words`, how soon the tweets of a run become readable.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.corpus import CorpusConfig
from engine.config.run import RuntimeConfig
from engine.errors import ConfigError
from tui.cli.options import DEVICE, GivenOptions, OptionGroup, fields_of, with_options
from tui.cli.output.bench_tables import print_bench, print_first_words
from tui.cli.output.progress_display import show_progress
from tui.cli.output.tables import print_json
from tui.cli.watched_run import watch_run

if TYPE_CHECKING:  # they import torch
    from engine.bench.first_words import FirstWordsReport

_FIRST_WORDS = "First words"
TWEETS = OptionGroup(_FIRST_WORDS, CorpusConfig, ("files",), "Tweets to train on with --first-words. May be repeated.")


@with_options(DEVICE, TWEETS)
def bench(
    given: GivenOptions,
    *,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=1,
            help="Time to measure for, with --first-words per round; shapes that do not fit into it are left out.",
        ),
    ] = 60.0,
    has_first_words: Annotated[
        bool,
        typer.Option(
            "--first-words",
            help="Measure how soon the tweets of a run are readable, in seconds from the command.",
            rich_help_panel=_FIRST_WORDS,
        ),
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Runs to take the median of. [default: 3]", rich_help_panel=_FIRST_WORDS),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast this machine trains, samples and reads a corpus.

    Also measures the tutorial's loop and `nn.GRU`, in short turns on the same batches; figures are medians over the
    rounds. The float32 limit is the time of the bare matrix products of the same batches.

    With --first-words, it starts runs of `train` in processes of their own, samples 200 tweets from the weights of
    several moments after the command, and counts the words that occur in the training tweets.

    Examples:
    tweetgen-tui bench --seconds 120
    tweetgen-tui bench --first-words --data my.csv
    """
    config = RuntimeConfig(**fields_of(RuntimeConfig, given))
    if has_first_words:
        words = _measure_first_words(given.get("files", []), config, rounds or 3, seconds)
        if as_json:
            print_json(words)
        else:
            print_first_words(words)
        return
    if rounds is not None or "files" in given:
        option = "--rounds" if rounds is not None else "--data"
        raise ConfigError(f"{option} has no effect without --first-words.", "Add --first-words.")

    from engine.bench.benchmark import Benchmark
    from engine.compute.device import Runtime

    device = Runtime.resolve(config).device
    sys.stderr.write(f"measuring on {device.type} for about {seconds:g} s\n")
    with show_progress() as on_progress:
        benchmark = Benchmark(device, seconds, on_progress)
        report = benchmark.run()
    _report_skipped(benchmark.skipped_shapes)
    if as_json:
        print_json(report)
    else:
        print_bench(report)


def _measure_first_words(files: Sequence[str], config: RuntimeConfig, rounds: int, seconds: float) -> FirstWordsReport:
    """Train in processes of their own, one after the other, and sample from what they saved."""
    options = [option for file in files for option in ("--data", file)] + ["--device", config.device]
    sys.stderr.write(f"training {rounds} times for {seconds:g} s from the command\n")
    with tempfile.TemporaryDirectory() as folder, show_progress() as on_progress:
        watched = []
        for number in range(rounds):
            home = Path(folder, str(number))
            home.mkdir()

            def on_round(share: float | None, doing: str, number: int = number) -> None:
                on_progress((number + (share or 0.0)) / (rounds + 0.1), f"{doing}, {number + 1} of {rounds}")

            watched.append(watch_run(options, seconds, home, on_round))
        on_progress(rounds / (rounds + 0.1), "sampling")

        from engine.bench.first_words import first_words

        return first_words(watched, config)


def _report_skipped(shapes: Sequence[str]) -> None:
    """Name the shapes that were not measured."""
    if shapes:
        sys.stderr.write(
            f"not measured for lack of time (embedding, hidden, batch): {', '.join(shapes)}; increase --seconds\n"
        )
