"""`XrayScreen`: the X-ray's panel, a line to type another text, what a single step did, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.protocol.insight import MAX_TRACED_CHARS, Insight
from tui.run.view import RunView
from tui.settings.availability import KeyState
from tui.settings.key_table import keys_of
from tui.settings.keys import Key, KeyMap, bindings_of, mapped, opening
from tui.widgets.bars import StepBar
from tui.widgets.key_bar import PAUSE_LABELS, KeyBar
from tui.widgets.line_input import LineInput
from tui.widgets.xray.panel import XrayPanel, xray_bar_keys
from tui.xray.view_names import ViewName


class TextLine(Horizontal):
    """The line in which a text is typed; hidden until it is opened."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,tab,shift+tab", "close_line", show=False)]
    DEFAULT_CSS = """
    TextLine {
        display: none;
        height: 1;
        background: $surface;
        &.-open { display: block; }
        #xray-sign { width: 2; color: $text-accent; text-style: bold; }
        LineInput, LineInput:focus { width: 1fr; background: $surface; background-tint: $surface 0%; }
    }
    """

    def compose(self) -> ComposeResult:
        """Lay out sign and input."""
        yield Static("› ", markup=False, id="xray-sign")
        yield LineInput(
            compact=True, select_on_focus=False, max_length=MAX_TRACED_CHARS, placeholder="any text; enter looks at it"
        )

    def open(self, text: str) -> None:
        """Open the line with a text."""
        self.add_class("-open")
        line = self.query_one(LineInput)
        line.value = text
        line.select_all()
        self.screen.set_focus(line)  # immediately: `focus` would let the next keys act on the screen

    def action_close_line(self) -> None:
        """Close the line without another text."""
        self.close()

    def close(self) -> None:
        """Close the line."""
        self.remove_class("-open")
        self.screen.set_focus(self.screen.query_one(XrayPanel))


class XrayScreen(Screen[None]):
    """Show the X-ray of a text."""

    AUTO_FOCUS = "XrayPanel"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("xray screen"), can_change=True)
    opening_keys: ClassVar[frozenset[str]] = opening(keys_of("xray screen"))

    def __init__(self, text: str | None, ask: Callable[[Insight], None], key_map: KeyMap | None = None) -> None:
        """Show `text`; for None, have one typed. `ask` sends a command about the weights."""
        super().__init__()
        self._send_question = ask
        self._is_without_text = text is None
        self.panel = XrayPanel(text or "")
        self._step_bar = StepBar()
        self._key_map = key_map or {}
        self._key_bar = KeyBar(self._bar_keys(self.panel.view_name), target=self.panel)

    def compose(self) -> ComposeResult:
        """Lay out the panel over the lines and keys."""
        yield self.panel
        yield self._step_bar
        yield TextLine()
        yield self._key_bar

    def on_mount(self) -> None:
        """Ask for a text where there is none."""
        if self._is_without_text:
            self.action_edit()

    def tick(self, view: RunView, step_note: str, key_state: KeyState) -> None:
        """Show the state of the run and of its keys and how to take a step, and follow it. Ten times a second."""
        self._key_bar.state = key_state
        self.panel.tick(view.step)
        self._step_bar.show(view.last_step_taken, step_note)
        self._key_bar.pause_label = PAUSE_LABELS.get(view.shown_phase, "pause")

    def action_edit(self) -> None:
        """Open the line with the present text."""
        self.query_one(TextLine).open(self.panel.text)

    def action_close(self) -> None:
        """Return to the main screen. A key pressed twice at once closes nothing else."""
        if self.app.screen is self:
            self.dismiss(None)

    @on(XrayPanel.Asked)
    def _ask(self, message: XrayPanel.Asked) -> None:
        if self.panel.expects(message.command):
            self._send_question(message.command)

    @on(XrayPanel.ViewChanged)
    def _offer_keys_of(self, message: XrayPanel.ViewChanged) -> None:
        self._key_bar.show_keys(self._bar_keys(message.view))

    def _bar_keys(self, view: ViewName) -> tuple[Key, ...]:
        return mapped(xray_bar_keys(view), self._key_map)

    @on(Input.Submitted)
    def _show_typed(self, event: Input.Submitted) -> None:
        self.panel.open(event.value)
        self.query_one(TextLine).close()
