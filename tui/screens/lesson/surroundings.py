"""What surrounds the live view of a stop: the bar of the stops, the text, the note on a pause, and two dialogs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.text import counted
from tui.dialogs.base import Dialog
from tui.dialogs.help import HelpDialog, HelpEntry, key_entries
from tui.lesson.run import LessonRun
from tui.lesson.stops import STOPS, Progress, Stop
from tui.settings.key_table import keys_of
from tui.terminal.sequences import copy
from tui.text.cells import Line, Span, num_cells, shortened
from tui.widgets.line_view import Click, LineView


class StopsBar(LineView):
    """The numbers of the stops on one line, those done with a check mark, and the title of the open one.

    A click on a number opens its stop.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--current", "line--done"}

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress()

    def show(self, progress: Progress) -> None:
        self._progress = progress
        self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        """Return the line: ` 1✓ 2✓ [3] 4 5 6 7 8  Teacher forcing (a)`."""
        line: Line = (Span(" ", "label"),)
        for stop in STOPS:
            is_done, is_current = stop.number in self._progress.done, stop.number == self._progress.stop
            text = f"{stop.number}{'✓' if is_done else ''}"
            style = "current" if is_current else "done" if is_done else "label"
            number = Click(f"[{text}]" if is_current else text, style, f"open_stop({stop.number})")
            line = (*line, number, Span(" ", "label"))
        stop = STOPS[self._progress.stop - 1]
        line = (*line, Span(f" {shortened(stop.title, width - num_cells(line) - 1)}", "current"))
        part = Span(f"  {stop.part}", "label")
        return [(*line, part) if num_cells((*line, part)) < width else line]


class LessonText(VerticalScroll, can_focus=True):
    """The text of the open stop. Where it is cut, its lower edge says so, and which key shows the rest."""

    _rest = ""
    has_more = False
    """Whether there is more of the text below."""

    def show_rest(self) -> bool:
        """Show how much of the text is below, or else that there is more above; return whether that changed."""
        is_cut = self.virtual_size.height > self.size.height + self.has_class("-cut")
        num_below = round(self.max_scroll_y - self.scroll_offset.y)
        rest = f"pgdn: {counted(num_below, 'more line')}" if num_below else "pgup: back to the start"
        before, self._rest = self._rest, rest if is_cut else ""
        if self._rest == before:
            return False
        self.has_more = is_cut and num_below > 0
        self.set_class(is_cut, "-cut")
        self.border_subtitle = self._rest
        return True


class PauseNote(Static):
    """The step at which the model is paused, and the key that trains; hidden in training and before the first step."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._note = ""

    def show(self, stop: Stop, run: LessonRun, *, is_enough: bool) -> None:
        """Show the state of the run; `is_enough` adds that its steps are enough for the stop."""
        step, note = run.view.step, ""
        if stop.train_to and step and run.is_ready and run.view.phase == "paused" and not run.is_training_wanted:
            reason = ": that is enough for this stop" if is_enough else ""
            note = f"Paused at step {step:,}{reason}; space trains on."
        if note != self._note:
            self._note = note
            self.display = bool(note)
            self.update(note)


class CodeDialog(Dialog[None]):
    """Show the lines of PyTorch that do what a stop shows; `y` copies them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("C", "close", "close", show=False),
        Binding("y", "copy", "copy", show=False),
    ]
    KEYS_LINE = "y copy · ← → ↑ ↓ scroll · esc close"

    def __init__(self, stop: Stop) -> None:
        super().__init__(f"{stop.title}, in plain PyTorch")
        self._code = stop.code

    def compose_body(self) -> ComposeResult:
        with ScrollableContainer():
            yield Static(Content(self._code.strip("\n")), markup=False, id="code")

    def action_copy(self) -> None:
        copy(self.app, self._code)
        self.notify("The code was sent to the clipboard.", markup=False)


_WORDS = (
    HelpEntry("B T", "Tweets of a batch, and characters of a tweet, <BOS> included."),
    HelpEntry("V E H", "Characters of the vocabulary, size of an embedding, size of the hidden state."),
    HelpEntry("loss", "-log2 of the probability of the true next character, in bits; with ln, as in PyTorch, in nats."),
    HelpEntry("▸ ■ · ◇", "<BOS>, <EOS>, padding, a wide character. In bars, ▸ marks the true next character."),
    HelpEntry("the model", "A small GRU on the embedded tweets, trained as you go; it is kept for the next time."),
)


class LessonHelp(HelpDialog):
    """Show the words and the keys of the lesson."""

    def __init__(self) -> None:
        super().__init__({"Words": _WORDS}, {"The lesson": key_entries(keys_of("lesson"))})
