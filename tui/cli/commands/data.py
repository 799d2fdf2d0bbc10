"""`tweetgen-tui data`: a report on files of tweets, and the download of a known data set after showing its terms.

A report is on stdout. Of a download, stdout gets the path of the file, or one object with `--json`; all else goes to
stderr. Ctrl-C keeps the part received and reports its size.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.config.corpus import CorpusConfig
from engine.corpus.files.download import DATASETS, Dataset, checked_url, find_dataset
from engine.errors import ConfigError
from tui.cli.options import TWEETS, AsJson, GivenOptions, to_corpus_config, with_options
from tui.cli.output import ProgressDisplay, exit_at_signals, passing_folder, print_json, report, show_progress
from tui.text.numbers import format_size

if TYPE_CHECKING:  # imported in the functions, so that --help starts fast
    import httpx

    from engine.corpus.inspection import Inspection

app = typer.Typer(no_args_is_help=True, help="Inspect files of tweets, or download a known data set.")
_WIDEST = 100


@app.command()
@with_options(*TWEETS[1:])
def inspect(
    given: GivenOptions,
    *,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders or archives, or - for standard input.")
    ],
    fresh: Annotated[bool, typer.Option("--fresh", help="Read the files again, not the cache.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report what files of tweets contain.

    Counts the rows that are kept, and those that are dropped by reason; shows formats, duplicates, split, lengths,
    characters and ten of the tweets. What is piped in is not stored.

    Examples:
    tweetgen-tui data inspect my.csv
    tweetgen-tui data inspect twitter-2026-11-20.zip --no-replies --json
    """
    from rich.console import Console

    from engine.compute.memory import peak_bytes
    from engine.corpus.corpus import TooFewTweetsError
    from engine.corpus.inspection import inspect
    from tui.cli.inspection_report import print_inspection, print_sources

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
    corpus, report = inspection.corpus, inspection.corpus.report
    return {
        "name": corpus.name,
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
        "num_train_tweets": len(corpus.train),
        "num_val_tweets": len(corpus.validation),
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
        "was_cached": corpus.was_cached,
    }


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Data set: {', '.join(DATASETS)}.")],
    *,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Download from a mirror; the checksum stays the same.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept the terms without being asked; needed without a terminal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download a known data set and print its path.

    Shows its terms and asks first. Resumes an interrupted download, and verifies the checksum.

    Examples:
    tweetgen-tui data fetch sentiment140
    """
    dataset = find_dataset(name)
    address = checked_url(dataset.url if url is None else url)
    is_there = dataset.is_fetched()
    if is_there:
        report(f"{dataset.name} is already downloaded and verified.")
    else:
        _ask(dataset, is_agreed=yes)
        _fetch(dataset, address)
    typer.echo(f"Train on it:  tweetgen-tui --data {shlex.quote(str(dataset.path))}", err=True)
    if as_json:
        facts = {"name": dataset.name, "path": str(dataset.path), "num_bytes": dataset.num_bytes, "md5": dataset.md5}
        print_json(facts | {"is_new": not is_there})
    else:
        sys.stdout.write(f"{dataset.path}\n")


def _ask(dataset: Dataset, *, is_agreed: bool) -> None:
    """Show the terms and exit unless the user agrees. Raises `ConfigError` without a terminal to ask on."""
    typer.echo("\n".join(("", *dataset.notice, "")), err=True)
    if is_agreed:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            f"The terms of {dataset.name} can't be confirmed without a terminal.",
            "If you agree to the terms above, add --yes.",
        )
    sys.stderr.write(f"Download it ({format_size(dataset.num_bytes)})? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        typer.echo(
            "Nothing was downloaded." if answer else "\nNothing was downloaded.", err=True
        )  # Ctrl-D: no line break
        raise typer.Exit(1)


def _fetch(dataset: Dataset, url: httpx.URL) -> None:
    """Download with a progress display; a signal exits and reports how much is kept."""
    from engine.corpus.files.download import fetch

    part = dataset.part_path

    def farewell() -> str:
        num_bytes = part.stat().st_size if part.exists() else 0
        return f"Stopped. {format_size(num_bytes)} kept; the same command continues from there.\n"

    with exit_at_signals(farewell), contextlib.closing(ProgressDisplay()) as display:
        display.print(f"downloading {dataset.name} from {url.host}")

        def on_progress(share: float | None, doing: str) -> None:
            if share is None:
                display.print(doing)
            else:
                display.update(doing, share)

        fetch(dataset, url, on_progress)
