"""`tweetgen-tui data fetch`: get a known data set, once its terms have been shown.

stdout gets the path of the file, or one object with `--json`; all else is narration on stderr. Ctrl-C keeps what has
been received and says so.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.corpus.download.catalog import DATASETS, Dataset, find_dataset
from engine.errors import ConfigError
from tui.cli.output.tables import print_json
from tui.formatting.numbers import format_size

if TYPE_CHECKING:  # imported late, so that `--help` comes at once
    import httpx


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Data set: {', '.join(DATASETS)}.")],
    *,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Download from a mirror; the checksum stays the same.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept the terms without being asked, as without a terminal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Download a known data set and print its path.

    Shows its terms and asks first. Resumes an interrupted download, and verifies the checksum.

    Examples:
    tweetgen-tui data fetch sentiment140
    """
    dataset = find_dataset(name)

    from engine.corpus.download.download import checked_url, is_whole

    address = checked_url(dataset.url if url is None else url)
    is_there = is_whole(dataset.path, dataset.num_bytes, dataset.md5)
    if is_there:
        typer.echo(f"{dataset.name} is already here, and whole.", err=True)
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
    """Show the terms, and leave unless the user agrees. Raises `ConfigError` where nobody can be asked."""
    typer.echo("\n".join(("", *dataset.notice, "")), err=True)
    if is_agreed:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            f"Nobody can be asked here whether to fetch {dataset.name}: this is no terminal.",
            "If you agree to what is said above, add --yes.",
        )
    sys.stderr.write(f"Fetch it ({format_size(dataset.num_bytes)})? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was fetched." if answer else "\nNothing was fetched.", err=True)  # Ctrl-D: no line break
        raise typer.Exit(1)


def _fetch(dataset: Dataset, url: httpx.URL) -> None:
    """Fetch it with a progress display; a signal ends the program and reports what is kept."""
    from engine.corpus.download.download import fetch, part_path
    from tui.cli.output.progress_bar import exit_at_signals, progress_display

    part = part_path(dataset)

    def farewell() -> str:
        num_bytes = part.stat().st_size if part.exists() else 0
        return f"Stopped. {format_size(num_bytes)} are kept: the same command continues from there.\n"

    with exit_at_signals(farewell), contextlib.closing(progress_display()) as display:
        display.note(f"fetching {dataset.name} from {url.host}")

        def on_progress(share: float | None, doing: str) -> None:
            if share is None:
                display.note(doing)
            else:
                display.move(doing, share)

        fetch(dataset, url, on_progress)
