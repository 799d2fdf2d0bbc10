"""Two checkpoints side by side, with their differences highlighted.

The checkpoint browser: the list of checkpoints, and what can be done with them.

Loading one and starting a run from one are answers to the main screen. Comparing, pinning, renaming and deleting happen
here, on other threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from engine.checkpoints import management as checkpoint_files
from engine.checkpoints.catalog import CheckpointEntry, is_taken
from engine.checkpoints.management import sample_of
from engine.protocol.commands import LoadCheckpoint
from engine.storage.folders import RUN_CHECKPOINTS, named_checkpoint_path
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.ask import LoadDialog, RenameDialog, load_question
from tui.dialogs.base import Dialog, MessageDialog, YesDialog
from tui.dialogs.checkpoint_list import CheckpointList, CheckpointTable, ListCheckpoints
from tui.process.threads import on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.run.new_run import Branch, doubled_budgets
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of, opening
from tui.terminal.app import loss_unit_of
from tui.text.checkpoints import ComparedField, comparison
from tui.text.numbers import format_size


class CompareDialog(Dialog[None]):
    """Show the metadata of two checkpoints and a tweet of each. Both have metadata."""

    DEFAULT_CSS = """
    CompareDialog {
        .row { height: auto; color: $text-muted; }
        .row > .name { width: 20%; min-width: 10; max-width: 20; margin-right: 1; }
        .row > .value { width: 1fr; height: auto; margin-right: 1; }
        .differs > .name { color: $text-accent; text-style: bold; }
        .differs > .value { color: $foreground; text-style: bold; }
        .heading > .value { color: $text-primary; text-style: bold; }
    }
    """

    def __init__(self, left: CheckpointEntry, right: CheckpointEntry) -> None:
        """Put `left` and `right` into the columns."""
        super().__init__("Compare checkpoints")
        self._entries = (left, right)

    def compose_body(self) -> ComposeResult:
        """Lay out a row per field of the metadata."""
        left, right = self._entries
        pairs = comparison(left.info, right.info, loss_unit_of(self)) if left.info and right.info else []
        with VerticalScroll():
            yield from _row(ComparedField("", left.name, right.name), "heading")
            for pair in pairs:
                yield from _row(pair, "differs" if pair.differs else "")
            yield from _row(ComparedField("a tweet", ELLIPSIS, ELLIPSIS), "", id="samples")

    def on_mount(self) -> None:
        """Find a tweet of each; name the keys that scroll while there is something to scroll."""
        self._find_samples()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._show_keys)

    def _show_keys(self, can_scroll: bool) -> None:  # noqa: FBT001 - a watcher's signature
        self.query_one("#box").border_subtitle = f"{'↑ ↓ scroll · ' if can_scroll else ''}{self.KEYS_LINE}"

    @work
    async def _find_samples(self) -> None:
        """Show a tweet sampled from each of the two, once it is found."""
        row = self.query_one("#samples")
        texts = []
        for entry, value in zip(self._entries, list(row.query(".value").results(Static)), strict=True):
            tweet = await on_own_thread(partial(sample_of, entry))
            texts.append(sanitize_line(tweet.text) if tweet else "–")
            value.update(texts[-1])
        row.set_class(len(set(texts)) > 1, "differs")


def _row(pair: ComparedField, classes: str, id: str | None = None) -> Iterator[Horizontal]:  # noqa: A002 - Textual's own name for it
    yield Horizontal(
        Static(pair.name, markup=False, classes="name"),
        *(Static(sanitize_line(value), markup=False, classes="value") for value in (pair.left, pair.right)),
        classes=f"row {classes}",
        id=id,
    )


CheckBranch = Callable[[CheckpointEntry], object]
"""Raises the `TweetgenError` that a run from the checkpoint would end with, if it shows early. Called on a thread."""


class CheckpointBrowser(CheckpointList):
    """Answer with the command that loads a checkpoint, or a branch that starts from it, after a question."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("checkpoints"))
    opening_keys = opening(keys_of("checkpoints"))

    def __init__(
        self,
        list_checkpoints: ListCheckpoints,
        view_now: Callable[[], RunView],
        check_branch: CheckBranch,
        drop_typed_ahead: Callable[[], None],
    ) -> None:
        """List what `list_checkpoints` yields, over the run that `view_now` returns.

        `drop_typed_ahead` drops the keys that arrived together with the key whose action runs.
        """
        super().__init__(list_checkpoints, view_now)
        self._check_branch = check_branch
        self._drop_typed_ahead = drop_typed_ahead

    def _refuse(self, reason: str) -> None:
        """Show why a key opens nothing, and drop the keys that arrived together with it."""
        self._notice(reason)
        self._drop_typed_ahead()

    @on(CheckpointTable.Chosen)
    def _load_chosen(self) -> None:
        self.action_checkpoint_load()

    def action_checkpoint_load(self) -> None:
        """Ask whether to load it, or show why it can't be loaded."""
        entry = self._table.current
        if entry is None:
            return
        if refusal := self._refusal_of(entry):
            self._refuse(refusal)
        else:
            self._drop_typed_ahead()  # a key held down must not answer the question
            dialog = LoadDialog(lambda: load_question(entry, self._view_now()))
            self.app.push_screen(dialog, partial(self._load, entry))

    def _refusal_of(self, entry: CheckpointEntry) -> str:
        """Return why an entry can't be loaded now; empty if it can."""
        if entry.problem:
            return f"Can't be loaded: {entry.problem}"
        if self._why_not_loaded(entry):  # shown in detail
            return "Can't be loaded into this run: n starts a new run from it."
        view = self._view_now()
        if view.is_replay:
            return "This is a replay; n starts a run from it."
        match view.phase:
            case "starting":
                return "The run is still starting."
            case "finished":
                return "The run is finished; n starts a new one from it."
            case "failed":
                return "The run has failed; n starts a new one from it."
            case _:
                return ""

    def _load(self, entry: CheckpointEntry, answer: Literal["load"] | None) -> None:
        if answer == "load":
            self.dismiss(LoadCheckpoint(name=entry.name))

    def action_checkpoint_branch(self) -> None:
        """Ask whether to start a new run from it."""
        if entry := self._table.current:
            self._drop_typed_ahead()  # the question opens later, and these keys must not act on the list
            self._check_and_ask(entry)

    @work(exclusive=True, group="branch")
    async def _check_and_ask(self, entry: CheckpointEntry) -> None:
        """Check whether a new run could start, then ask."""
        if entry.info is None:
            self._notice(f"No run can start from it: {entry.problem}")
            return
        self._notice(f"checking the tweets of “{entry.name}”…")
        try:
            await on_own_thread(partial(self._check_branch, entry))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the run continues
            self._notice("")
            report = to_tweetgen_error(error, "Checking the tweets of a checkpoint")
            self.app.push_screen(MessageDialog(report.title, report.message, report.hint))
            return
        self._notice("")  # in no `finally`: where the list was closed meanwhile, the line is gone
        view = self._view_now()
        is_saved = view.started is not None and view.ended is None and not view.is_replay
        before = f"The run {self._run_name} is saved and ends. " if is_saved else ""
        is_saved_again = is_saved and entry.name == f"{self._run_name}/latest"
        step = "at the step where it ends" if is_saved_again else f"at step {entry.info.step:,}"
        what = f"A new one starts from “{entry.name}”, {step}, on {sanitize_line(entry.info.corpus_name)}."
        if doubled := doubled_budgets(entry.info):
            limits = ", ".join(f"{name.replace('_', ' ')} {limit:g}" for name, limit in doubled.items())
            what += f" Its budget is used up, and is doubled: {limits}."
        answered = partial(self._start_branch, entry)
        self.app.push_screen(YesDialog("New run", before + what, "start"), answered)

    def _start_branch(self, entry: CheckpointEntry, answer: Literal["yes"] | None) -> None:
        if answer == "yes":
            self.dismiss(Branch(entry))

    def action_checkpoint_compare(self) -> None:
        """Mark a checkpoint, or compare it with the marked one."""
        entry = self._table.current
        if entry is None or entry.info is None:
            self._refuse("It has no readable metadata to compare." if entry else "")
            return
        other = self._entries.get(self._compared or "")
        self._compared = entry.name if other is None else None
        if other is not None and other.name != entry.name:
            self.app.push_screen(CompareDialog(other, entry))
        self._arrange()
        self._notice(f"“{entry.name}” is marked: = on another compares them." if self._compared else "")

    def action_checkpoint_pin(self) -> None:
        """Pin or unpin it."""
        entry = self._table.current
        if entry is None:
            return
        if not entry.is_pinned and self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be pinned: this run can still write it.")
        else:
            pinned = replace(entry, is_pinned=not entry.is_pinned)
            change = partial(checkpoint_files.set_pinned, entry.name, is_pinned=pinned.is_pinned)
            done = "is pinned: it stays first, and can't be deleted" if pinned.is_pinned else "is unpinned"
            self._change(change, entry, pinned, f"“{entry.name}” {done}.")

    def action_checkpoint_rename(self) -> None:
        """Ask for a new name."""
        entry = self._table.current
        if entry is not None and not entry.is_named:
            self._refuse(f"“{entry.name}” belongs to its run: only checkpoints saved by name can be renamed.")
        elif entry is not None:
            self.app.push_screen(RenameDialog(entry.name, is_taken), partial(self._rename, entry))

    def _rename(self, entry: CheckpointEntry, name: str | None) -> None:
        if name is not None:
            change = partial(checkpoint_files.rename_checkpoint, entry.name, name)
            renamed = replace(entry, name=name, path=named_checkpoint_path(name))
            self._change(change, entry, renamed, f"Renamed to “{name}”.")

    def action_checkpoint_delete(self) -> None:
        """Ask whether to delete it, where that is allowed."""
        entry = self._table.current
        if entry is None:
            return
        if entry.is_pinned:
            self._refuse(f"“{entry.name}” is pinned: unpin it with k to delete it.")
        elif self._is_written_by_run(entry):
            self._refuse(f"“{entry.name}” can't be deleted: this run can still write it.")
        else:
            question = f"Delete “{entry.name}”? This frees {format_size(entry.num_bytes)} and can't be undone."
            self.app.push_screen(YesDialog("Delete a checkpoint", question, "delete"), partial(self._delete, entry))

    def _is_written_by_run(self, entry: CheckpointEntry) -> bool:
        """Return whether the run of this screen may overwrite a checkpoint: it may continue until it has ended."""
        is_its_own = entry.name in {f"{self._run_name}/{name}" for name in RUN_CHECKPOINTS}
        return is_its_own and self._view_now().ended is None

    def _delete(self, entry: CheckpointEntry, answer: Literal["yes"] | None) -> None:
        if answer == "yes":
            change = partial(checkpoint_files.delete_checkpoint, entry.name)
            self._change(change, entry, None, f"Deleted “{entry.name}”: {format_size(entry.num_bytes)} freed.")

    @work(group="change")
    async def _change(
        self, change: Callable[[], object], entry: CheckpointEntry, changed: CheckpointEntry | None, done: str
    ) -> None:
        """Change a file on a thread; then replace its entry by `changed`, or remove it for None, and show the toast."""
        try:
            await on_own_thread(change, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a disk does, the run continues
            report = to_tweetgen_error(error, "Changing a checkpoint")
            self.app.push_screen(MessageDialog(report.title, report.message, report.hint))
            return
        self._entries.pop(entry.name, None)
        if self._compared == entry.name:
            self._compared = changed.name if changed else None
        if changed is not None:
            self._entries[changed.name] = changed
        self._arrange(cursor_on=changed.name if changed else None)
        self.notify(sanitize_line(done), markup=False)
