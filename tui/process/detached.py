"""A run that goes on without a screen: its session in its thread, this one waiting for the end of it.

The process has let go of its terminal; others may attach through the run's host. Knows nothing of Textual.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from engine.text import harmless
from tui.formatting.shell import quoted
from tui.process.signals import handle_ending_signals, stop_at_signals
from tui.run.bridge import EngineBridge
from tui.run.reducer import fold
from tui.run.summary import exit_code_of
from tui.run.view import RunView, is_over

_LOOK_SECONDS = 0.2


def how_to_attach(view: RunView, problem: str = "") -> str:
    """Return the line that a shell shows in place of a screen; `problem` is why no terminal can attach, if none can."""
    if view.started is None:
        return "The run goes on in the background; once it has begun:  tweetgen-tui attach"
    name = view.started.run
    if problem:
        return (
            f"The run {harmless(name)} goes on in the background. No terminal can attach to it: "
            f"{harmless(problem).rstrip('.')}. To save and end it:  kill {os.getpid()}"
        )
    return f"The run {harmless(name)} goes on in the background:  tweetgen-tui attach {quoted(name)}"


def how_it_ends(view: RunView) -> str:
    """Return the line about a run that was told to end and is not there yet."""
    name = view.started.run if view.started is not None else ""
    return f"The run {harmless(name)} is busy still: it is saved and ends in the background."


def go_on(bridges: Sequence[EngineBridge], view: RunView) -> int:
    """Wait until the session of the last of these has ended, and return the exit code; `view` is the run as it stands.

    A run whose budget is used up ends where nobody is there to tell it what to do. SIGTERM and SIGINT save and end it.
    """
    bridge = bridges[-1]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is no terminal any more
    handle_ending_signals(stop_at_signals(bridge.stop))
    is_told_to_end = False
    while not bridge.join(_LOOK_SECONDS):
        view = fold(view, bridge.drain().events)
        if is_over(view) and not bridge.subscriber.num_clients and not is_told_to_end:
            is_told_to_end = True
            bridge.stop("finished")
    view = fold(view, bridge.drain().events)
    for each in bridges:
        each.is_over(_LOOK_SECONDS)
        each.subscriber.close()
    return exit_code_of(view)
