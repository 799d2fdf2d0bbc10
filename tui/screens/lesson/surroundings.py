"""What surrounds the live view of a stop: the bar of the stops, the text, the note on a pause, and two dialogs."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from engine.text import counted
from tui.dialogs.base import Dialog
from tui.dialogs.help import HelpDialog, HelpEntry, key_entries
from tui.lesson.run import LessonRun
from tui.lesson.stops import STOPS, Progress, Stop
from tui.settings.key_table import keys_of
from tui.terminal.sequences import copy
from tui.text.cells import shortened


class StopsBar(Widget):
    """The numbers of the stops on one line, those done with a check mark, and the title of the open one.

    A click on a number opens its stop.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"stops-bar--current", "stops-bar--done", "stops-bar--other"}
    DEFAULT_CSS = """
    StopsBar {
        height: 1;
        background: $panel;
        .stops-bar--current { color: $text-primary; text-style: bold; }
        .stops-bar--done { color: $text-success; }
        .stops-bar--other { color: $text-muted; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress()
        self._targets: list[tuple[range, int]] = []

    def show(self, progress: Progress) -> None:
        self._progress = progress
        self.refresh()

    def render(self) -> Content:
        """Return the line: ` 1✓ 2✓ [3] 4 5 6 7 8  Teacher forcing (a)`."""
        styles = {name: self.get_visual_style(f"stops-bar--{name}") for name in ("current", "done", "other")}
        line = Content(" ")
        self._targets = []
        for stop in STOPS:
            is_done, is_current = stop.number in self._progress.done, stop.number == self._progress.stop
            text = f"{stop.number}{'✓' if is_done else ''}"
            kind = "current" if is_current else "done" if is_done else "other"
            start = line.cell_length
            line += Content.styled(f"[{text}]" if is_current else text, styles[kind])
            self._targets.append((range(start, line.cell_length), stop.number))
            line += " "
        stop = STOPS[self._progress.stop - 1]
        title = shortened(stop.title, self.size.width - line.cell_length - 1)
        line += Content.styled(f" {title}", styles["current"])
        part = f"  {stop.part}"
        if line.cell_length + len(part) < self.size.width:
            line += Content.styled(part, styles["other"])
        return line

    async def on_click(self, event: events.Click) -> None:
        for cells, number in self._targets:
            if event.x in cells:
                await self.screen.run_action(f"open_stop({number})")


class LessonText(VerticalScroll, can_focus=True):
    """The text of the open stop. Where it is cut, its lower edge says so, and which key shows the rest."""

    _rest = ""
    has_more = False
    """Whether there is more of the text below."""

    def show_rest(self) -> bool:
        """Say how much of the text is below, or else that it goes on above; return whether that changed."""
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
    """At which step the model is paused, and how to train on; hidden while it trains, and before its first step."""

    DEFAULT_CSS = "PauseNote { height: auto; color: $text-muted; }"

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
