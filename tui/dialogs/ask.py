"""Ask for a whole number: a setting of the run, with its current value and limits.

The dialog of the settings in which a value is typed.

Type the name of a checkpoint: to save one, or to rename one.

Ask before a checkpoint is loaded into the run: what it does, and under which name the run's weights are saved.

Continue a run beyond its budget, or change the budget of one that trains: choose how much longer, or type it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from engine.checkpoints.catalog import CheckpointEntry, pin_path
from engine.checkpoints.format import CheckpointInfo
from engine.errors import ConfigError
from engine.protocol.commands import SaveCheckpoint
from engine.storage.folders import BEFORE_LOAD, checked_name, folder_of_run, named_checkpoint_path
from engine.text import sanitize_line
from tui.dialogs.base import Answer, Dialog
from tui.run.ending import Budget, Choice, ChoiceName, amount_choice, choices
from tui.run.view import RunView, is_over
from tui.settings.keys import Key
from tui.text.checkpoints import model_text
from tui.text.numbers import format_count
from tui.text.typed import amount_in
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput

_MAX_CHARS = 24


@dataclass(frozen=True, kw_only=True)
class NumberQuestion:
    """A setting, its current value and its limits."""

    title: str
    sentence: str
    """What the number means, and the effect of a change."""
    value: int
    """The current value, to start from."""
    low: int
    high: int

    @property
    def limits(self) -> str:
        """The allowed numbers, in words."""
        return f"a whole number from {format_count(self.low)} to {format_count(self.high)}"


def number_in(text: str) -> int | None:
    """Parse a whole number with any group separator, "1,000" or "1 000"; return None for other text."""
    digits = text.strip().translate(dict.fromkeys(map(ord, ",_ '\u00a0\u202f")))
    return int(digits) if digits.removeprefix("-").isdecimal() else None


class NumberDialog(Dialog[int]):
    """Answer with a number within the limits."""

    KEYS_LINE = "enter set · esc close"

    def __init__(self, question: NumberQuestion) -> None:
        """Ask a question; the line begins with the current value."""
        super().__init__(question.title)
        self._question = question

    def compose_body(self) -> ComposeResult:
        """Show the sentence, the line, and below it the limits or an error."""
        yield Static(self._question.sentence, markup=False)
        yield LineInput(str(self._question.value), max_length=_MAX_CHARS, select_on_focus=True)
        yield Static(self._usual_hint, markup=False, id="hint")

    @property
    def _usual_hint(self) -> str:
        return f"{format_count(self._question.value)} now; {self._question.limits}."

    @on(Input.Changed)
    def _clear_error(self) -> None:
        """Clear the error once the line changes."""
        self._show_hint(self._usual_hint)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        number = number_in(event.value)
        if number is not None and self._question.low <= number <= self._question.high:
            self.dismiss(number)
            return
        typed = sanitize_line(event.value.strip()) or "Nothing"
        self._show_hint(f"{typed} is not {self._question.limits}.", is_error=True)


BY_PRESET = "from the preset"
"""Shown for a number that is not set."""


class ValueDialog(Dialog[str]):
    """Answer with a typed value, stripped, or with an empty text for the default; an error is shown while typing."""

    KEYS_LINE = "enter set · esc cancel"
    CSS = "ValueDialog #box { width: 60; }"

    def __init__(
        self,
        label: str,
        text: str,
        sentence: str,
        error_of: Callable[[str], str],
        *,
        placeholder: str = "",
        max_length: int = 12,
    ) -> None:
        """Begin with `text`. `error_of` returns what is wrong with a text, in a sentence; empty if it is valid."""
        super().__init__(label)
        self._text = text
        self._sentence = sentence
        self._error_of = error_of
        self._placeholder = placeholder
        self._max_length = max_length

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it the sentence on the setting or an error."""
        yield LineInput(self._text, placeholder=self._placeholder, max_length=self._max_length, select_on_focus=True)
        yield Static(self._sentence, markup=False, id="hint")

    @on(Input.Changed)
    def _validate(self, event: Input.Changed) -> None:
        """Show the error in the line, or else the sentence."""
        error = self._error_of(event.value.strip())
        self._show_hint(error or self._sentence, is_error=bool(error))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, unless there is an error."""
        text = event.value.strip()
        if not self._error_of(text):
            self.dismiss(text)


def number_or_text(text: str) -> object:
    """Parse a number; return any other text unchanged."""
    for number_type in (int, float):
        try:
            return number_type(text)
        except ValueError:
            continue
    return text


_RULE = "Up to 100 letters, digits, spaces and . _ + -, the first a letter or digit."


def is_saved(name: str) -> bool:
    """Return whether a checkpoint of that name exists."""
    return named_checkpoint_path(name).exists()


def is_pinned(name: str) -> bool:
    """Return whether the checkpoint of that name is pinned, so that it can't be replaced."""
    return pin_path(named_checkpoint_path(name)).exists()


