"""Ask where tweets go that are exported, and which; write them there, on a thread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.widgets import Input, Static

from engine.protocol.events import TweetSampled
from engine.text import harmless
from tui.files.tweet_export import FORMATS, export
from tui.process.threads import on_own_thread
from tui.run.error_report import to_tweetgen_error
from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput

_MAX_NAME_CHARS = 1000
_ADVICE = "The suffix is the format: .txt one tweet a line, .csv a table, .jsonl the events."


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    path: Path
    num_tweets: int


class ExportDialog(Dialog[Exported]):
    """Answer with what was written; a file that is there already needs enter twice."""

    KEYS_LINE = "enter write · tab what · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "choose(1)", "what", show=False),
        Binding("shift+tab,up", "choose(-1)", "what", show=False),
    ]
    DEFAULT_CSS = """
    ExportDialog #what { height: auto; margin: 0 1; }
    ExportDialog .-error { color: $text-error; }
    ExportDialog.-tiny #box { padding: 0 1; }
    """

    def __init__(self, suggestion: str, choices: Mapping[str, Sequence[TweetSampled]], note: str = "") -> None:
        """Begin with a name to accept or overtype, and the first of the `choices`, by what they are called."""
        super().__init__("Export tweets")
        self._suggestion = harmless(suggestion, _MAX_NAME_CHARS)
        self._choices = choices
        self._note = note
        self._chosen = next(iter(choices))
        self._path_to_replace: Path | None = None
        self._is_writing = False

    def compose_body(self) -> ComposeResult:
        """Show the line to type in, what is exported, and what is wrong with what was typed."""
        yield LineInput(self._suggestion, placeholder="a file name", max_length=_MAX_NAME_CHARS, select_on_focus=True)
        yield Static(self._what(), markup=False, id="what")
        yield Static(self._advice(), markup=False, id="advice")

    def action_choose(self, direction: int) -> None:
        """Export something else."""
        names = list(self._choices)
        self._chosen = names[(names.index(self._chosen) + direction) % len(names)]
        self.query_one("#what", Static).update(self._what())
        self._forget_warning()

    @on(Click, "#what")
    def _choose_other(self) -> None:
        """Do what `tab` does."""
        self.action_choose(1)

    @on(Input.Changed)
    def _forget_warning(self) -> None:
        """Take a warning back once something else is to be written."""
        self._path_to_replace = None
        self._advise(self._advice())

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Write, or say why not."""
        path = Path(os.path.expanduser(event.value.strip()))
        tweets = self._choices[self._chosen]
        if path.suffix.lower() not in FORMATS:
            self._advise(f"A name that ends with {', '.join(FORMATS)} is needed.", is_error=True)
        elif not tweets:
            self._advise(f"There are no {self._chosen} yet.", is_error=True)
        elif not self._is_writing:
            self._is_writing = True
            self.run_worker(self._write(path, tweets))

    async def _write(self, path: Path, tweets: Sequence[TweetSampled]) -> None:
        """Write and close, or say what is in the way."""
        may_replace = path == self._path_to_replace
        try:
            await on_own_thread(partial(export, tweets, path, may_replace=may_replace), writes=True)
        except FileExistsError:
            self._path_to_replace = path
            self._advise(f"{path.name} is there already. Enter again replaces it.", is_error=True)
        except Exception as error:  # noqa: BLE001 - whatever a name or a tweet holds, the run behind goes on
            told = to_tweetgen_error(error, "Exporting tweets")
            self._advise(f"{told.message} {told.hint}", is_error=True)
        else:
            self.dismiss(Exported(path=path, num_tweets=len(tweets)))
        self._is_writing = False

    def _what(self) -> str:
        """Return the choices, with a mark at the one that is exported."""
        return "\n".join(
            f"{'●' if name == self._chosen else '○'} {name}: {len(tweets):,}" for name, tweets in self._choices.items()
        )

    def _advice(self) -> str:
        """Return what to know before anything is wrong."""
        return f"{_ADVICE} {self._note}".strip()

    def _advise(self, advice: str, *, is_error: bool = False) -> None:
        """Show a sentence under the name."""
        line = self.query_one("#advice", Static)
        line.set_class(is_error, "-error")
        line.update(harmless(advice))
