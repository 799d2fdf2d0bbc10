"""Keys that arrive in one go: those after a key that opens something are typed into it, and all act in their order."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion
from textual.app import App
from textual.events import Key, Paste
from textual.widgets import Input

from engine.checkpoints.catalog import iterate_checkpoints
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeClock, FakeSession, run_started
from tests.tui.conftest import SCRIPT, LateSession, Running, Stage, shows, toasted, wait_until
from tests.tui.dialogs.test_checkpoints import NOW
from tests.tui.transcripts import AtOnce, plays, transcript
from tui.app import typing_ahead
from tui.app.typing_ahead import TypingAhead
from tui.dialogs import checkpoint_list
from tui.process.exit import Outcome

STOP = c.Stop(reason="stopped by the user", unless_unsaved=True)
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


def line(app: App[Outcome]) -> str:
    return app.screen.query_one(Input).value


async def test_on_a_busy_machine_too_text_after_p_goes_into_its_input(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, press = FakeClock(), TypingAhead._press

    async def press_slowly(self: TypingAhead, key: Key | Paste) -> None:
        await press(self, key)
        clock.advance(3.0 if isinstance(key, Key) and key.key == "p" else 0.0)

    monkeypatch.setattr(typing_ahead, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(typing_ahead, "_POLL_SECONDS", 1e-4)
    monkeypatch.setattr(TypingAhead, "_press", press_slowly)
    async with stage.running() as (app, _, _):
        AtOnce("p 'hello'").post_to(app)
        await wait_until(lambda: line(app) == "hello", "the text")


PLAYS = plays("typing_ahead", globals())


def mouse(at: Running) -> str:
    return "mouse" if at.app.has_mouse else "no mouse"


@pytest.mark.parametrize("claim", PLAYS)
async def test_keys_that_arrive_in_one_go_act_as_recorded(
    stage: Stage, home: Path, claim: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(checkpoint_list, "time", SimpleNamespace(time=lambda: NOW, monotonic=time.monotonic))
    monkeypatch.setattr(secrets, "randbelow", lambda below: 123_456 % below)
    other = create_run_folder("other")
    other.config_path.write_text("{}")
    paths = [named_checkpoint_path("happy"), named_checkpoint_path("sad"), other.checkpoint_path("best")]
    for hours, path in enumerate(paths[2:] if "refused or pending" in claim else paths[:2], start=1):
        write_checkpoint(path, run="other")
        os.utime(path, (NOW - 3600 * hours, NOW - 3600 * hours))
    async with stage.running(FakeSession(SCRIPT), entries=iterate_checkpoints) as at:
        recorded = await transcript(at, *PLAYS[claim], note=mouse)
        recorded = re.sub("\nsent: CompleteText.*", "", recorded)  # how many depends on the pace of the answers
        assert re.sub(r"[\d.]+ kB", "N kB", recorded) == snapshot
    assert len(stage.runs) == 1


async def test_keys_of_the_same_read_that_arrive_after_a_refusal_are_dropped_except_ctrl_c(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing_ahead, "DROP_SECONDS", 1000.0)
    async with stage.running(FakeSession((*SCRIPT, FINISHED))) as at:
        app = at.app
        await wait_until(lambda: app.summary_view.phase == "finished")
        AtOnce("p").post_to(app)
        await toasted(app, "The run has ended; tweetgen-tui --resume")
        screen = app.screen
        AtOnce("h , q").post_to(app)
        await at.settle()
        assert app.screen is screen
        assert not screen.query_one("Panels").has_class("-machine")
        assert app.is_running
        AtOnce("ctrl+c").post_to(app)
        await wait_until(lambda: not app.is_running, "the end")


@pytest.mark.parametrize("keys", ["p 'quick'", "l q"])
async def test_keys_typed_while_a_run_ends_for_another_do_not_quit_the_program(
    stage: Stage, tmp_path: Path, keys: str
) -> None:
    session = LateSession()
    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    further = [FakeSession(SCRIPT, run_started(run="second"))]
    async with stage.running(session, further=further) as (app, pilot, _):
        app.post_message(Paste(str(other)))
        await shows(app, "other.txt can be used;")
        await pilot.press("enter")
        await shows(app, "saving…")
        AtOnce(keys).post_to(app)
        await toasted(app, "The run is ending.")
        session.may_answer.set()
        await wait_until(lambda: app.summary_view.started == run_started(run="second"), "the new run")
        assert app.is_running


@pytest.mark.parametrize(
    ("keys", "outcome", "code", "sent"),
    [
        ("p 'quick' ctrl+c", Outcome(exit_code=130, is_ending=True), 130, [replace(STOP, reason="interrupted")]),
        ("d ctrl+c", Outcome(is_detached=True), 0, []),
        ("s 'mine' enter q", Outcome(is_ending=True), 0, [c.SaveCheckpoint(name="mine"), STOP]),
    ],
)
async def test_a_key_that_leaves_acts_at_once_in_its_order_and_ends_no_detached_run(
    stage: Stage, keys: str, outcome: Outcome, code: int, sent: list[c.Command]
) -> None:
    async with stage.running() as (app, _, session):
        AtOnce(keys).post_to(app)
        await wait_until(lambda: not app.is_running, "the end")
    assert [each for each in session.received if not isinstance(each, c.CompleteText)] == sent
    assert (app.return_value, app.return_code, app.connection.is_alive) == (outcome, code, outcome.is_detached)
