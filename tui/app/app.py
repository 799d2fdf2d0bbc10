"""`TweetgenApp`: the Textual app: keys, preferences, the palette, one main screen per run. Returns an `Outcome`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ClassVar

import platformdirs
from textual import work
from textual.actions import ActionParseResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.events import Event

from engine.checkpoints.catalog import iterate_checkpoints
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from engine.errors import TweetgenError
from engine.session.startup import preflight
from tui.app.command_palette import Command, CommandPalette, commands_of
from tui.app.files import Files
from tui.app.leaving import Leaving
from tui.app.main_screen import MainScreen
from tui.app.pins import PinnedTweets
from tui.app.steering import Steering
from tui.app.typing_ahead import TypingAhead
from tui.dialogs.checkpoints import ListCheckpoints
from tui.dialogs.help import main_help
from tui.dialogs.settings import SettingsDialog
from tui.process.exit import Outcome
from tui.process.local import LocalRun
from tui.process.screen_watch import ScreenWatch
from tui.process.threads import on_own_thread
from tui.run.connection import OpenRun, RunConnection
from tui.run.model import RunModel
from tui.run.new_run import OverlayCurve
from tui.run.summary import title_of
from tui.run.view import RunView
from tui.settings.key_table import NEEDS
from tui.settings.preferences import Changes, PreferencesStore
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import GlyphSet
from tui.terminal.sequences import TITLE_SECONDS, Notifications
from tui.terminal.theme import theme_for
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import Panels
from tui.widgets.plot.cells import PLOT_GLYPHS
from tui.widgets.plot.plot import LossPlot

_SYSTEM_COMMANDS = {"Maximize", "Minimize", "Screenshot"}
_MAX_PROBLEMS_SHOWN = 3


class TweetgenApp(TerminalApp[Outcome], inherit_bindings=False):
    """Show a run, then those started after it. `run` returns the `Outcome`."""

    TITLE = "tweetgen-tui"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True, system=True),
        Binding("ctrl+p", "command_palette", "palette", show=False, priority=True, id="command_palette"),
    ]
    ENABLE_COMMAND_PALETTE = False  # ours takes its place

    def __init__(
        self,
        connection: RunConnection,
        history: RunView | None = None,
        list_checkpoints: ListCheckpoints = iterate_checkpoints,
        check: Callable[[RunConfig], CorpusPreview | None] = preflight.check,
        glyphs: GlyphSet = "braille",
        *,
        is_utf8: bool = True,
        store: PreferencesStore | None = None,
        open_run: OpenRun = lambda config, before: LocalRun(config, before=before),
    ) -> None:
        """Show a run that begins with the view `history`, and those that `open_run` opens after it.

        `check` raises, on a thread, the `TweetgenError` that a run would end with, if it shows early.
        `glyphs` are those that suit the terminal.
        """
        self.store = store or PreferencesStore()
        self._suited_glyphs, preferred = glyphs, self.store.preferences
        super().__init__(preferred.glyphs_on(glyphs), preferred.theme, is_utf8=is_utf8)
        self.set_reactive(TerminalApp.loss_unit, preferred.loss_unit)
        self.set_keymap(preferred.keys)
        # so that `main.sample` means `self.main.action_sample`: the namespaces of `run_action` do not suffice, as
        # Textual (8.2) looks up the targets of all bindings
        self._action_targets.update(("main", "panels", "feed", "plot", "steering", "leaving", "files"))
        self.list_checkpoints, self.check = list_checkpoints, check
        self._open_run = open_run
        self.earlier_views: list[RunView] = []
        """The last views of the runs before the latest."""
        self.notifications = Notifications(self.write_to_terminal)
        self.screen_watch = ScreenWatch()
        """Ends the program in place of this screen if that does not answer a signal or ctrl+c."""
        self.leaving = Leaving(self)
        self.typing_ahead = TypingAhead(self, super().on_event, self.leaving.interrupt)
        self._show_run(RunModel(connection, history or RunView()))

    def _show_run(self, run: RunModel) -> None:
        """Make the screen of a run, and what its keys act on."""
        self.main = self._screen_of(run)
        self.pins = PinnedTweets(self.main)
        self.files, self.steering = Files(self), Steering(self)

    def _screen_of(self, run: RunModel) -> MainScreen:
        return MainScreen(run)

    @property
    def connection(self) -> RunConnection:
        """The connection to the latest run. The caller of `run` waits for its end."""
        return self.main.run.connection

    @property
    def summary_view(self) -> RunView:
        """The latest run at the last tick."""
        return self.main.run.view

    @property
    def panels(self) -> Panels:
        """The panels of the main screen, which have actions."""
        return self.main.panels

    @property
    def feed(self) -> TweetFeed:
        """The feed of the main screen, which has actions."""
        return self.main.feed

    @property
    def plot(self) -> LossPlot:
        """The plot of the main screen, which has actions."""
        return self.main.plot

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key, a click or the palette asks for: the one place where a key is refused, if it can't act now.

        What a dialog asks for later is refused by `RunModel.send`, by the same needs: the run may have changed.
        """
        needs = NEEDS.get(action, ()) if isinstance(action, str) else ()
        is_refused = bool(needs) and self.main.refuses(*needs)
        return is_refused or await super().run_action(action, default_namespace, namespaces)

    def start_run(self, config: RunConfig, overlay: OverlayCurve | None = None) -> None:
        """Replace the main screen, and the dialogs over it, by that of a new run, which starts after the one before."""
        before = self.main
        while self.screen is not before:
            self.pop_screen()
        view = RunView()
        if config.resume is None:
            self.earlier_views.append(before.run.view)
        else:  # the same run continues
            view = before.run.view.for_resume()
        self._show_run(RunModel(self._open_run(config, self.connection), view))
        self.main.overlay = overlay
        self.cancel_workers_of(before)
        self.switch_screen(self.main)

    def on_mount(self) -> None:
        self.on_ctrl_c(self.screen_watch.expect)
        self.choose_theme()
        # over Textual's default screen, which (8.2) can't be switched for another
        self.push_screen(self.main)
        self.store.on_change = self._apply_preferences
        if not self.store.preferences.mouse:
            self.set_mouse(is_on=False)
        shown = self.store.problems[:_MAX_PROBLEMS_SHOWN]
        num_more = len(self.store.problems) - len(shown)
        for problem in (*shown, *([f"{num_more} more in the same file."] if num_more else [])):
            self.notify(problem, severity="warning", timeout=15, markup=False)
        self.set_interval(TITLE_SECONDS, self._show_title)

    def on_unmount(self) -> None:
        self.leaving.handle_signals()  # those since the last tick
        self.notifications.show_title("")

    async def on_event(self, event: Event) -> None:
        """Handle an event; keys typed ahead wait for the line or dialog that they are meant for."""
        await self.typing_ahead.handle(event)

    # Preferences ------------------------------------------------------------------------------------------------------

    def _apply_preferences(self, changes: Changes) -> None:
        """Apply changes of the preferences at once, and save them."""
        preferred = self.store.preferences
        if "theme" in changes:
            self.theme = theme_for(preferred.theme, self.console.color_system)
        if "mouse" in changes:
            self.set_mouse(is_on=preferred.mouse)
        self.glyphs = preferred.glyphs_on(self._suited_glyphs)
        if "loss_unit" in changes:
            self.loss_unit = preferred.loss_unit
        self._show_title()
        self.main.apply_preferences(changes)
        self._save_preferences()

    @work
    async def _save_preferences(self) -> None:
        try:
            await on_own_thread(self.store.save, writes=True, doing="Saving the settings")
        except TweetgenError as error:
            self.notify(f"{error.message} {error.hint}", severity="error", markup=False)

    def _show_title(self) -> None:
        is_shown = self.store.preferences.title
        self.notifications.show_title(title_of(self.summary_view, self.loss_unit) if is_shown else "")

    # Palette, help and screenshots ------------------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(tuple(self._commands())), self._run_command)

    async def _run_command(self, command: Command | None) -> None:
        """Do what was chosen in the palette, which is closed."""
        if command is not None and inspect.isawaitable(done := command.run()):
            await done

    def _commands(self) -> Iterator[Command]:
        """Yield what the palette offers: all actions, those of Textual that the key table lacks, and the themes."""
        yield from commands_of(self.main)
        for command in self.get_system_commands(self.screen):
            if command.title in _SYSTEM_COMMANDS:
                yield Command(command.title, f"{command.help}.", command.callback)
        for name in sorted(self.available_themes):
            sentence = "Change the colours, in all runs from now on."
            yield Command(f"Theme {name}", sentence, partial(self._choose_other_theme, name))

    def _choose_other_theme(self, name: str) -> None:
        """Save a theme as the user's choice; the present one may be there because of the terminal."""
        if name != self.theme:
            self.store.change({"theme": name})

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save a screenshot in the folder for downloads, or in the working directory without one."""
        if path is None and not platformdirs.user_downloads_path().is_dir():
            path = "."
        return super().deliver_screenshot(filename, path, time_format)

    def action_settings(self) -> None:
        self.push_screen(SettingsDialog(self.store))

    def action_help(self, first: str = "") -> None:
        """Show the help, the keys under the heading `first` before all else."""
        self.push_screen(main_help(self.store.preferences.keys, PLOT_GLYPHS[self.glyphs], first))
