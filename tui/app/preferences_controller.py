"""Applies the user's preferences to the app: colours, mouse, glyphs, title. Saves those changed on a screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.theme import Theme

from tui.process.exit import Outcome
from tui.process.threads import begin_work, on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.screens.main.screen import MainScreen
from tui.settings.preferences import AUTO, Changes, PreferencesStore
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import GlyphSet
from tui.terminal.sequences import TITLE_SECONDS, Notifications, title_of
from tui.terminal.theme import theme_for

_MAX_PROBLEMS_SHOWN = 3


class PreferencesController:
    """Applies each change of the preferences at once, and has the store write it on a thread."""

    def __init__(
        self,
        app: TerminalApp[Outcome],
        store: PreferencesStore,
        suited_glyphs: GlyphSet,
        main_screen: Callable[[], MainScreen],
    ) -> None:
        """Show the latest run in the terminal's title; `suited_glyphs` are used unless the user has chosen others."""
        self.notifications = Notifications(app.write_to_terminal)
        self._app = app
        self._store = store
        self._suited_glyphs = suited_glyphs
        self._main_screen = main_screen
        self._default_theme = ""
        """The theme in use unless the user has chosen one in the palette."""

    def start(self) -> None:
        """Apply the preferences, and subscribe to their changes. Called once the app is mounted and has a theme."""
        app, store = self._app, self._store
        self._default_theme = app.theme
        app.theme_changed_signal.subscribe(app, self._save_theme)
        store.on_change = self._apply
        if not store.preferences.mouse:
            app.set_mouse(is_on=False)
        shown = store.problems[:_MAX_PROBLEMS_SHOWN]
        num_more = len(store.problems) - len(shown)
        for problem in (*shown, *([f"{num_more} more in the same file."] if num_more else [])):
            app.notify(problem, severity="warning", timeout=15, markup=False)
        app.set_interval(TITLE_SECONDS, self._show_title)

    def _apply(self, changes: Changes) -> None:
        """Apply changes of the preferences, and save them."""
        app, preferred = self._app, self._store.preferences
        if "theme" in changes:
            self._default_theme = theme_for(app.console.color_system) if preferred.theme == AUTO else preferred.theme
            app.theme = self._default_theme
        if "mouse" in changes:
            app.set_mouse(is_on=preferred.mouse)
        if "glyphs" in changes:
            app.glyphs = preferred.glyphs_on(self._suited_glyphs)
        if "loss_unit" in changes:
            app.loss_unit = preferred.loss_unit
        if "title" in changes:
            self._show_title()
        self._main_screen().preferences.apply(changes)
        self._store.plan_to_save(changes)
        begin_work(app, self._save)

    def _save_theme(self, theme: Theme) -> None:
        """Save a theme that was chosen in the palette; a signal that arrives after another choice is ignored."""
        if theme.name == self._app.theme != self._default_theme:
            self._store.change({"theme": theme.name})

    async def _save(self) -> None:
        """Write the changes to the file, on a thread."""
        try:
            await on_own_thread(self._store.save, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a disk does, the run continues
            report = to_tweetgen_error(error, "Saving the settings")
            self._app.notify(f"{report.message} {report.hint}", severity="error", markup=False)

    def _show_title(self) -> None:
        is_shown = self._store.preferences.title
        self.notifications.show_title(title_of(self._main_screen().run_view, self._app.loss_unit) if is_shown else "")

    def notify(self, text: str) -> None:
        """Ring the bell and send a desktop notification, as far as the user has chosen them."""
        preferences = self._store.preferences
        self.notifications.notify(text, with_bell=preferences.bell, on_desktop=preferences.desktop)
