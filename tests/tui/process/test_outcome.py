"""What the process does after its screen has closed, as a pure function."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import InternalError
from engine.protocol.events import RunFinished
from tests.fakes import run_started
from tui.process.outcome import Outcome, plan_exit
from tui.run.folding import fold
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(run="north")])
FINISHED = RunFinished(step=1, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=1)
ENDED = fold(TRAINING, [FINISHED])


@pytest.mark.parametrize(
    ("outcome", "view", "options"),
    [
        pytest.param(Outcome(is_detached=True), TRAINING, {}, id="detached"),
        pytest.param(Outcome(exit_code=129, is_detached=True), TRAINING, {}, id="hung up"),
        pytest.param(Outcome(is_ending=True), TRAINING, {}, id="still busy"),
        pytest.param(Outcome.failed(InternalError("a mistake")), TRAINING, {}, id="failed screen"),
        pytest.param(Outcome(is_detached=True), TRAINING, {"is_remote": True}, id="detached from another process"),
        pytest.param(Outcome(is_ending=True), ENDED, {"is_alive": False}, id="ended"),
        pytest.param(Outcome(is_ending=True), TRAINING, {"is_alive": False}, id="ended without its last event"),
        pytest.param(Outcome(exit_code=130, is_ending=True, is_abandoned=True), TRAINING, {}, id="abandoned"),
        pytest.param(Outcome(is_ending=True), RunView(), {}, id="not started"),
        pytest.param(Outcome(exit_code=129, is_ending=True), RunView(is_replay=True), {}, id="replay"),
    ],
)
def test_what_a_process_does_after_its_screen(
    outcome: Outcome, view: RunView, options: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    plan = plan_exit(outcome, view, **{"is_alive": True, **options})
    done = "continues in the background" if plan.continues_in_background else f"waits {plan.saving_seconds:g} s"
    assert "\n".join([f"exit code {plan.exit_code}, {done}", *plan.lines]) == snapshot
