"""The dialogs that ask: `Question` for one of a few answers, `Ask` for a line of text; and what they ask.

That is a number, the name of a checkpoint, whether to load one, and how much longer a run trains.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeAlias

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from engine.checkpoints.catalog import CheckpointEntry, is_taken, pin_path
from engine.errors import ConfigError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.protocol.events import CommandRefused
from engine.storage.folders import BEFORE_LOAD, checked_name, folder_of_run, named_checkpoint_path
from engine.text import sanitize_line
from tui.dialogs.base import Answer, Dialog
from tui.run.ending import Budget, Choice, ChoiceName, amount_choice, choices
from tui.run.view import RunView, is_over
from tui.settings.key_table import Key, keys_of
from tui.settings.keys import bindings_of
from tui.text.checkpoints import model_text
from tui.text.typed import amount_in
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput

_REDRAW_SECONDS = 0.25
_MAX_CHARS = 2000


class Question(Dialog[str]):
    """Ask for one of a few answers, each a key with a label, and answer with the key; or show a message."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(keys_of("question")),
        Binding("enter", "answer('enter')", show=False),
    ]

    def __init__(
        self,
        title: str,
        text: str | Callable[[], str],
        answers: Mapping[str, str],
        hint: str = "",
        look: Literal["bar", "frame", "message", "error"] = "bar",
    ) -> None:
        """Ask `text`, or what it returns while the dialog is open; `answers` are the labels by key.

        They are shown in a bar, to click, or in the frame. Enter closes a message and an error; elsewhere it does
        nothing that is no answer, so that no key pressed once too often decides.
        """
        self.is_message = look in {"message", "error"}
        close = "enter or esc close" if self.is_message else "esc close"
        in_frame = " · ".join([*(f"{key} {label}" for key, label in answers.items()), close])
        super().__init__(title, "" if look == "bar" else in_frame, classes=f"-{look}")
        self._text, self._answers, self._hint, self._look = text, answers, hint, look

    def compose_body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(markup=False, id="question")
            if self._hint:
                yield Static(sanitize_line(self._hint, _MAX_CHARS), markup=False, id="hint")
        if self._look == "bar":
            yield Static("", markup=False)
            labels, symbols = {**self._answers, "escape": "close"}, {"enter": "enter"}
            yield KeyBar(
                Key("dialog", key, f"answer({key!r})", label=label, symbols=symbols.get(key, ""))
                for key, label in labels.items()
            )

    def on_mount(self) -> None:
        self._draw()
        if callable(self._text):
            self.set_interval(_REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        line, text = self.query_one("#question", Static), self._text() if callable(self._text) else self._text
        if line.content != (shown := sanitize_line(text, _MAX_CHARS)):
            line.update(shown)

    def action_answer(self, key: str) -> None:
        """Answer with a key, or close."""
        if key in self._answers or key == "escape" or (key == "enter" and self.is_message):
            self.dismiss(key if key in self._answers else None)


def show_error(app: App[Any], error: TweetgenError | CommandRefused) -> None:
    """Show an error in a dialog, or as a toast where another message is open."""
    top, detail = app.screen, error.detail if isinstance(error, CommandRefused) else error.message
    if isinstance(top, Question) and top.is_message:
        app.notify(sanitize_line(f"{error.title}. {detail}"), severity="error", markup=False)
    else:
        app.push_screen(Question(error.title, detail, {}, error.hint, "error"))


class Problem(NamedTuple):
    """Why a typed line has no value."""

    text: str
    is_error: bool = True
    """Whether it is shown in the colour of errors."""


class Repeat(NamedTuple, Generic[Answer]):
    """The value of a line once enter is pressed again, and why it has to be."""

    text: str
    value: Answer


Checked: TypeAlias = Answer | Problem | Repeat[Answer]


class Ask(Dialog[Answer]):
    """Ask for a line of text; answer with its value."""

    def __init__(
        self,
        title: str,
        line: LineInput,
        hint: str,
        check: Callable[[str], Checked[Answer]],
        explain: Callable[[str], str | Problem | None] = lambda _: None,
        note: str = "",
        keys_line: str = "enter set · esc close",
        classes: str = "",
    ) -> None:
        """Ask for `line`; `check` returns the value of its text, without blanks around it.

        Below it is `hint`, or what `explain` returns for what is typed, until enter shows a problem; `note` is above.
        """
        super().__init__(title, keys_line, classes)
        self._line, self._hint, self._note = line, hint, note
        self._check, self._explain = check, explain
        self._is_warned = False
        """Whether enter again answers with the value of a `Repeat`."""

    def compose_body(self) -> ComposeResult:
        if self._note:
            yield Static(self._note, markup=False)
        yield self._line
        yield Static(self._hint, markup=False, id="hint")

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        self._is_warned = False
        match self._explain(event.value.strip()):
            case Problem(text, is_error):
                self._show_hint(text, is_error=is_error)
            case explanation:
                self._show_hint(explanation or self._hint)

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        match self._check(event.value.strip()):
            case Problem(text, is_error):
                self._show_hint(text, is_error=is_error)
            case Repeat(warning) if not self._is_warned:
                self._is_warned = True
                self._show_hint(warning)
            case Repeat(_, value) | value:
                self.dismiss(value)


# What is asked --------------------------------------------------------------------------------------------------------


def _line(text: str, placeholder: str = "", max_length: int = 24) -> LineInput:
    return LineInput(sanitize_line(text), placeholder=placeholder, max_length=max_length, select_on_focus=True)


def ask_number(title: str, sentence: str, value: int, low: int, high: int) -> Ask[int]:
    """Ask for a whole number, now `value`; `sentence` says what it means, and the effect of a change."""
    limits = f"a whole number from {low:,} to {high:,}"

    def check(text: str) -> int | Problem:
        digits = text.translate(dict.fromkeys(map(ord, ",_ '\u00a0\u202f")))  # any separator of groups
        is_number = digits.removeprefix("-").isdecimal() and low <= int(digits) <= high
        return int(digits) if is_number else Problem(f"{sanitize_line(text) or 'Nothing'} is not {limits}.")

    return Ask(title, _line(str(value)), f"{value:,} now; {limits}.", check, note=sentence)


def _ask_name(title: str, name: str, verb: str, check: Callable[[str], Checked[Answer]]) -> Ask[Answer]:
    def check_all(text: str) -> Checked[Answer]:
        try:
            return check(checked_name(text, "checkpoint"))
        except ConfigError as error:
            return Problem(error.hint, is_error=False)

    rule = "Up to 100 letters, digits, spaces and . _ + -, the first a letter or digit."
    return Ask(title, _line(name, "a name", 100), rule, check_all, keys_line=f"enter {verb} · esc close")


def ask_name_to_save(name: str) -> Ask[SaveCheckpoint]:
    """Ask under which name to save, and answer with the command; suggest `name`, or name-2 and so on if it is taken."""

    def check(name: str) -> Checked[SaveCheckpoint]:
        if not is_taken(name):
            return SaveCheckpoint(name=name, replace=False)
        if pin_path(named_checkpoint_path(name)).exists():
            reason = f"The checkpoint “{name}” is pinned. Choose another name, or unpin it first."
            return Problem(reason, is_error=False)
        warning = f"A checkpoint called “{name}” exists already; enter again replaces it."
        return Repeat(warning, SaveCheckpoint(name=name, replace=True))

    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return _ask_name("Save a checkpoint", next(itertools.filterfalse(is_taken, names)), "save", check)


def ask_new_name(name: str) -> Ask[str]:
    """Ask for another name of a checkpoint, one that is free; `name` itself is an answer, too."""

    def check(new: str) -> str | Problem:
        reason = f"A checkpoint called “{new}” exists already. Choose another name."
        return Problem(reason, is_error=False) if is_taken(new) and new != name else new

    return _ask_name(f"Rename “{name}”", name, "rename", check)


def load_question(entry: CheckpointEntry, view: RunView) -> str:
    """Return what loading a checkpoint does to the run of `view`, and under which name its weights are saved."""
    info, saved = entry.info, view.saved_by_name
    if info is None:
        return ""  # damaged: it can't be loaded
    if info.run != view.name:
        of_run = "" if entry.name.startswith(f"{info.run}/") else f" of the run {info.run}"
        where = f"Continue this run from “{entry.name}”, step {info.step:,}{of_run}, trained on {info.corpus_name}?"
    elif info.step == view.step:
        where = f"Load “{entry.name}”, which is at this step, {info.step:,}, too?"
    else:
        where = f"Go {'back' if info.step < view.step else 'forward'} to step {info.step:,}, “{entry.name}”?"
    has_other_model = view.model is not None and info.model != view.model
    if view.step == 0:
        now = "The run has taken no step: nothing is lost."
    elif (view.loaded_name, view.loaded_step) == (entry.name, view.step):
        now = "The run has taken no step since it was loaded: nothing is lost."
    elif saved is not None and saved.weights_step == view.step:
        now = f"The run, now at step {view.step:,}, is saved as “{saved.name}”: nothing is lost."
    elif view.phase == "training":  # the steps until the answer count, too
        now = f"The run, now at step {view.step:,}, is saved first as step-N{BEFORE_LOAD}, where N is its step then."
    else:
        name = folder_of_run(view.name).name_before_load(view.step)
        now = f"The run, at step {view.step:,}, is saved first as {name}."
    model = f" The model becomes: {model_text(info.model)}." if has_other_model else ""
    return f"{where}{model} {now}{' Its finish is cancelled.' if view.is_finishing else ''}"


class BudgetDialog(Dialog[Choice]):
    """Ask how much longer a run trains: each choice has a digit, and enter chooses the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(number), f"choose({number})", show=False) for number in range(1, 10)
    ]
    KEYS_LINE = "number or enter choose · esc close"

    def __init__(self, view: RunView, at_start: Budget, chosen: ChoiceName = "steps") -> None:
        """Offer the choices of a run as it is now, the cursor on `chosen`; `at_start` is the budget it began with."""
        super().__init__("Continue the run" if is_over(view) else "Change the budget")
        self._view, self._chosen = view, chosen
        self._choices = choices(view, at_start)

    def compose_body(self) -> ComposeResult:
        yield OptionList(
            *(
                Content.styled(f" {number}  ", "bold") + f"{choice.label:<16}{choice.effect}"
                for number, choice in enumerate(self._choices, 1)
            ),
            markup=False,
        )
        yield Static("", markup=False, id="hint")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = [choice.name for choice in self._choices].index(self._chosen)

    @on(OptionList.OptionHighlighted)
    def _on_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._show_hint(self._choices[event.option_index].note)

    @on(OptionList.OptionSelected)
    def _on_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_choose(event.option_index + 1)

    def action_choose(self, number: int) -> None:
        """Answer with a choice; ask for the amount first where one is to be typed."""
        if number > len(self._choices):
            return
        choice = self._choices[number - 1]
        if choice.name == "amount":
            self.app.ask(ask_amount(self._view), self.dismiss)
        else:
            self.dismiss(choice)


def ask_amount(view: RunView) -> Ask[Choice]:
    """Ask for a number of steps, a time or a number of epochs that the run trains longer."""
    units = "Steps, or with a unit: 90 s, 10 min, 1:30, 2 h, 3 epochs."

    def check(text: str) -> Choice | Problem:
        if (amount := amount_in(text)) is not None:
            return amount_choice(view, amount)
        typed = sanitize_line(text) or "Nothing"
        return Problem(f"{typed} is no number of steps, time or number of epochs. {units}")

    def explain(text: str) -> str | None:
        choice = check(text)
        return f"{choice.effect[0].upper()}{choice.effect[1:]}. {choice.note}" if isinstance(choice, Choice) else None

    line, keys_line = _line("", "2,500"), "enter set · esc back"
    return Ask("How much longer", line, units, check, explain, keys_line=keys_line, classes="-slim")
