"""`tweetgen-tui` without a command: the screen, and what the shell shows after it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import NoReturn

from engine import preflight
from engine.config import RunConfig
from engine.errors import ConfigError, InternalError
from engine.folders import find_run
from tui.summary import print_end

_BROKEN_SCREEN = 1
"""What Textual returns after an exception of its own or of ours; the session is then still running."""
_SAVING_SECONDS = 5.0


def open_screen(config: RunConfig) -> None:
    """Open the screen, and print a summary when it has closed. Raises `TweetgenError` before anything is shown."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM", "") in ("", "dumb"):
        raise ConfigError(
            "The screen needs a terminal.", "Without one: tweetgen-tui train, which takes the same options."
        )
    preflight.check(config)

    from tui.app import TweetgenApp
    from tui.bridge import EngineBridge
    from tui.run_view import RunView
    from tui.state import replay

    history: RunView | None = None
    if config.resume is not None:
        journal = find_run(config.resume).journal_path
        with contextlib.suppress(OSError), journal.open(encoding="utf-8", errors="replace") as lines:
            history = replay(lines)  # without a journal the run goes on all the same, its curve from here on
    bridge = EngineBridge(config)
    app = TweetgenApp(config, bridge, history)
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
