"""The signals of a run without a screen, in this process."""

from __future__ import annotations

import queue
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from engine.protocol import commands as c
from tui.cli.headless import _listen_to_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_leader_that_gets_a_signal_directly_and_from_the_launcher_stops_once_and_saves(
    number: signal.Signals,
) -> None:
    output: Any = SimpleNamespace(inbox=queue.SimpleQueue(), has_hung_up=threading.Event())
    leader: Any = SimpleNamespace(leave_if_alone=lambda: None, receive_signals=lambda: None)
    _listen_to_signals(output, leader, stops_on_hangup=False)
    for _ in range(2):
        signal.raise_signal(number)
    stop = output.inbox.get_nowait()
    assert isinstance(stop, c.Stop)
    assert stop.reason in {"interrupted", "terminated"}
    assert output.inbox.empty()