def free_name(name: str) -> str:
    """Return `name`, or the first of name-2, name-3 and so on that is free."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([name], numbered) if not is_saved(candidate))


class NameDialog(Dialog[Answer]):
    """A line for a name, and below it the rule for names, or an error."""

    def __init__(self, title: str, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with `name`."""
        super().__init__(title)
        self._first_name = sanitize_line(name)
        self._is_taken = is_taken

    def compose_body(self) -> ComposeResult:
        """Show the line and the rule."""
        yield LineInput(self._first_name, placeholder="a name", max_length=100, select_on_focus=True)
        yield Static(_RULE, markup=False, id="hint")

    @on(Input.Submitted)
    def _check_name(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        try:
            checked_name(name, "checkpoint")
        except ConfigError as error:
            self._show_hint(error.hint)
        else:
            self._on_name(name)

    def _on_name(self, name: str) -> None:
        """Answer with a valid name, or show why it is refused."""
        raise NotImplementedError


class SaveDialog(NameDialog[SaveCheckpoint]):
    """Answer with the command that saves; an existing name needs enter twice."""

    KEYS_LINE = "enter save · esc close"

    def __init__(self, suggestion: str, is_taken: Callable[[str], bool] = is_saved) -> None:
        """Suggest a name."""
        super().__init__("Save a checkpoint", suggestion, is_taken)
        self._name_to_replace: str | None = None

    @on(Input.Changed)
    def _clear_warning(self) -> None:
        """Clear the warning once the name changes."""
        if self._name_to_replace is not None:
            self._name_to_replace = None
            self._show_hint("")

    def _on_name(self, name: str) -> None:
        is_replacing = name == self._name_to_replace
        if self._is_taken(name) and is_pinned(name):
            self._show_hint(f"The checkpoint “{name}” is pinned. Choose another name, or unpin it first.")
        elif self._is_taken(name) and not is_replacing:
            self._name_to_replace = name
            self._show_hint(f"A checkpoint called “{name}” exists already; enter again replaces it.")
        else:
            self.dismiss(SaveCheckpoint(name=name, replace=is_replacing))


class RenameDialog(NameDialog[str]):
    """Answer with a name that is valid and free."""

    KEYS_LINE = "enter rename · esc close"

    def __init__(self, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with the current name."""
        super().__init__(f"Rename “{name}”", name, is_taken)

    def _on_name(self, name: str) -> None:
        if name == self._first_name:
            self.dismiss(None)
        elif self._is_taken(name):
            self._show_hint(f"A checkpoint called “{name}” exists already. Choose another name.")
        else:
            self.dismiss(name)


_REDRAW_SECONDS = 0.25
_MAX_QUESTION_CHARS = 600


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
                Key("dialog", "y", "answer", label="load"),
                Key("dialog", "enter", "answer", label="load", symbols="enter"),
                Key("dialog", "escape", "close", label="close"),
            )
        )

    def on_mount(self) -> None:
        """Show the question of this moment."""
        self._draw()
        self.set_interval(_REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        question = sanitize_line(self._question(), _MAX_QUESTION_CHARS)
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


_LABEL_WIDTH = 16


class ContinueDialog(Dialog[Choice]):
    """Answer with a choice: each has a digit, and enter chooses the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(number), f"choose({number})", show=False) for number in range(1, 10)
    ]
    KEYS_LINE = "number or enter choose · esc close"
    CSS = """
    ContinueDialog #box { width: 68; padding: 0 1; }
    ContinueDialog OptionList {
        height: auto;
        border: none;
        padding: 0;
        background: $surface;
        scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { border: none; }
        & > .option-list--option-highlighted { background: $primary 30%; color: $foreground; }
    }
    ContinueDialog #hint { min-height: 2; margin: 0; padding: 0 1; }
    """

    def __init__(self, view: RunView, at_start: Budget, chosen: ChoiceName = "steps") -> None:
        """Offer the choices of a run as it is now, the cursor on `chosen`; `at_start` is the budget it began with."""
        super().__init__("Continue the run" if is_over(view) else "Change the budget")
        self._view = view
        self._choices = choices(view, at_start)
        self._chosen = chosen

    def compose_body(self) -> ComposeResult:
        """Show the choices, and below them the effect of the one under the cursor."""
        yield OptionList(*(_row(*each) for each in enumerate(self._choices, start=1)), markup=False)
        yield Static("", markup=False, id="hint")

    def on_mount(self) -> None:
        """Put the cursor on its choice."""
        self.query_one(OptionList).highlighted = [choice.name for choice in self._choices].index(self._chosen)

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        """Show what the choice under the cursor changes besides the end."""
        self._show_hint(self._choices[event.option_index].note)

    @on(OptionList.OptionSelected)
    def _select(self, event: OptionList.OptionSelected) -> None:
        self.action_choose(event.option_index + 1)

    def action_choose(self, number: int) -> None:
        """Answer with a choice; ask for the amount first where one is to be typed."""
        if number > len(self._choices):
            return
        choice = self._choices[number - 1]
        if choice.name == "amount":
            self.app.push_screen(AmountDialog(self._view), self._answer_amount)
        else:
            self.dismiss(choice)

    def _answer_amount(self, choice: Choice | None) -> None:
        if choice is not None:
            self.dismiss(choice)


