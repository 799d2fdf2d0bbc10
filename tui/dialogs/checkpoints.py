"""The dialog of saved checkpoints: load one, start a run from one, compare, pin, rename and delete.

Files are changed on other threads, and although the dialog is closed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, OptionList, Static

from engine.checkpoints import management as files
from engine.checkpoints.catalog import CheckpointEntry, is_taken
from engine.config.run import RunConfig
from engine.errors import TweetgenError
from engine.protocol.commands import LoadCheckpoint
from engine.storage.folders import RUN_CHECKPOINTS, named_checkpoint_path
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.ask import Question, ask_new_name, ask_to_load, show_error
from tui.dialogs.base import Answer, Dialog, RunDialog
from tui.dialogs.checkpoint_list import CheckpointList, CheckpointTable, ListCheckpoints
from tui.process.threads import on_own_thread
from tui.run.model import RunModel
from tui.run.new_run import NewRun, config_of_branch, curve_of, doubled_budgets
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of, opening
from tui.text.checkpoints import ORDERS, ComparedField, comparison
from tui.text.numbers import format_size
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput

_KEYS = keys_of("checkpoints")


class CheckpointBrowser(RunDialog[NewRun]):
    """Load a checkpoint into the run, or answer with a new run that starts from one, both after a question."""

    AUTO_FOCUS = "CheckpointTable"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_KEYS)
    HELP = "In the list of checkpoints"
    KEYS_LINE = ""
    opening_keys = opening(_KEYS)

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

    def compose_body(self) -> ComposeResult:
        """Lay out filter, list and key bar."""
        yield LineInput(placeholder="filter by name, run or corpus", id="filter")
        yield CheckpointList(self._list_checkpoints, self.run)
        yield KeyBar(_KEYS)

    def on_mount(self) -> None:
        """Show in the frame what the list says of itself."""
        self.watch(self._list, "titles", self._show_titles)

    def _show_titles(self, titles: tuple[str, str]) -> None:
        box = self.query_one("#box")
        box.border_title, box.border_subtitle = titles

    @property
    def _list(self) -> CheckpointList:
        return self.query_one(CheckpointList)

    @property
    def _filter(self) -> Input:
        return self.query_one("#filter", Input)

    def _refuse(self, reason: str) -> None:
        """Show why a key opens nothing, and drop the keys that arrived together with it."""
        self._list.show_notice(reason)
        self._drop_typed_ahead()

    def _ask(self, dialog: Dialog[Answer], then: Callable[[Answer], object]) -> None:
        """Open a dialog, and do what follows its answer."""

        def follow(answer: Answer | None) -> None:
            if answer is not None:
                then(answer)

        self.app.push_screen(dialog, follow)

    def action_checkpoint_sort(self, step: int) -> None:
        """Sort by the next (1) or previous (-1) column."""
        self._list.order = ORDERS[(ORDERS.index(self._list.order) + step) % len(ORDERS)]
        self._list.show_entries()

    def action_checkpoint_filter(self) -> None:
        """Open the filter."""
        self._filter.add_class("-open")
        self.set_focus(self._filter)  # at once: `focus` would let the next keys act on the table

    @on(Input.Changed, "#filter")
    def _show_matching(self, event: Input.Changed) -> None:
        self._list.typed = event.value
        self._list.show_entries()

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self.query_one(CheckpointTable).focus()

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
        if not (entry := self._list.current):
            return
        phases = {
            "starting": "The run is still starting.",
            "finished": "The run is finished; n starts a new one from it.",
            "failed": "The run has failed; n starts a new one from it.",
        }
        if entry.problem:
            self._refuse(f"Can't be loaded: {entry.problem}")
        elif self._list.why_not_loaded(entry):  # shown in detail
            self._refuse("Can't be loaded into this run: n starts a new run from it.")
        elif self.run.view.is_replay:
            self._refuse("This is a replay; n starts a run from it.")
        elif self.run.view.phase in phases:
            self._refuse(phases[self.run.view.phase])
        else:
            self._drop_typed_ahead()  # a key held down must not answer the question
            self._ask(ask_to_load(entry, lambda: self.run.view), lambda _: self._load(entry.name))

    def _load(self, name: str) -> None:
        self.dismiss(None)
        self.run.send(LoadCheckpoint(name=name))

    def action_checkpoint_branch(self) -> None:
        """Ask whether to start a new run from it."""
        if entry := self._list.current:
            self._drop_typed_ahead()  # the question opens later, and these keys must not act on the list
            self._check_and_ask(entry)

    @work(exclusive=True, group="branch")
    async def _check_and_ask(self, entry: CheckpointEntry) -> None:
        """Check whether a new run could start, then ask."""
        if entry.info is None:
            self._list.show_notice(f"No run can start from it: {entry.problem}")
            return
        self._list.show_notice(f"checking the tweets of “{entry.name}”…")
        config = config_of_branch(entry, self.run.connection.config)
        try:
            await on_own_thread(partial(self._check, config), doing="Checking the tweets of a checkpoint")
        except TweetgenError as error:
            self._list.show_notice("")
            show_error(self.app, error)
            return
        self._list.show_notice("")  # in no `finally`: where the dialog was closed meanwhile, the line is gone
        view, run = self.run.view, self.run.name
        step, before = f"at step {entry.info.step:,}", ""
        if view.started is not None and view.ended is None and not view.is_replay:
            before = f"The run {run} is saved and ends. "
            step = "at the step where it ends" if entry.name == f"{run}/latest" else step
        what = f"A new one starts from “{entry.name}”, {step}, on {sanitize_line(entry.info.corpus_name)}."
        if doubled := doubled_budgets(entry.info):
            limits = ", ".join(f"{name.replace('_', ' ')} {limit:g}" for name, limit in doubled.items())
            what += f" Its budget is used up, and is doubled: {limits}."
        self._ask(
            Question("New run", before + what, {"y": "start"}),
            lambda _: self.dismiss(NewRun(config, f"from “{entry.name}”", curve_of(self.run.view))),
        )

    def action_checkpoint_compare(self) -> None:
        """Mark a checkpoint, or compare it with the marked one."""
        entry = self._list.current
        if entry is None or entry.info is None:
            self._refuse("It has no readable metadata to compare." if entry else "")
            return
        other = self._list.entries.get(self._list.compared)
        self._list.compared = entry.name if other is None else ""
        self._list.show_entries()
        self._list.show_notice(f"“{entry.name}” is marked: = on another compares them." if other is None else "")
        if other is not None and other.name != entry.name:
            self.app.push_screen(CompareDialog(other, entry))

    def action_checkpoint_pin(self) -> None:
        """Pin or unpin it."""
        if not (entry := self._list.current):
            return
        if not entry.is_pinned and self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be pinned: this run can still write it.")
            return
        pinned = replace(entry, is_pinned=not entry.is_pinned)
        done = "is pinned: it stays first, and can't be deleted" if pinned.is_pinned else "is unpinned"
        change = partial(files.set_pinned, entry.name, is_pinned=pinned.is_pinned)
        self._change(change, entry, pinned, f"“{entry.name}” {done}.")

    def action_checkpoint_rename(self) -> None:
        """Ask for a new name."""
        if not (entry := self._list.current):
            return
        if not entry.is_named:
            self._refuse(f"“{entry.name}” belongs to its run: only checkpoints saved by name can be renamed.")
            return

        def rename(name: str) -> None:
            if name != entry.name:
                renamed = replace(entry, name=name, path=named_checkpoint_path(name))
                change = partial(files.rename_checkpoint, entry.name, name)
                self._change(change, entry, renamed, f"Renamed to “{name}”.")

        self._ask(ask_new_name(entry.name, is_taken), rename)

    def action_checkpoint_delete(self) -> None:
        """Ask whether to delete it, where that is allowed."""
        if not (entry := self._list.current):
            return
        if entry.is_pinned:
            self._refuse(f"“{entry.name}” is pinned: unpin it with k to delete it.")
        elif self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be deleted: this run can still write it.")
        else:
            size = format_size(entry.num_bytes)
            question = f"Delete “{entry.name}”? This frees {size} and can't be undone."
            delete, done = partial(files.delete_checkpoint, entry.name), f"Deleted “{entry.name}”: {size} freed."
            self._ask(
                Question("Delete a checkpoint", question, {"y": "delete"}),
                lambda _: self._change(delete, entry, None, done),
            )

    def _is_written_by_run(self, entry: CheckpointEntry) -> bool:
        """Return whether the run of this screen may overwrite a checkpoint: it may continue until it has ended."""
        run, _, name = entry.name.rpartition("/")
        return run == self.run.name and name in RUN_CHECKPOINTS and self.run.view.ended is None

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
        self._list.replace(entry, changed)
        self.notify(sanitize_line(done), markup=False)


class CompareDialog(Dialog[None]):
    """Show the metadata of two checkpoints, which both have, and a tweet of each; differences are highlighted."""

    def __init__(self, left: CheckpointEntry, right: CheckpointEntry) -> None:
        super().__init__("Compare checkpoints")
        self._entries = (left, right)

    def compose_body(self) -> ComposeResult:
        """Lay out a row per field of the metadata."""
        left, right = self._entries
        pairs = comparison(left.info, right.info, self.app.loss_unit) if left.info and right.info else []
        with VerticalScroll():
            yield from _row(ComparedField("", left.name, right.name), "heading")
            for pair in pairs:
                yield from _row(pair, "differs" if pair.differs else "")
            yield from _row(ComparedField("a tweet", ELLIPSIS, ELLIPSIS), "samples")

    def on_mount(self) -> None:
        """Find a tweet of each; name the keys that scroll while there is something to scroll."""
        self._find_samples()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._show_keys)

    def _show_keys(self, can_scroll: bool) -> None:  # noqa: FBT001 - a watcher's signature
        self.query_one("#box").border_subtitle = f"{'↑ ↓ scroll · ' if can_scroll else ''}{self.KEYS_LINE}"

    @work
    async def _find_samples(self) -> None:
        """Show a tweet sampled from each of the two, once it is found."""
        row, texts = self.query_one(".samples"), []
        for entry, value in zip(self._entries, row.query(".value").results(Static), strict=True):
            tweet = await on_own_thread(partial(files.sample_of, entry))
            texts.append(sanitize_line(tweet.text) if tweet else "–")
            value.update(texts[-1])
        row.set_class(len(set(texts)) > 1, "differs")


def _row(pair: ComparedField, classes: str) -> Iterator[Horizontal]:
    yield Horizontal(
        Static(pair.name, markup=False, classes="name"),
        *(Static(sanitize_line(value), markup=False, classes="value") for value in (pair.left, pair.right)),
        classes=f"row {classes}",
    )
