"""What the program does by its user's preferences, whatever is shown: colours, keys, mouse, glyphs, notices.

`TweetgenApp` is built on it. What is chosen on the screen acts at once and is kept by the `PreferenceKeeper`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.events import Event
from textual.theme import Theme

from tui.app.notifications import TITLE_SECONDS, Notices
from tui.app.terminal_app import TerminalApp
from tui.app.typing_ahead import TypingAhead
from tui.process.threads import on_own_thread
from tui.run.error_report import as_told
from tui.run.view import RunView
from tui.screens.command_palette import KeyCommands
from tui.settings.preferences import AUTO
from tui.settings.store import Changes, PreferenceKeeper
from tui.settings.theme import theme_for
from tui.terminal.capabilities import GlyphSet

_MAX_PROBLEMS_SHOWN = 3


class ChoosingApp(TerminalApp, inherit_bindings=False):
    """An app that follows preferences."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "palette", show=False, priority=True, id="command_palette"),
    ]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = App.COMMANDS | {KeyCommands}

    def __init__(
        self,
        glyphs: GlyphSet = "braille",
        *,
        is_utf8: bool = True,
        keeper: PreferenceKeeper | None = None,
    ) -> None:
        """Follow what `keeper` keeps. `glyphs` are what suits the terminal."""
        self.keeper = keeper or PreferenceKeeper()
        preferred = self.keeper.preferences
        chosen = glyphs if preferred.glyphs == AUTO else preferred.glyphs
        super().__init__(chosen, "" if preferred.theme == AUTO else preferred.theme, is_utf8=is_utf8)
        self.notices = Notices(self.write_to_terminal, lambda: self.keeper.preferences)
        self._glyphs_by_itself = glyphs
        self._theme_of_start = ""
        self._typing_ahead = TypingAhead(self, super().on_event)
        self.set_keymap(preferred.keys)

    async def on_event(self, event: Event) -> None:
        """Take an event in; keys that were typed ahead wait for what they are meant for."""
        await self._typing_ahead.handle(event)

    @property
    def summary_view(self) -> RunView:
        """The run that the terminal's title tells of."""
        return RunView()

    def on_mount(self) -> None:
        """Follow the preferences, tell what is wrong with them, and begin to keep the theme and the title."""
        self._theme_of_start = self.theme
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.keeper.on_change = self._follow
        if not self.keeper.preferences.mouse:
            self.use_mouse(is_used=False)
        shown = self.keeper.problems[:_MAX_PROBLEMS_SHOWN]
        num_more = len(self.keeper.problems) - len(shown)
        for problem in (*shown, *([f"{num_more} more in the same file."] if num_more else [])):
            self.notify(problem, severity="warning", timeout=15, markup=False)
        self.set_interval(TITLE_SECONDS, self._show_title)

    def on_unmount(self) -> None:
        """Put the terminal's title back."""
        self.notices.restore_title()

    def follow_changes(self, changes: Changes) -> None:
        """Do what changes of the preferences mean for the screen of the run."""

    def _follow(self, changes: Changes) -> None:
        """Do what changes of the preferences mean, and keep them."""
        preferred = self.keeper.preferences
        if "theme" in changes:
            self._theme_of_start = theme_for(self.console.color_system) if preferred.theme == AUTO else preferred.theme
            self.theme = self._theme_of_start
        if any(name.startswith("keys.") for name in changes):
            self.set_keymap(preferred.keys)
        if "mouse" in changes:
            self.use_mouse(is_used=preferred.mouse)
        if "glyphs" in changes:
            self.glyphs = self._preferred_glyphs()
        if "title" in changes:
            self._show_title()
        self.follow_changes(changes)
        self.keeper.plan_to_save(changes)
        self._save()

    def _preferred_glyphs(self) -> GlyphSet:
        """Return the glyphs that were chosen, or those that the program began with."""
        chosen = self.keeper.preferences.glyphs
        return self._glyphs_by_itself if chosen == AUTO else chosen

    def _keep_theme(self, theme: Theme) -> None:
        """Keep a theme that was chosen in the palette; what is told of one that is another by now is late."""
        if theme.name == self.theme != self._theme_of_start:
            self.keeper.change({"theme": theme.name})

    @work
    async def _save(self) -> None:
        """Put the changes into the file, on a thread."""
        try:
            await on_own_thread(self.keeper.save, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a disk does, the run goes on
            told = as_told(error, "Saving the settings")
            self.notify(f"{told.message} {told.hint}", severity="error", markup=False)

    def _show_title(self) -> None:
        self.notices.show_title(self.summary_view)
