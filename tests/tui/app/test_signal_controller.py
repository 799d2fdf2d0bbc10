"""What a signal does to the screen of a run that another process trains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tui.app.signal_controller import SignalController
from tui.process.signals import HANGUP_CODE

TERMINATED_CODE = 143


def done_by(code: int, *, stops_on_hangup: bool) -> list[tuple[str, int]]:
    """Return what a signal makes the screen of a remote run do."""
    done: list[tuple[str, int]] = []
    leaving = SimpleNamespace(
        detach=lambda code: done.append(("detach", code)), leave=lambda code: done.append(("leave", code))
    )
    screen: Any = SimpleNamespace(leaving=leaving, run_view=SimpleNamespace(is_replay=False))
    bridge: Any = SimpleNamespace(is_remote=True)
    app: Any = SimpleNamespace(return_code=None, batch_update=lambda: SimpleNamespace(__enter__=None, __exit__=None))
    controller = SignalController(app, lambda: bridge, lambda: screen)
    controller.stops_on_hangup = stops_on_hangup
    controller._drawing_stopped = SimpleNamespace(enter_context=lambda _: None)  # type: ignore[assignment] # a stub
    controller._unhandled = [code]
    controller._handle_all()
    return done


@pytest.mark.parametrize(
    ("code", "stops_on_hangup", "expected"),
    [
        (HANGUP_CODE, False, ("detach", HANGUP_CODE)),
        (HANGUP_CODE, True, ("leave", HANGUP_CODE)),
        (TERMINATED_CODE, False, ("detach", TERMINATED_CODE)),
        (TERMINATED_CODE, True, ("detach", TERMINATED_CODE)),
    ],
)
def test_a_hangup_ends_a_launched_run_where_that_was_asked_for_and_no_other_signal_does(
    code: int, *, stops_on_hangup: bool, expected: tuple[str, int]
) -> None:
    assert done_by(code, stops_on_hangup=stops_on_hangup) == [expected]
