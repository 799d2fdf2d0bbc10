"""Choose a file, folder or archive of tweets for a new run.

The tweets are checked before anything else happens: an error is shown in the dialog, and the current run continues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual import on, work
from textual.widgets import Input, OptionList

from engine.corpus.report import CorpusPreview
from tui.files.folder_listing import FolderEntry, entry_at, folder_part, split_typed
from tui.files.typed_options import OptionValue, parsed_options
from tui.formatting.corpus_preview import doubt_in, fact_line, sample_line
from tui.process.threads import on_own_thread
from tui.run.error_report import to_tweetgen_error
from tui.screens.dialogs.path_browser import CHECK_GROUP, PathBrowser, State
from tui.widgets.input.line_input import PathInput


@dataclass(frozen=True)
class OtherTweets:
    """What was chosen: a path, and the fields of its corpus that are set by options."""

    path: Path
    options: Mapping[str, OptionValue]


Check = Callable[[OtherTweets], CorpusPreview | None]
"""Checks tweets; raises the `TweetgenError` that a run on them would end with. Called on a thread."""


class OpenDialog(PathBrowser[OtherTweets]):
    """Answer with tweets that a run can use. Enter checks a path; a second enter answers."""

    def __init__(self, check: Check, start: Path, outcome: Callable[[], str], *, is_dropped: bool = False) -> None:
        """Begin in the folder of `start`; check at once a path that was dropped.

        `outcome` returns a sentence on what the second enter will do.
        """
        super().__init__("Open other tweets", start)
        self._check = check
        self._outcome = outcome
        self._is_dropped = is_dropped
        self._ready: OtherTweets | None = None

    def on_mount(self) -> None:
        """Show the first folder."""
        if self._is_dropped:
            self._check_dropped(self._start)
        else:
            self._browse(self._start if self._start.is_dir() else self._start.parent)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._ready = None

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        """Check the path as it was when enter was pressed; answer if it was checked already."""
        if event.value != self._line.value:
            self._line.value = event.value
        self._apply_line()
        if self._ready is not None:
            self.dismiss(self._ready)
        elif self._state == "choosing":
            self._open(self._row() if self._is_moved else None)

    @on(OptionList.OptionSelected)
    def _open_clicked(self) -> None:
        """Open a row as enter does."""
        if self._state != "checking":
            self._set_state("choosing")
            self._open(self._list.chosen)

    @on(PathInput.Dropped)
    def _open_dropped(self, event: PathInput.Dropped) -> None:
        self._check_dropped(event.path)

    @work(exclusive=True, group=CHECK_GROUP)
    async def _open(self, row: FolderEntry | None) -> None:
        """Open `row`, or else the entry with exactly the typed name, or else the highlighted one.

        A name without any entry is checked as typed: no list has shown the user what else matches.
        """
        folder, name = split_typed(self._applied_path)
        if self._folder_text and folder_part(self._applied_path) == self._folder_text:
            folder = self._folder  # whose name may have characters that can't be typed
        if row is None and name:
            row = await on_own_thread(partial(entry_at, folder, name))
        row = row or self._row()
        if row is None and not name:
            self._browse(folder)
        elif row is None:
            await self._check_path(folder / name)
        elif row.opens_folder:
            self._browse(row.path)
        else:
            if row.is_inside:
                self._set_path(row.path, self._applied_options)
            await self._check_path(row.path)

    @work(exclusive=True, group=CHECK_GROUP)
    async def _check_dropped(self, path: Path) -> None:
        self._set_path(path)
        await self._check_path(path)

    async def _check_path(self, path: Path) -> None:
        """Check a path on a thread; show the error, or a preview and what enter will do."""
        self._set_state("checking")
        self._hints.show(f"checking {path.name}…")
        try:
            tweets = OtherTweets(path, parsed_options(self._applied_options))
            preview = await on_own_thread(partial(self._check, tweets))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the current run continues
            report = to_tweetgen_error(error, "Checking tweets")
            self._set_state("choosing")
            self._hints.show(report.message, report.hint, self._options_hint(path, report.hint), "error")
        else:
            self._set_state("ready")
            self._ready = tweets
            facts, sample = (fact_line(preview, path.name), sample_line(preview)) if preview else ("", "")
            doubt = doubt_in(preview) if preview else ""
            verdict = doubt or f"{path.name} can be used"
            self._hints.show(f"{verdict}; {self._outcome()}", facts, sample, "error" if doubt else "ready")

    def _options_hint(self, path: Path, hint: str) -> str:
        """Return where an option is typed, if the hint of an error names one and none was typed."""
        is_needed = "--" in hint and not self._applied_options
        return f"An option follows the path: {path.name} --option VALUE" if is_needed else ""

    def action_close(self) -> None:
        """Stop checking, go back to choosing, or close without an answer."""
        if self._state == "choosing":
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, CHECK_GROUP)
            self._set_state("choosing")