def _row(number: int, choice: Choice) -> Content:
    """Return the line of a choice."""
    return Content.styled(f" {number}  ", "bold") + Content(f"{choice.label:<{_LABEL_WIDTH}}{choice.effect}")


class AmountDialog(Dialog[Choice]):
    """Answer with the choice of a typed number of steps, time or number of epochs."""

    KEYS_LINE = "enter set · esc back"
    CSS = "AmountDialog #box { width: 60; }"
    _USUAL_HINT = "Steps, or with a unit: 90 s, 10 min, 1:30, 2 h, 3 epochs."

    def __init__(self, view: RunView) -> None:
        """Ask how much longer the run of `view` trains."""
        super().__init__("How much longer")
        self._view = view

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it what it means."""
        yield LineInput("", placeholder="2,500", max_length=_MAX_CHARS)
        yield Static(self._USUAL_HINT, markup=False, id="hint")

    def _choice_of(self, text: str) -> Choice | None:
        amount = amount_in(text)
        return None if amount is None else amount_choice(self._view, amount)

    @on(Input.Changed)
    def _explain(self, event: Input.Changed) -> None:
        """Show where the run would end."""
        choice = self._choice_of(event.value)
        if choice is None:
            self._show_hint(self._USUAL_HINT)
        else:
            self._show_hint(f"{choice.effect[0].upper()}{choice.effect[1:]}. {choice.note}")

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        choice = self._choice_of(event.value)
        if choice is not None:
            self.dismiss(choice)
            return
        typed = sanitize_line(event.value.strip()) or "Nothing"
        self._show_hint(f"{typed} is no number of steps, time or number of epochs. {self._USUAL_HINT}", is_error=True)
