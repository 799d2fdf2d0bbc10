"""The Textual app: style sheet, global keys, signals, return code. What happens on it is the main screen's."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import ClassVar

import platformdirs
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from engine.checkpoints.catalog import iterate_checkpoints
from engine.config.run import RunConfig
from engine.corpus.ingest.quick_check import CorpusPreview
from engine.session import preflight
from tui.app.preferences_app import ChoosingApp
from tui.process.signals import HANGUP_CODE, INTERRUPTED_CODE
from tui.run.branching import OtherCurve
from tui.run.bridge import Bridge, EngineBridge
from tui.run.exit_codes import reason_of
from tui.run.view import RunView
from tui.screens.dialogs.checkpoint_list import ListCheckpoints
from tui.screens.dialogs.leave import LeaveDialog
from tui.screens.main.screen import MainScreen
from tui.screens.main.services import Runs
from tui.settings.store import Changes, PreferenceKeeper
from tui.terminal.capabilities import GlyphSet

_WIDTHS = [(0, "-too-narrow"), (40, "-narrow"), (100, "-wide")]
_HEIGHTS = [(0, "-too-low"), (12, "-tiny"), (18, "-low"), (23, "-medium"), (30, "-tall")]
_LOOK_SECONDS = 0.02
"""How often a signal that came early looks whether the screen is up."""
_SYSTEM_COMMANDS = {"Theme", "Maximize", "Minimize", "Screenshot"}


def _nothing() -> None:
    """Do nothing: no loop runs yet."""


class TweetgenApp(ChoosingApp):
    """Show a run, then those started after it. `run` returns the `Outcome`; `summary_view` is its run."""

    TITLE = "tweetgen-tui"
    CSS_PATH = "../tweetgen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True, system=True),
    ]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    class Interrupted(Message):
        """The key ctrl+c was pressed."""

    def __init__(
        self,
        config: RunConfig,
        bridge: Bridge | None = None,
        history: RunView | None = None,
        list_checkpoints: ListCheckpoints = iterate_checkpoints,
        check: Callable[[RunConfig], CorpusPreview | None] = preflight.check,
        glyphs: GlyphSet = "braille",
        *,
        is_utf8: bool = True,
        keeper: PreferenceKeeper | None = None,
    ) -> None:
        """Prepare the screen of a run; `history` is the view that it begins with."""
        super().__init__(glyphs, is_utf8=is_utf8, keeper=keeper)
        self.bridges: list[Bridge] = [bridge or EngineBridge(config)]
        """One for each run, the latest last. Whoever runs the app makes sure that their threads have ended."""
        self.earlier_views: list[RunView] = []
        """The runs before the latest, as the screen last knew them."""
        self.stops_on_hangup = False
        """Whether the run ends where its terminal hangs up, in place of going on without a screen."""
        self._runs = Runs(
            list_checkpoints,
            check,
            self.start_run,
            self.keeper,
            self.notices.tell,
            self._typing_ahead.drop,
        )
        self._main_screen = MainScreen(self.bridge, history or RunView(), self._runs)
        self._no_more_drawing = ExitStack()
        self._signal_codes: list[int] = []
        """Of signals received and not acted upon yet."""
        self._act_soon: Callable[[], object] = _nothing

    @property
    def bridge(self) -> Bridge:
        """The bridge of the latest run."""
        return self.bridges[-1]

    @property
    def summary_view(self) -> RunView:
        """The latest run as the screen last knew it."""
        return self._main_screen.run_view

    def start_run(self, config: RunConfig, beside: OtherCurve | None = None) -> None:
        """Put the screen of a new run in place of the one before, and of the dialogs over it."""
        before = self._main_screen
        while self.screen is not before:
            self.pop_screen()
        view = RunView()
        if config.resume is None:
            self.earlier_views.append(before.run_view)
        else:  # the run before goes on
            view = before.run_view.to_be_resumed()
        self.bridges.append(self.bridge.successor(config))
        self._main_screen = MainScreen(self.bridge, view, self._runs, beside=beside)
        self.end_workers_of(before)
        self.switch_screen(self._main_screen)

    def follow_changes(self, changes: Changes) -> None:
        """Hand changes of the preferences to the main screen."""
        self._main_screen.follow_changes(changes)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what Textual has to offer and the key table lacks."""
        for command in super().get_system_commands(screen):
            if command.title in _SYSTEM_COMMANDS:
                yield command

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save a picture of the screen in the folder for downloads, or in the working directory where there is none."""
        if path is None and not platformdirs.user_downloads_path().is_dir():
            path = "."
        return super().deliver_screenshot(filename, path, time_format)

    def on_load(self) -> None:
        """Prepare for signals, before the terminal is changed: a handler runs outside of the app's context."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def act() -> None:
            if self._main_screen.is_mounted:
                self._act_on_signals()
            else:
                loop.call_later(_LOOK_SECONDS, act, context=context)

        self._act_soon = lambda: loop.call_soon_threadsafe(act, context=context)
        if self._signal_codes:
            self._act_soon()

    def on_mount(self) -> None:
        """Choose the theme and show the run."""
        self.choose_theme()
        # over Textual's own, which (8.2) can't be switched for another
        self.push_screen(self._main_screen)

    def receive_signal(self, code: int) -> None:
        """Leave as a signal asks, with exit code `code`. For a signal's handler, at any moment from here on."""
        if self.return_code is None:
            self._signal_codes.append(code)
            self._act_soon()
        else:
            self.stop_run(code)

    def _act_on_signals(self) -> None:
        """Leave after a signal; draw nothing more where the terminal has hung up."""
        codes, self._signal_codes = self._signal_codes, []
        for code in codes:
            has_hung_up = code == HANGUP_CODE
            if has_hung_up:
                self._no_more_drawing.enter_context(self.batch_update())
            can_go_on = not (self.stops_on_hangup or self.summary_view.is_replay)
            if self.return_code is not None:
                self.stop_run(code)
            elif self.bridge.is_elsewhere or (has_hung_up and can_go_on):
                self._main_screen.detach(code)
            else:
                self._main_screen.leave(code)

    def stop_run(self, code: int) -> None:
        """End the run of this process after a signal to a screen that is closing or gone; a hangup ends none."""
        if code != HANGUP_CODE and not self.bridge.is_elsewhere:
            self.bridge.stop(reason_of(code) or "")

    def action_interrupt(self) -> None:
        """Send ctrl+c up from the widget in focus, where the keys typed before it are on their way up still."""
        if not (self.focused or self.screen).post_message(self.Interrupted()):
            self.on_tweetgen_app_interrupted()

    def on_tweetgen_app_interrupted(self) -> None:
        """Leave as `q` does, with the code of SIGINT; the second time at once. A detached run goes on."""
        if self.return_code is not None:
            return
        screen = self._main_screen
        if not screen.is_mounted:
            self.receive_signal(INTERRUPTED_CODE)
        elif not self.bridge.is_elsewhere:
            screen.leave(INTERRUPTED_CODE)
        elif screen.is_leaving or isinstance(self.screen, LeaveDialog):
            screen.detach(INTERRUPTED_CODE)
        else:
            screen.action_leave()
