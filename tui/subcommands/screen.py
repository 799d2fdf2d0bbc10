"""`tweetgen-tui` without a command: the screen, and what the shell shows after it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from engine import preflight
from engine.config import RunConfig
from engine.errors import ConfigError, InternalError
from engine.folders import find_run
from tui.summary import print_end
from tui.terminal_facts import GlyphSet, glyphs_for, is_utf8

if TYPE_CHECKING:
    from tui.bridge import EngineBridge
    from tui.preference_keeper import PreferenceKeeper
    from tui.run_view import RunView

_BROKEN_SCREEN = 1
"""What Textual returns after an exception of its own or of ours; the session is then still running."""
_SAVING_SECONDS = 5.0


def open_screen(config: RunConfig, glyphs: GlyphSet | None = None) -> None:
    """Open the screen, and print a summary when it has closed. Raises `TweetgenError` before anything is shown.

    `glyphs` come before those that the user's preferences and the terminal's locale lead to.
    """
    require_terminal("Without one: tweetgen-tui train, which takes the same options.")

    from tui.bridge import EngineBridge
    from tui.preference_keeper import PreferenceKeeper
    from tui.preferences import preferences_path
    from tui.state import replay as view_after

    keeper = PreferenceKeeper(preferences_path())
    if glyphs is not None:
        keeper.change({"glyphs": glyphs})
    if config.resume is None:  # a run that goes on does so as it was
        config = replace(config, settings={**keeper.preferences.intervals, **config.settings})
    preflight.check(config)
    history: RunView | None = None
    if config.resume is not None:
        journal = find_run(config.resume).journal_path
        with contextlib.suppress(OSError), journal.open(encoding="utf-8", errors="replace") as lines:
            history = view_after(lines)  # without a journal the run goes on all the same, its curve from here on
    show(config, EngineBridge(config), history, keeper)


def require_terminal(hint: str) -> None:
    """Raise `ConfigError` with this hint where there is no terminal to draw on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM", "") in ("", "dumb"):
        raise ConfigError("The screen needs a terminal.", hint)


def show(config: RunConfig, bridge: EngineBridge, history: RunView | None, keeper: PreferenceKeeper) -> NoReturn:
    """Show the run of a bridge until the user leaves, tell of it, and end the process."""
    from tui.app import TweetgenApp

    encoding = sys.stderr.encoding  # where Textual draws
    app = TweetgenApp(
        config,
        bridge,
        history,
        keeper=keeper,
        glyphs=glyphs_for(os.environ, encoding),
        is_utf8=is_utf8(os.environ, encoding),
    )
    gc.freeze()
    gc.enable()
    app.run()
    exit_code = app.return_code or 0
    if exit_code == _BROKEN_SCREEN and app.bridge.is_alive:
        app.bridge.stop("stopped")
        app.bridge.join(_SAVING_SECONDS)
        exit_code = InternalError.exit_code
    for earlier in app.bridges[:-1]:  # told to end when the next began
        earlier.join(_SAVING_SECONDS)
    print_end(app.summary_view, app.earlier_views)
    _leave(exit_code)


def _leave(exit_code: int) -> NoReturn:
    """End the process at once: all is saved, and taking torch down in order keeps the shell waiting for a second.

    It is also the only way past a thread that is in the middle of importing torch.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
