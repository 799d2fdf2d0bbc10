"""The Textual app: style sheet, global keys, one main screen per run. It returns an `Outcome`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ClassVar

import platformdirs
from textual.actions import ActionParseResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.events import Event
from textual.message import Message

from engine.checkpoints.catalog import iterate_checkpoints
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from engine.session.startup import preflight
from tui.app.command_palette import Command, CommandPalette, commands_of
from tui.app.preferences_controller import PreferencesController
from tui.app.signal_controller import SignalController
from tui.app.typing_ahead import TypingAhead
from tui.dialogs.checkpoint_list import ListCheckpoints
from tui.process.exit import Outcome
from tui.process.local import LocalRun
from tui.process.screen_watch import ScreenWatch
from tui.run.connection import OpenRun, RunConnection
from tui.run.new_run import OverlayCurve
from tui.run.view import RunView
from tui.screens.main.screen import MainScreen
from tui.screens.main.services import Services
from tui.settings.key_table import MAIN_ACTIONS, NEEDS
from tui.settings.preferences import AUTO, PreferencesStore
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import GlyphSet
from tui.terminal.private import add_action_targets

ACTION_TARGETS = {key.action.partition(".")[0] for key in MAIN_ACTIONS if "." in key.action} - {"app"}
_SYSTEM_COMMANDS = {"Maximize", "Minimize", "Screenshot"}


class TweetgenApp(TerminalApp[Outcome], inherit_bindings=False):
    """Show a run, then those started after it. `run` returns the `Outcome`; `summary_view` is its run."""

    TITLE = "tweetgen-tui"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True, system=True),
        Binding("ctrl+p", "command_palette", "palette", show=False, priority=True, id="command_palette"),
    ]
    ENABLE_COMMAND_PALETTE = False  # ours takes its place

    class Interrupted(Message):
        """The key ctrl+c was pressed."""

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

        `glyphs` are those that suit the terminal.
        """
        self.store = store or PreferencesStore()
        theme = self.store.preferences.theme
        super().__init__(self.store.preferences.glyphs_on(glyphs), "" if theme == AUTO else theme, is_utf8=is_utf8)
        add_action_targets(self, ACTION_TARGETS)
        self.set_reactive(TerminalApp.loss_unit, self.store.preferences.loss_unit)
        self.set_keymap(self.store.preferences.keys)
        self.screen_watch = ScreenWatch()
        """Ends the program in place of this screen if that does not answer a signal or ctrl+c."""
        self._typing_ahead = TypingAhead(self, super().on_event)
        self._preferences = PreferencesController(self, self.store, glyphs, lambda: self._main_screen)
        self.bridge = connection
        """The connection to the latest run. The caller of `run` waits for its end."""
        self._open_run = open_run
        self.earlier_views: list[RunView] = []
        """The last views of the runs before the latest."""
        self._services = Services(
            list_checkpoints,
            check,
            self.start_run,
            self.store,
            self._preferences.notify,
            self._typing_ahead.drop,
        )
        self._main_screen = MainScreen(self.bridge, history or RunView(), self._services)
        self.signals = SignalController(self, lambda: self.bridge, lambda: self._main_screen)

    @property
    def main(self) -> MainScreen:
        """The screen of the latest run."""
        return self._main_screen

    @property
    def summary_view(self) -> RunView:
        """The latest run at the last tick."""
        return self._main_screen.run_view

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key, a click or the palette asks for: the one place that decides whether it can act now."""
        needs = NEEDS.get(action, ()) if isinstance(action, str) else ()
        unmet = self.main.run.unmet() if needs else {}
        reason = next((unmet[need] for need in needs if need in unmet), "")
        if not reason:
            return await super().run_action(action, default_namespace, namespaces)
        self.main.run.messages.refuse(reason)
        return True

    def __getattr__(self, name: str) -> object:
        """Return a controller of the main screen, whose actions keys name."""
        if name in ACTION_TARGETS:
            return getattr(self._main_screen, name)
        raise AttributeError(name)

    def invite(self, invitation: str) -> None:
        """Show a line to a new user while the first run starts. Called before `run`."""
        self._main_screen.invitation = invitation

    def start_run(self, config: RunConfig, overlay: OverlayCurve | None = None) -> None:
        """Replace the main screen, and the dialogs over it, by that of a new run."""
        before = self._main_screen
        while self.screen is not before:
            self.pop_screen()
        view = RunView()
        if config.resume is None:
            self.earlier_views.append(before.run_view)
        else:  # the same run continues
            view = before.run_view.for_resume()
        self.bridge = self._open_run(config, self.bridge)
        self._main_screen = MainScreen(self.bridge, view, self._services, overlay=overlay)
        self.cancel_workers_of(before)
        before.xray.close_checkpoint()  # the X-ray was closed above without an answer
        self.switch_screen(self._main_screen)

    def _commands(self) -> Iterator[Command]:
        """Yield what the palette offers: all actions, those of Textual that the key table lacks, and the themes."""
        yield from commands_of(self._main_screen)
        for command in self.get_system_commands(self.screen):
            if command.title in _SYSTEM_COMMANDS:
                yield Command(command.title, f"{command.help}.", command.callback)
        for name in sorted(self.available_themes):
            yield Command(
                f"Theme {name}", "Change the colours, in all runs from now on.", partial(setattr, self, "theme", name)
            )

    def action_command_palette(self) -> None:
        """Offer everything by name."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(tuple(self._commands())), self._run_command)

    async def _run_command(self, command: Command | None) -> None:
        """Do what was chosen in the palette, which is closed."""
        if command is not None and inspect.isawaitable(done := command.run()):
            await done

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save a screenshot in the folder for downloads, or in the working directory without one."""
        if path is None and not platformdirs.user_downloads_path().is_dir():
            path = "."
        return super().deliver_screenshot(filename, path, time_format)

    def on_load(self) -> None:
        """Handle signals from here on, before the terminal is changed."""
        self.signals.start()

    def on_mount(self) -> None:
        """Choose the theme and show the run."""
        self.on_ctrl_c(self.screen_watch.expect_reaction)
        self.choose_theme()
        # over Textual's own, which (8.2) can't be switched for another
        self.push_screen(self._main_screen)
        self._preferences.start()

    def on_unmount(self) -> None:
        """Restore the terminal's title."""
        self._preferences.notifications.show_title("")

    async def on_event(self, event: Event) -> None:
        """Handle an event; keys typed ahead wait for the line or dialog that they are meant for."""
        await self._typing_ahead.handle(event)

    def action_help(self, heading: str) -> None:
        """Show the help, the keys under `heading` first."""
        self._main_screen.preferences.action_help(heading)

    def action_interrupt(self) -> None:
        """Queue ctrl+c behind the keys typed before it, which may still bubble up from the focused widget."""
        if not (self.focused or self.screen).post_message(self.Interrupted()):
            self.on_tweetgen_app_interrupted()

    def on_tweetgen_app_interrupted(self) -> None:
        """Leave as `q` does; the second time at once."""
        self.signals.interrupt()
