"""Ask before a checkpoint is loaded into the run: what it does, and under which name the run's weights are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.format import CheckpointInfo
from engine.storage.folders import BEFORE_LOAD, folder_of_run
from engine.text import sanitize_line
from tui.formatting.checkpoint_facts import model_text
from tui.run.view import RunView
from tui.screens.dialogs.base import Dialog
from tui.settings.keys.key import Key
from tui.widgets.key_bar import KeyBar

_REDRAW_SECONDS = 0.25
_MAX_CHARS = 600


class LoadDialog(Dialog[Literal["load"]]):
    """Show a question that changes as the run goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y,enter", "answer", "load", show=False)]
    KEYS_LINE = ""

    def __init__(self, question: Callable[[], str]) -> None:
        """Show what `question` returns, now and as long as the dialog is open."""
        super().__init__("Load a checkpoint")
        self._question = question
        self._shown = ""

    def compose_body(self) -> ComposeResult:
        """Lay out the question, and the answers to press or click."""
        yield Static(markup=False, id="question")
        yield Static("", markup=False)
        yield KeyBar(
            (
                Key("y", "answer", "", "", label="load"),
                Key("enter", "answer", "", "", label="load", symbols="enter"),
                Key("escape", "close", "", "", label="close"),
            )
        )

    def on_mount(self) -> None:
        """Show the question of this moment."""
        self._draw()
        self.set_interval(_REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        question = sanitize_line(self._question(), _MAX_CHARS)
        if question != self._shown:
            self._shown = question
            self.query_one("#question", Static).update(Content(question))

    def action_answer(self) -> None:
        """Answer that it is to be loaded."""
        self.dismiss("load")


def load_question(entry: CheckpointEntry, view: RunView) -> str:
    """Return the question whether to load an undamaged checkpoint into the run of `view`."""
    return " ".join(_sentences(entry, entry.info, view)) if entry.info is not None else ""


def _sentences(entry: CheckpointEntry, info: CheckpointInfo, view: RunView) -> Iterator[str]:
    run = view.started.run if view.started is not None else ""
    if info.run != run:
        of_run = "" if entry.name.startswith(f"{info.run}/") else f" of the run {info.run}"
        yield f"Continue this run from “{entry.name}”, step {info.step:,}{of_run}, trained on {info.corpus_name}?"
    elif info.step == view.step:
        yield f"Load “{entry.name}”, which is at this step, {info.step:,}, too?"
    else:
        yield f"Go {'back' if info.step < view.step else 'forward'} to step {info.step:,}, “{entry.name}”?"
    if view.model is not None and info.model != view.model:
        yield f"The model becomes: {model_text(info.model)}."
    yield _now(entry, view, run)
    if view.is_finishing:
        yield "Its finish is cancelled."


def _now(entry: CheckpointEntry, view: RunView, run: str) -> str:
    """Return what becomes of the run's current weights."""
    if view.step == 0:
        return "The run has taken no step: nothing is lost."
    if (view.loaded_name, view.loaded_step) == (entry.name, view.step):
        return "The run has taken no step since it was loaded: nothing is lost."
    saved = view.saved_by_name
    if saved is not None and saved.weights_step == view.step:
        return f"The run, now at step {view.step:,}, is saved as “{saved.name}”: nothing is lost."
    if view.phase == "training":  # the steps until the answer count, too
        return f"The run, now at step {view.step:,}, is saved first as step-N{BEFORE_LOAD}, where N is its step then."
    return f"The run, at step {view.step:,}, is saved first as {folder_of_run(run).name_before_load(view.step)}."
