"""`tweetgen-tui data fetch`: get a known data set, once its terms have been shown.

stdout gets the path of the file, or one object with `--json`; all else is narration on stderr. Ctrl-C keeps what has
come so far, and says so.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Annotated

import typer

from engine.datasets import DATASETS, Dataset, find_dataset
from engine.errors import ConfigError
from tui.formatting import format_size
from tui.signals import let_go_of_terminal
from tui.tables import print_json

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP is unknown to Windows


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"What to fetch: {', '.join(DATASETS)}.")],
    *,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Fetch it from a mirror; the checksum is the same.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fetch a known data set into the data folder and print its path.

    Its terms come first, then a question. An attempt that was cut short is continued; the checksum decides at the end.
    """
    dataset = find_dataset(name)

    from engine.download import is_whole
    from engine.transfer import checked_url

    address = checked_url(dataset.url if url is None else url)
    is_there = is_whole(dataset.path, dataset.num_bytes, dataset.md5)
    if is_there:
        _say(f"{dataset.name} is already here, and whole.")
    else:
        _ask(dataset, is_agreed=yes)
        _fetch(dataset, str(address))
    _say(f"Train on it:  tweetgen-tui --data {shlex.quote(str(dataset.path))}")
    if as_json:
        facts = {"name": dataset.name, "path": str(dataset.path), "num_bytes": dataset.num_bytes, "md5": dataset.md5}
        print_json(facts | {"is_new": not is_there})
    else:
        sys.stdout.write(f"{dataset.path}\n")


def _ask(dataset: Dataset, *, is_agreed: bool) -> None:
    """Show the terms, and leave unless the user agrees. Raises `ConfigError` where nobody can be asked."""
    _say("\n".join(("", *dataset.notice, "")))
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
        _say("Nothing was fetched." if answer else "\nNothing was fetched.")  # Ctrl-D leaves the line open
        raise typer.Exit(1)


def _fetch(dataset: Dataset, url: str) -> None:
    """Fetch it, showing progress; a signal ends the program with its code and tells what is kept."""
    from engine import download
    from engine.transfer import Wanted, checked_url, shown
    from tui.download_progress import display_for

    wanted = Wanted(url, dataset.path, dataset.num_bytes, dataset.md5)
    display = display_for(dataset.num_bytes, _say)
    try:
        with _stopping_on_signals(), contextlib.closing(display):
            display.note(f"fetching {shown(checked_url(url))}")
            download.fetch(wanted, display)
    except _Stopped as stopped:
        if stopped.number != getattr(signal, "SIGHUP", None):
            _say(_kept(dataset))
        raise typer.Exit(128 + stopped.number) from None


def _kept(dataset: Dataset) -> str:
    """Return what an attempt that was stopped leaves behind."""
    from engine.download import kept_bytes
    from tui.download_progress import share

    num_bytes = kept_bytes(dataset.path)
    if not num_bytes:
        return "Stopped before anything came; nothing is left behind."
    return f"Stopped. {share(num_bytes, dataset.num_bytes)} are kept: the same command goes on from there."


def _say(text: str) -> None:
    """Write narration."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class _Stopped(BaseException):
    """A signal has come; no `Exception`, so that nothing in between takes it for an error."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Raise `_Stopped` at the first signal that would end the program; the same once more ends it at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            let_go_of_terminal()
        signal.signal(number, signal.SIG_DFL)
        raise _Stopped(number)

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
