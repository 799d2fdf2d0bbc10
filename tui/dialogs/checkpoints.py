"""The dialog of saved checkpoints: load one, start a run from one, compare, pin, rename and delete.

Files are changed on other threads, and although the dialog is closed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from engine.checkpoints import management as files
from engine.checkpoints.catalog import CheckpointEntry
from engine.config.run import RunConfig
from engine.errors import TweetgenError
from engine.protocol.commands import LoadCheckpoint
from engine.protocol.events import TweetSampled
from engine.storage.folders import RUN_CHECKPOINTS, named_checkpoint_path
from engine.text import sanitize_line
from tui.dialogs.ask import Question, ask_new_name, load_question, show_error
from tui.dialogs.base import RunDialog
from tui.dialogs.checkpoint_list import CheckpointTable, CompareDialog
from tui.process.threads import on_own_thread
from tui.run.model import RunModel
from tui.run.new_run import NewRun, config_of_branch, curve_of, doubled_budgets
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.text.checkpoints import ORDERS, UNTRAINED, Order, detail_lines, grouped, is_untrained
from tui.text.numbers import format_size
from tui.text.tweets import shown_text
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput

ListCheckpoints = Callable[[], Iterable[CheckpointEntry]]
"""Lists checkpoints; may read each file only when the iterator reaches it. Called on a thread."""
_BATCH_SECONDS = 0.15
"""How often the list is updated while files are read."""
_KEYS = keys_of("checkpoints")


class CheckpointBrowser(RunDialog[NewRun]):
    """Load a checkpoint into the run, or answer with a new run that starts from one, both after a question."""

    AUTO_FOCUS = "CheckpointTable"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_KEYS)
    HELP = "In the list of checkpoints"
    KEYS_LINE = ""
    _filter = getters.query_one("#filter", LineInput)
    _table = getters.query_one(CheckpointTable)

    def __init__(
        self,
        run: RunModel,
        list_checkpoints: ListCheckpoints,
        check: Callable[[RunConfig], object],
        drop_typed_ahead: Callable[[], None],
    ) -> None:
        """List what `list_checkpoints` yields.

        `check` raises the `TweetgenError` that a new run would end with, if it shows early; it is called on a thread.
        `drop_typed_ahead` drops the keys that arrived together with the key whose action runs.
        """
        super().__init__("Checkpoints", run)
        self._list_checkpoints = list_checkpoints
        self._check = check
        self._drop_typed_ahead = drop_typed_ahead
        self._entries: dict[str, CheckpointEntry] = {}
        self._order: Order = "age"
        self._compared = ""
        """The name of the first checkpoint of a comparison."""
        self._is_reading = True
        self._detailed: CheckpointEntry | None = None
        self._has_no_match = False

    def compose_body(self) -> ComposeResult:
        yield LineInput(placeholder="filter by name, run or corpus", id="filter")
        with Container(id="parts"):
            with Vertical(id="table"):
                yield Static(id="columns")
                yield CheckpointTable()
            with VerticalScroll(id="detail"):
                yield Static()
        yield Static(markup=False, id="notice")
        yield KeyBar(_KEYS)

    def on_mount(self) -> None:
        self._show_entries()
        self.watch(self._table, "show_vertical_scrollbar", self._show_titles, init=False)
        self._read()

    def _show_titles(self) -> None:
        self.query_one("#columns", Static).update(self._table.titles)

    @work
    async def _read(self) -> None:
        """Read the checkpoints on a thread, a batch at a time."""
        doing = "Listing the checkpoints"
        try:
            entries = iter(await on_own_thread(self._list_checkpoints, doing=doing))
            while batch := await on_own_thread(partial(_next_batch, entries), doing=doing):
                self._entries |= {entry.name: entry for entry in batch}
                self._show_entries()
        except TweetgenError as error:
            self._show_notice(error.message)
        else:
            if all(map(is_untrained, self._entries.values())):
                self._show_notice("No checkpoints yet: s saves one under a name.")
        self._is_reading = False
        self._show_entries()

    @on(Input.Changed, "#filter")
    def _show_matching(self) -> None:
        self._show_entries()

    def _show_entries(self, cursor_on: str = "") -> None:
        """Show the entries that pass the filter, sorted; move the cursor to `cursor_on`, if given."""
        typed, all_entries = self._filter.value, self._entries.values()
        groups = grouped(all_entries, self.run.view.name, self._order, typed)
        self._table.show(groups, self.run.view.name, self._order, cursor_on, self._compared, self._why_not_loaded)
        self._show_titles()
        num_shown = sum(map(len, groups.values()))
        count = f"{num_shown:,} of {len(all_entries):,}" if typed else f"{num_shown:,}"
        num_hidden = 0 if typed.split() else sum(map(is_untrained, all_entries))
        box = self.query_one("#box")
        box.border_title = f"Checkpoints · {count} by {self._order}{', reading…' if self._is_reading else ''}"
        box.border_subtitle = f"/{UNTRAINED} shows {num_hidden:,} of step 0" if num_hidden else ""
        self._show_current()

    @property
    def _current(self) -> CheckpointEntry | None:
        """The checkpoint under the cursor."""
        option = self._table.highlighted_option
        return None if option is None else self._entries.get(option.id or "")

    def _why_not_loaded(self, entry: CheckpointEntry) -> str:
        """Return why a checkpoint can't be loaded into this run; empty where no reason is known."""
        own = self._entries.get(f"{self.run.view.name}/latest")
        if entry.problem or entry.info is None or own is None or own.info is None or entry.info.vocab == own.info.vocab:
            return entry.problem
        sizes = f"{len(entry.info.vocab)} characters, not {len(own.info.vocab)}"
        return f"Its vocabulary differs from this run's ({sizes})."

    @on(OptionList.OptionHighlighted)
    def _show_current(self) -> None:
        """Show the checkpoint under the cursor in detail, if it is another one or has changed."""
        entry = self._current
        has_no_match = entry is None and bool(self._entries and self._filter.value)
        if (entry, has_no_match) == (self._detailed, self._has_no_match):
            return
        self._detailed, self._has_no_match = entry, has_no_match
        self._show_notice("No checkpoint matches." if has_no_match else "")
        self.workers.cancel_group(self, "sample")
        self._show_detail()
        self.query_one("#detail").scroll_home(animate=False)
        if entry is not None:
            self._find_sample(entry)

    @work(exclusive=True, group="sample")
    async def _find_sample(self, entry: CheckpointEntry) -> None:
        self._show_detail(await on_own_thread(partial(files.sample_of, entry)))

    def _show_detail(self, sample: TweetSampled | None = None) -> None:
        """Show what is wrong first, so that it is visible on the smallest terminal; then a tweet, then metadata."""
        parts, entry = [], self._detailed
        if entry is not None and (problem := self._why_not_loaded(entry)):
            parts.append(Content.styled(sanitize_line(problem), "$text-error"))
        if sample is not None:
            parts.append(Content(f"“{shown_text(sample)}” (step {sample.step:,})"))
        if entry is not None:
            lines = map(sanitize_line, detail_lines(entry, self.app.loss_unit))
            parts.append(Content.styled("\n".join(lines), "$text-muted"))
        self.query_one("#detail Static", Static).update(Content("\n").join(parts))

    def _show_notice(self, text: str) -> None:
        """Show a line below the list; none if `text` is empty."""
        line = self.query_one("#notice", Static)
        line.update(Content(sanitize_line(text)))
        line.display = bool(text)

    def _refuse(self, reason: str) -> None:
        """Show why a key opens nothing, and drop the keys that arrived together with it."""
        self._show_notice(reason)
        self._drop_typed_ahead()

    def action_checkpoint_sort(self, step: int) -> None:
        """Sort by the next (1) or previous (-1) column."""
        self._order = ORDERS[(ORDERS.index(self._order) + step) % len(ORDERS)]
        self._show_entries()

    def action_checkpoint_filter(self) -> None:
        self._filter.add_class("-open")
        self.set_focus(self._filter)  # at once: `focus` would let the next keys act on the table

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self._table.focus()

    def action_close(self) -> None:
        """Close the filter, or else the dialog without an answer."""
        if self._filter.has_class("-open"):
            self._filter.remove_class("-open")
            self._filter.value = ""
            self._leave_filter()
        else:
            self.dismiss(None)

    @on(OptionList.OptionSelected)
    def action_checkpoint_load(self) -> None:
        """Ask whether to load it, or show why it can't be loaded."""
        if not (entry := self._current):
            return
        phases = {
            "starting": "The run is still starting.",
            "finished": "The run is finished; n starts a new one from it.",
            "failed": "The run has failed; n starts a new one from it.",
        }
        if entry.problem:
            self._refuse(f"Can't be loaded: {entry.problem}")
        elif self._why_not_loaded(entry):  # shown in detail
            self._refuse("Can't be loaded into this run: n starts a new run from it.")
        elif self.run.view.is_replay:
            self._refuse("This is a replay; n starts a run from it.")
        elif self.run.view.phase in phases:
            self._refuse(phases[self.run.view.phase])
        else:
            self._drop_typed_ahead()  # a key held down must not answer the question
            question, answers = lambda: load_question(entry, self.run.view), {"y": "load", "enter": "load"}
            self.app.ask(Question("Load a checkpoint", question, answers), lambda _: self._load(entry.name))

    def _load(self, name: str) -> None:
        self.dismiss(None)
        self.run.send(LoadCheckpoint(name=name))

    def action_checkpoint_branch(self) -> None:
        """Ask whether to start a new run from it."""
        if entry := self._current:
            self._drop_typed_ahead()  # the question opens later, and these keys must not act on the list
            self._check_and_ask(entry)

    @work(exclusive=True, group="branch")
    async def _check_and_ask(self, entry: CheckpointEntry) -> None:
        """Check whether a new run could start, then ask."""
        if entry.info is None:
            self._show_notice(f"No run can start from it: {entry.problem}")
            return
        self._show_notice(f"checking the tweets of “{entry.name}”…")
        config = config_of_branch(entry, self.run.connection.config)
        try:
            await on_own_thread(partial(self._check, config), doing="Checking the tweets of a checkpoint")
        except TweetgenError as error:
            self._show_notice("")
            show_error(self.app, error)
            return
        self._show_notice("")  # in no `finally`: where the dialog was closed meanwhile, the line is gone
        view = self.run.view
        step, before = f"at step {entry.info.step:,}", ""
        if view.started is not None and view.ended is None and not view.is_replay:
            before = f"The run {view.name} is saved and ends. "
            step = "at the step where it ends" if entry.name == f"{view.name}/latest" else step
        what = f"A new one starts from “{entry.name}”, {step}, on {sanitize_line(entry.info.corpus_name)}."
        if doubled := doubled_budgets(entry.info):
            limits = ", ".join(f"{name.replace('_', ' ')} {limit:g}" for name, limit in doubled.items())
            what += f" Its budget is used up, and is doubled: {limits}."
        self.app.ask(
            Question("New run", before + what, {"y": "start"}),
            lambda _: self.dismiss(NewRun(config, f"from “{entry.name}”", curve_of(self.run.view))),
        )

    def action_checkpoint_compare(self) -> None:
        """Mark a checkpoint, or compare it with the marked one."""
        entry = self._current
        if entry is None or entry.info is None:
            self._refuse("It has no readable metadata to compare." if entry else "")
            return
        other = self._entries.get(self._compared)
        self._compared = entry.name if other is None else ""
        self._show_entries()
        self._show_notice(f"“{entry.name}” is marked: = on another compares them." if other is None else "")
        if other is not None and other.name != entry.name:
            self.app.push_screen(CompareDialog(other, entry))

    def action_checkpoint_pin(self) -> None:
        if not (entry := self._current):
            return
        if not entry.is_pinned and self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be pinned: this run can still write it.")
            return
        pinned = replace(entry, is_pinned=not entry.is_pinned)
        done = "is pinned: it stays first, and can't be deleted" if pinned.is_pinned else "is unpinned"
        change = partial(files.set_pinned, entry.name, is_pinned=pinned.is_pinned)
        self._change(change, entry, pinned, f"“{entry.name}” {done}.")

    def action_checkpoint_rename(self) -> None:
        if not (entry := self._current):
            return
        if not entry.is_named:
            self._refuse(f"“{entry.name}” belongs to its run: only checkpoints saved by name can be renamed.")
            return

        def rename(name: str) -> None:
            if name != entry.name:
                renamed = replace(entry, name=name, path=named_checkpoint_path(name))
                change = partial(files.rename_checkpoint, entry.name, name)
                self._change(change, entry, renamed, f"Renamed to “{name}”.")

        self.app.ask(ask_new_name(entry.name), rename)

    def action_checkpoint_delete(self) -> None:
        """Ask whether to delete it, where that is allowed."""
        if not (entry := self._current):
            return
        if entry.is_pinned:
            self._refuse(f"“{entry.name}” is pinned: unpin it with k to delete it.")
        elif self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be deleted: this run can still write it.")
        else:
            size = format_size(entry.num_bytes)
            question = f"Delete “{entry.name}”? This frees {size} and can't be undone."
            delete, done = partial(files.delete_checkpoint, entry.name), f"Deleted “{entry.name}”: {size} freed."
            self.app.ask(
                Question("Delete a checkpoint", question, {"y": "delete"}),
                lambda _: self._change(delete, entry, None, done),
            )

    def _is_written_by_run(self, entry: CheckpointEntry) -> bool:
        """Return whether the run of this screen may overwrite a checkpoint: it may continue until it has ended."""
        run, _, name = entry.name.rpartition("/")
        return run == self.run.view.name and name in RUN_CHECKPOINTS and self.run.view.ended is None

    @work(group="change")
    async def _change(
        self, change: Callable[[], object], entry: CheckpointEntry, changed: CheckpointEntry | None, done: str
    ) -> None:
        """Change a file on a thread; then show `changed` in place of its entry, and the toast `done`."""
        try:
            await on_own_thread(change, writes=True, doing="Changing a checkpoint")
        except TweetgenError as error:
            show_error(self.app, error)
            return
        del self._entries[entry.name]
        name = "" if changed is None else changed.name
        if changed is not None:
            self._entries[name] = changed
        if self._compared == entry.name:
            self._compared = name
        self._show_entries(cursor_on=name)
        self.notify(sanitize_line(done), markup=False)


def _next_batch(entries: Iterator[CheckpointEntry]) -> list[CheckpointEntry]:
    """Return the entries read in `_BATCH_SECONDS`, at least one; none at the end."""
    batch, end = [], time.monotonic() + _BATCH_SECONDS
    for entry in entries:
        batch.append(entry)
        if time.monotonic() >= end:
            break
    return batch
