"""`tweetgen-tui data fetch`: download a known data set after showing its terms.

stdout gets the path of the file, or one object with `--json`; all else goes to stderr. Ctrl-C keeps the part received
and reports its size.
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
from tui.text.numbers import format_size

if TYPE_CHECKING:  # imported in the functions, so that --help starts fast
    import httpx


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Data set: {', '.join(DATASETS)}.")],
    *,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Download from a mirror; the checksum stays the same.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept the terms without being asked; needed without a terminal.")
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
        typer.echo(f"{dataset.name} is already downloaded and verified.", err=True)
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
    from engine.corpus.download.download import fetch, part_path
    from tui.cli.output.progress_display import ProgressDisplay, exit_at_signals

    part = part_path(dataset)

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
