"""`LessonScreen`: text, task and live view of the open stop. Left and right go between stops; nothing is locked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, Static

from engine.errors import StorageError
from engine.protocol.events import CommandRefused, RunFailed, RunStarted, Warned
from engine.text import sanitize_line
from tui.dialogs.ask import Question
from tui.lesson.run import MAIN, LessonRun
from tui.lesson.stops import STOPS, Progress, Stop, read_progress, write_progress
from tui.run.connection import OpenRun, RunConnection
from tui.run.view import RunView
from tui.screens.lesson.comparing_stops import BatchesView, SamplingView
from tui.screens.lesson.reading_stops import CharsView, ForcingView, LearnedView, ShapesView
from tui.screens.lesson.stop_view import StopView
from tui.screens.lesson.surroundings import CodeDialog, LessonHelp, LessonText, PauseNote, StopsBar
from tui.screens.lesson.training_stops import OverfitView, TrainingView
from tui.settings.key_table import Key, keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import TerminalApp
from tui.widgets.key_bar import KeyBar
from tui.widgets.status.stage_hint import StageHint
from tui.widgets.xray.panel import XrayPanel

_TICK_SECONDS = 0.1
_VIEWS: tuple[type[StopView], ...] = (
    CharsView,
    ShapesView,
    ForcingView,
    OverfitView,
    SamplingView,
    BatchesView,
    TrainingView,
    LearnedView,
)
_TYPING_STOP = 1
_TEMPERATURE_STOP = 5
_KEYS = {key.name: replace(key, action=f"screen.{key.action}") for key in keys_of("lesson")}
"""The keys as a click on them finds the screen, whatever has the focus."""


def _labelled(**labels: str) -> tuple[Key, ...]:
    """Return the keys of these names for the bar; a key with an empty label is not in it."""
    return tuple(replace(_KEYS[name], label=label) for name, label in labels.items() if label)


class LessonScreen(Screen[None]):
    """Text, task and live view of a stop, and the keys that act on them."""

    app = getters.app(TerminalApp)
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(keys_of("lesson")),
        *(Binding(str(number), f"open_stop({number})", show=False) for number in range(1, len(STOPS) + 1)),
    ]
    AUTO_FOCUS = "LessonText"

    def __init__(self, connection: RunConnection, open_run: OpenRun, view: RunView, progress_path: Path) -> None:
        """Show the lesson on the run of `connection`, from `view` on."""
        super().__init__()
        self.run = LessonRun(connection, open_run, view)
        self.progress = read_progress(progress_path)
        self._progress_path = progress_path
        self._trains_by_key: bool | None = None
        """Whether space was pressed to train, or to pause; None: the stop decides."""
        self._is_announced = False
        """Whether the open view was notified that its run is ready."""
        self._num_ticks = 0

    @property
    def current(self) -> StopView:
        """The view of the open stop."""
        return self.query_one(f"#stop-{self.progress.stop}", StopView)

    @property
    def stop(self) -> Stop:
        return STOPS[self.progress.stop - 1]

    def compose(self) -> ComposeResult:
        yield StopsBar()
        with Vertical(id="lesson-body"):
            with Vertical(id="lesson-left"):
                with LessonText():
                    yield Static("", markup=False, id="lesson-text")
                yield Static("", markup=False, id="lesson-task")
                yield Static("", markup=False, id="lesson-learned")
                yield PauseNote()
            with Vertical(id="lesson-live"):
                yield StageHint()
                with ContentSwitcher(initial=f"stop-{self.progress.stop}"):
                    for stop, view in zip(STOPS, _VIEWS, strict=True):
                        yield view(stop, self.run)
        yield KeyBar(())
        yield Static("At least 40 columns and 12 rows are needed.", markup=False, id="too-small")

    def on_mount(self) -> None:
        self.run.start()
        self._open(self.progress.stop)
        self.set_interval(_TICK_SECONDS, self.tick)

    def tick(self) -> None:
        """Fold what happened since the last tick into the view, and show it."""
        run, view = self.run, self.current
        self._num_ticks += 1
        run.is_training_wanted = view.wants_training() if self._trains_by_key is None else self._trains_by_key
        for event in run.drain():
            if isinstance(event, RunStarted):
                self._is_announced = False
            elif isinstance(event, RunFailed):
                self._ask_to_start_again(event)
            elif isinstance(event, CommandRefused):
                self.notify(sanitize_line(event.detail), severity="warning", markup=False)
            elif isinstance(event, Warned):
                self.notify(sanitize_line(event.message), severity="warning", markup=False)
            view.handle(event)
            self._note_if_done()
        if run.is_ready and not self._is_announced:
            self._is_announced = True
            view.run_is_ready()
        view.tick()
        self._note_if_done()
        is_enough = view.has_trained_enough and not self.has_class("-tiny")
        self.query_one(PauseNote).show(self.stop, run, is_enough=is_enough)
        self.query_one(KeyBar).pause_label = "pause" if run.view.phase == "training" else "train"
        self.query_one("#lesson-live").set_class(not run.is_ready, "-waiting")
        self.query_one(StageHint).show(run.connection.stage, self._num_ticks)
        if self.query_one(LessonText).show_rest():
            self._show_keys()

    def stop_run(self, reason: str) -> None:
        """Close the open stop, and have the run save and end."""
        if self.is_mounted:
            self.current.closed()
        self.run.stop(reason)

    def action_go(self, step: int) -> None:
        """Go to the next (1) or previous (-1) stop."""
        number = self.progress.stop + step
        if 1 <= number <= len(STOPS):
            self.action_open_stop(number)

    def action_open_stop(self, number: int) -> None:
        self.current.closed()
        self._open(number)

    def action_scroll_text(self, direction: int) -> None:
        """Scroll the text by a page, down (1) or up (-1)."""
        text = self.query_one(LessonText)
        text.scroll_relative(y=direction * text.size.height, animate=False)

    def action_switch(self) -> None:
        """Move the focus between text and view; where nothing has it, to the view."""
        entry, text = self.current.entry, self.query_one(LessonText)
        is_on_text = self.focused is None or self.focused is text
        self.set_focus(entry if is_on_text and entry is not None else text)

    def on_descendant_focus(self) -> None:
        """Show the focused part where there is no room for both text and view."""
        self.set_class(self.focused is not self.query_one(LessonText), "-on-view")
        self._show_keys()

    def on_key(self, event: events.Key) -> None:
        """Pass a typed character that is no key of the lesson to the view."""
        if event.character is not None and event.is_printable and event.key not in self.active_bindings:
            self.current.typed(event.character)

    @on(XrayPanel.ViewChanged)
    @on(StopView.KeysChanged)
    def _show_keys_of_view(self) -> None:
        self._show_keys()

    def action_act(self) -> None:
        """Do what enter does at the open stop; where that trains, it ends a pause by space."""
        if self.current.ACT_TRAINS:
            self._trains_by_key = None
        self.current.act()
        self._note_if_done()

    def action_adjust(self, step: int) -> None:
        self.current.adjust(step)
        self._note_if_done()

    def action_compare(self) -> None:
        self.current.compare()
        self._note_if_done()

    def action_train(self) -> None:
        self._trains_by_key = self.run.view.phase != "training"

    def action_code(self) -> None:
        self.app.push_screen(CodeDialog(self.stop))

    def action_help(self) -> None:
        self.app.push_screen(LessonHelp())

    async def action_leave(self) -> None:
        await self.app.run_action("leave")

    def action_back(self) -> None:
        """Return to the text; there, say how to leave."""
        text = self.query_one(LessonText)
        if self.focused is text:
            self.notify("q leaves the lesson; it continues here the next time.", markup=False)
        self.set_focus(text)

    def _open(self, number: int) -> None:
        self._save(replace(self.progress, stop=number))
        self.current.was_done = number in self.progress.done
        self._trains_by_key = None
        self._is_announced = False
        self.query_one(ContentSwitcher).current = f"stop-{number}"
        self.query_one(LessonText).scroll_home(animate=False)
        self.set_class(number == _TYPING_STOP, "-typing")
        self.set_focus(self.current.first_focus or self.query_one(LessonText))
        self._show_stop()
        self.current.opened()

    def _show_stop(self) -> None:
        stop = self.stop
        self.query_one(StopsBar).show(self.progress)
        self.query_one("#lesson-text", Static).update(stop.text)
        self.query_one("#lesson-task", Static).update(f"▸ {stop.task}")
        self.query_one("#lesson-learned", Static).update(f"✓ {stop.learned}")
        self.query_one("#lesson-left").set_class(stop.number in self.progress.done, "-done")
        self._show_keys()

    def _show_keys(self) -> None:
        """Show the keys of the open stop, and of the text or the view, whichever has the focus."""
        stop, view, bar = self.stop, self.current, self.query_one(KeyBar)
        stops = _labelled(go_down="stops", go_up="stops")
        page_down = _labelled(scroll_text_up="more") if self.query_one(LessonText).has_more else ()
        temp = "temp" if stop.number == _TEMPERATURE_STOP else ""
        anywhere = _labelled(
            act=stop.action,
            adjust_down=temp,
            adjust_up=temp,
            compare=view.compares,
            code="code",
            help="help",
            train="pause",
            leave="quit",
        )
        if isinstance(self.focused, Input):  # only keys that the line does not type
            bar.show_keys((*_labelled(back="text", go_up="next stop, at the end of the line"), *page_down))
        elif self.has_class("-on-view"):
            own = view.bar_keys
            taken = {key.keys for key in own}
            others = (key for key in anywhere if key.keys not in taken)
            keys = (*_labelled(back="text"), *(() if view.TAKES_ARROWS else stops), *own, *others)
            bar.show_keys(keys, target=view.keys_target)
        else:
            bar.show_keys((*stops, *_labelled(switch="view"), *page_down, *anywhere))

    def _note_if_done(self) -> None:
        """Save and show it once the task of the open stop is done, and whether that was the last one."""
        view = self.current
        if view.was_done or not view.is_done:
            return
        view.was_done = True
        self._save(replace(self.progress, done=self.progress.done | {self.stop.number}))
        self._show_stop()
        if self.progress.is_complete:
            self.notify("All eight stops are done. tweetgen-tui --data FILE trains on your own lines.", markup=False)

    def _save(self, progress: Progress) -> None:
        self.progress = progress
        try:
            write_progress(self._progress_path, progress)
        except StorageError as error:
            self.notify(sanitize_line(f"{error.message} {error.hint}"), severity="warning", markup=False)

    def _ask_to_start_again(self, failed: RunFailed) -> None:
        """Show why a run has failed; offer the lesson's model, from random weights if that is what failed."""
        is_new = self.run.name == MAIN
        label = "start again from random weights" if is_new else "go on"
        question = Question(failed.title, f"{failed.detail} {failed.hint}", {"y": label})
        self.app.ask(question, lambda _: self.run.show_main(is_new=is_new))
