"""Continue a run beyond its budget, or change the budget of one that trains: choose how much longer, or type it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from engine.text import sanitize_line
from tui.run.amounts import amount_in
from tui.run.continuation import Budget, Choice, ChoiceName, amount_choice, choices
from tui.run.view import RunView, is_over
from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput

_LABEL_WIDTH = 16
_MAX_CHARS = 24


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
