"""Exports tweets as text, JSON lines or CSV, by the file's suffix. Never imports Textual.

A tweet takes one line in every format. In CSV, a cell that a spreadsheet would evaluate as a formula gets a leading
apostrophe; the other formats keep the text. Blocks on the disk: call from a worker thread.

Writes an exported file, without replacing another one unasked. Blocks on the disk: call from a worker thread.

Export tweets: which ones, and to which file. Written on a thread.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.widgets import Input, Static

from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.storage.files import new_file
from engine.text import sanitize, sanitize_in_place, sanitize_line
from tui.dialogs.base import Dialog
from tui.process.threads import begin_work, on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.widgets.line_input import LineInput

_FORMULA_PREFIXES = ("=", "+", "-", "@")
COLUMNS = ("step", "temperature", "novelty", "bits_per_char", "text")


def to_text(tweets: Iterable[TweetSampled]) -> str:
    """Return the texts, one per line."""
    return "".join(f"{sanitize_in_place(tweet.text)}\n" for tweet in tweets)


def to_jsonl(tweets: Iterable[TweetSampled]) -> str:
    """Return the events as JSON, one per line, as in a journal."""
    return "".join(f"{codec.encode(replace(tweet, text=sanitize(tweet.text)))}\n" for tweet in tweets)


def to_csv(tweets: Iterable[TweetSampled]) -> str:
    """Return comma-separated values with a header row."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tweet in tweets:
        facts = (tweet.step, f"{tweet.temperature:g}", tweet.novelty, f"{tweet.bits_per_char:.4f}")
        text = sanitize_in_place(tweet.text)
        writer.writerow((*facts, f"'{text}" if text.lstrip().startswith(_FORMULA_PREFIXES) else text))
    return table.getvalue()


FORMATS: dict[str, Callable[[Iterable[TweetSampled]], str]] = {
    ".txt": to_text,
    ".jsonl": to_jsonl,
    ".csv": to_csv,
}
"""By suffix."""


def export(tweets: Iterable[TweetSampled], path: Path, *, may_replace: bool) -> None:
    """Write tweets to a file in the format of its suffix.

    Raises `FileExistsError` if the file exists and `may_replace` is false, `StorageError` if it can't be written.
    """
    write_export(path, [FORMATS[path.suffix.lower()](tweets).encode()], may_replace=may_replace)


def write_export(path: Path, parts: Iterable[bytes], *, may_replace: bool) -> None:
    """Write a file atomically, part by part. Raises what `check_export` does, and `StorageError` on other failures."""
    check_export(path, may_replace=may_replace)
    try:
        with new_file(path, mode=0o666) as new:
            for part in parts:
                new.write(part)
    except StorageError as error:
        raise StorageError(error.message, "Choose another folder.") from error


def check_export(path: Path, *, may_replace: bool) -> None:
    """Raise `FileExistsError` if the file exists and `may_replace` is false, `StorageError` without a folder for it."""
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise StorageError(f"{path} is not a file.", "Choose another name.")
        if not may_replace:
            raise FileExistsError(path)
    if not os.path.isdir(path.parent):
        raise StorageError(f"{path} can't be written.", f"There is no folder {path.parent}.")


_MAX_NAME_CHARS = 1000
_FORMATS_HINT = "The suffix sets the format: .txt one tweet per line, .csv a table, .jsonl the events."


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The file written, and how many tweets it has."""

    path: Path
    num_tweets: int


class ExportDialog(Dialog[Exported]):
    """Answer with what was written; an existing file needs enter twice."""

    KEYS_LINE = "enter write · tab next · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "choose(1)", "next", show=False),
        Binding("shift+tab,up", "choose(-1)", "previous", show=False),
    ]
    DEFAULT_CSS = """
    ExportDialog #what { height: auto; margin: 0 1; }
    ExportDialog.-tiny #box { padding: 0 1; }
    """

    def __init__(self, suggestion: str, choices: Mapping[str, Sequence[TweetSampled]], note: str = "") -> None:
        """Suggest a file name, and the first of the `choices`: names and their tweets. `note` follows the hint."""
        super().__init__("Export tweets")
        self._suggestion = sanitize_line(suggestion, _MAX_NAME_CHARS)
        self._choices = choices
        self._note = note
        self._chosen = next(iter(choices))
        self._path_to_replace: Path | None = None
        self._is_writing = False

    def compose_body(self) -> ComposeResult:
        """Show the line, the choices, and below them a hint or an error."""
        yield LineInput(self._suggestion, placeholder="a file name", max_length=_MAX_NAME_CHARS, select_on_focus=True)
        yield Static(self._what(), markup=False, id="what")
        yield Static(self._usual_hint, markup=False, id="hint")

    def action_choose(self, direction: int) -> None:
        """Select the next (1) or previous (-1) of the choices."""
        names = list(self._choices)
        self._chosen = names[(names.index(self._chosen) + direction) % len(names)]
        self.query_one("#what", Static).update(self._what())
        self._clear_warning()

    @on(Click, "#what")
    def _choose_other(self) -> None:
        self.action_choose(1)

    @on(Input.Changed)
    def _clear_warning(self) -> None:
        """Clear the warning once file or choice change."""
        self._path_to_replace = None
        self._show_hint(self._usual_hint)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Write, or show the error."""
        path = Path(os.path.expanduser(event.value.strip()))
        tweets = self._choices[self._chosen]
        if path.suffix.lower() not in FORMATS:
            self._show_hint(f"The name must end with one of {', '.join(FORMATS)}.", is_error=True)
        elif not tweets:
            self._show_hint(f"No {self._chosen} yet.", is_error=True)
        elif not self._is_writing:
            self._is_writing = True
            begin_work(self, partial(self._write, path, tweets))

    async def _write(self, path: Path, tweets: Sequence[TweetSampled]) -> None:
        """Write and close, or show the error."""
        may_replace = path == self._path_to_replace
        try:
            await on_own_thread(partial(export, tweets, path, may_replace=may_replace), writes=True)
        except FileExistsError:
            self._path_to_replace = path
            self._show_hint(f"“{path.name}” exists already; enter again replaces it.", is_error=True)
        except Exception as error:  # noqa: BLE001 - whatever a name or a tweet holds, the run continues
            report = to_tweetgen_error(error, "Exporting tweets")
            self._show_hint(f"{report.message} {report.hint}", is_error=True)
        else:
            self.dismiss(Exported(path=path, num_tweets=len(tweets)))
        self._is_writing = False

    def _what(self) -> str:
        """Return the choices, the selected one marked."""
        return "\n".join(
            f"{'●' if name == self._chosen else '○'} {name}: {len(tweets):,}" for name, tweets in self._choices.items()
        )

    @property
    def _usual_hint(self) -> str:
        """The hint shown while there is no error."""
        return f"{_FORMATS_HINT} {self._note}".strip()
