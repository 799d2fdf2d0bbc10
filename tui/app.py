"""The Textual app: style sheet, global keys, signals, return code. What happens on it is the main screen's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import preflight
from engine.checkpoint_list import iterate_checkpoints
from engine.config import RunConfig
from engine.corpus.checking import Glance
from tui.branching import OtherCurve
from tui.bridge import Bridge, EngineBridge
from tui.choosing_app import ChoosingApp
from tui.preference_keeper import Changes, PreferenceKeeper
from tui.run_view import RunView
from tui.screens.checkpoint_list_dialog import ListCheckpoints
from tui.screens.main import MainScreen
from tui.screens.other_run import Runs
from tui.signals import HANGUP_CODE, INTERRUPTED_CODE, handle_ending_signals, reason_of
from tui.terminal_facts import GlyphSet

_WIDTHS = [(0, "-too-narrow"), (40, "-narrow"), (100, "-wide")]
_HEIGHTS = [(0, "-too-low"), (12, "-tiny"), (18, "-low"), (23, "-medium"), (30, "-tall")]
_SYSTEM_COMMANDS = {"Theme", "Maximize", "Minimize", "Screenshot"}


class TweetgenApp(ChoosingApp):
    """Show a run, then those started after it. After `run`, `return_code` and `summary_view` say how it went."""

    TITLE = "tweetgen-tui"
    CSS_PATH = "tweetgen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True, system=True),
    ]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self,
        config: RunConfig,
        bridge: Bridge | None = None,
        history: RunView | None = None,
        list_checkpoints: ListCheckpoints = iterate_checkpoints,
        check: Callable[[RunConfig], Glance | None] = preflight.check,
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
        self.is_detached = False
        """Whether the screen has gone and the run goes on."""
        self.stops_on_hangup = False
        """Whether the run ends where its terminal hangs up, in place of going on without a screen."""
        self._runs = Runs(list_checkpoints, check, self.start_run, self.keeper, self.notices.tell, self.detach)
        self._main_screen = MainScreen(self.bridge, history or RunView(), self._runs)
        self._no_more_drawing = ExitStack()
        self._undo_signals: Callable[[], None] | None = None

    @property
    def bridge(self) -> Bridge:
        """The bridge of the latest run."""
        return self.bridges[-1]

    @property
    def summary_view(self) -> RunView:
        """The latest run as the screen last knew it."""
        return self._main_screen.run_view

    @property
    def is_abandoned(self) -> bool:
        """Whether the user did not want to wait for the run to save."""
        return self._main_screen.is_abandoned

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
        self.switch_screen(self._main_screen)

    def follow_changes(self, changes: Changes) -> None:
        """Hand changes of the preferences to the main screen."""
        self._main_screen.follow_changes(changes)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what Textual has to offer and the key table lacks."""
        for command in super().get_system_commands(screen):
            if command.title in _SYSTEM_COMMANDS:
                yield command

    def on_mount(self) -> None:
        """Choose the theme, show the run and listen to signals."""
        self.choose_theme()
        # over Textual's own, which (8.2) can't be switched for another
        self.push_screen(self._main_screen)
        self._undo_signals = handle_ending_signals(self._leave_after)

    def on_unmount(self) -> None:
        """Leave the signals as they were."""
        if self._undo_signals is not None:
            self._undo_signals()

    def detach(self, return_code: int = 0) -> None:
        """Take the screen away and let the run go on."""
        self.is_detached = True
        self.exit(return_code=return_code)

    def _leave_after(self, return_code: int) -> None:
        """Leave after a signal; draw nothing more where the terminal has hung up.

        A signal to a process that only shows a run says nothing of the run.
        """
        has_hung_up = return_code == HANGUP_CODE
        if has_hung_up:
            self._no_more_drawing.enter_context(self.batch_update())
        can_go_on = self.bridge.is_elsewhere or not (self.stops_on_hangup or self.summary_view.is_replay)
        if self.bridge.is_elsewhere or (has_hung_up and can_go_on):
            self.detach(return_code)
        elif self.is_detached and not has_hung_up:  # the screen is about to be gone: it is the run that is to end
            self.bridge.stop(reason_of(return_code) or "")
        else:
            self._main_screen.leave(return_code)

    def action_interrupt(self) -> None:
        """Leave as after SIGINT."""
        self._main_screen.leave(INTERRUPTED_CODE)
