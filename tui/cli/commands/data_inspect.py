"""`tweetgen-tui data inspect`: a report on files of tweets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from engine.config.corpus import CorpusConfig
from tui.cli.options import TWEETS, GivenOptions, to_corpus_config, with_options
from tui.cli.output.tables import print_json

if TYPE_CHECKING:  # imported in the function, so that --help starts fast
    from engine.corpus.inspection import Inspection

_WIDEST = 100


@with_options(*TWEETS[1:])
def inspect(
    given: GivenOptions,
    *,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders or archives, or - for standard input.")
    ],
    fresh: Annotated[bool, typer.Option("--fresh", help="Read the files again, not the cache.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report what files of tweets contain.

    Counts the rows that are kept, and those that are dropped by reason; shows formats, duplicates, split, lengths,
    characters and ten of the tweets. What is piped in is not stored.

    Examples:
    tweetgen-tui data inspect my.csv
    tweetgen-tui data inspect twitter-2026-11-20.zip --no-replies --json
    """
    from engine.corpus.corpus import TooFewTweetsError
    from engine.corpus.inspection import inspect
    from engine.memory import peak_bytes
    from tui.cli.output.inspection_report import print_inspection, print_sources
    from tui.cli.output.progress_display import passing_folder, show_progress

    console = Console(width=min(Console().width, _WIDEST), highlight=False)
    try:
        with passing_folder() as folder, show_progress() as on_progress:
            config = to_corpus_config({**given, "files": files}, folder) or CorpusConfig()
            is_piped = any(Path(file).parent == folder for file in config.files)
            inspection = inspect(config, peak_bytes, on_progress, use_cache=not fresh, store=not is_piped)
    except TooFewTweetsError as error:
        if not as_json:
            print_sources(console, error.report)
            sys.stdout.flush()
        raise
    if as_json:
        print_json(_facts(inspection))
    else:
        print_inspection(console, inspection)


def _facts(inspection: Inspection) -> dict[str, Any]:
    """Return an inspection's JSON form."""
    report = inspection.report
    return {
        "name": inspection.name,
        "format": ", ".join(report.formats),
        "rows": report.num_rows,
        "kept": report.num_kept,
        "dropped": report.dropped,
        "examples": report.examples,
        "num_chars": inspection.num_chars,
        "alphabet_size": len(inspection.char_counts),
        "alphabet": inspection.char_counts,
        "rare_chars": inspection.rare_chars,
        "duplicates": report.num_duplicates,
        "near_duplicates": report.num_near_duplicates,
        "num_train_tweets": inspection.num_train_tweets,
        "num_val_tweets": inspection.num_val_tweets,
        "shared_run_share": inspection.shared_run_share,
        "mean_length": inspection.mean_length,
        "lengths": inspection.lengths,
        "mentions": inspection.num_mentions,
        "links": inspection.num_links,
        "hashtags": inspection.num_hashtags,
        "scripts": inspection.scripts,
        "sources": report.sources,
        "samples": inspection.samples,
        "seconds": inspection.seconds,
        "peak_bytes": inspection.peak_bytes,
        "was_cached": inspection.was_cached,
    }
