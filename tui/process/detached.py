"""A run that continues without a screen: a thread, most often the main one, waits for its session. Imports no Textual.

The process has closed its terminal; clients may attach through the run's host.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from tui.process.outcome import exit_code_of
from tui.process.signals import handle_ending_signals, stop_at_signals
from tui.run.engine_bridge import EngineBridge
from tui.run.folding import fold
from tui.run.view import RunView, is_over

_POLL_SECONDS = 0.2


def run_detached(bridges: Sequence[EngineBridge], view: RunView) -> int:
    """Wait until the last of these sessions has ended, and return the exit code; `view` is its current run.

    A run whose budget is used up ends unless a client is attached. SIGTERM and SIGINT save and end it; on another
    thread than the main one, that is left to the handlers there are.
    """
    bridge = bridges[-1]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal is closed
        handle_ending_signals(stop_at_signals(bridge.stop))
    was_stopped = False
    while not bridge.join(_POLL_SECONDS):
        view = fold(view, bridge.drain().events)
        if is_over(view) and not bridge.subscriber.num_clients and not was_stopped:
            was_stopped = True
            bridge.stop("finished")
    view = fold(view, bridge.drain().events)
    for each in bridges:
        each.is_over(_POLL_SECONDS)
        each.subscriber.close()
    return exit_code_of(view)
