"""Keys that can't act: the bar dims them, and pressing one shows the reason, the same for both."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from engine.config.run import RunConfig
from engine.protocol import events as e
from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, shows, toasted, wait_until
from tui.run.view import RunPhase
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.settings.availability import KeyState, lacking, unavailable
from tui.settings.key_table import BAR_KEYS, MAIN_ACTIONS
from tui.settings.keys.key import Need
from tui.widgets.key_bar import KeyBar

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
ENDED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9)


def dimmed(**state: object) -> set[str]:
    """Return the labels of the bar's keys that can't act."""
    return {key.label for key in BAR_KEYS if unavailable(key, KeyState(**state))}  # type: ignore[arg-type]


def test_keys_are_dimmed_by_the_state_of_the_run() -> None:
    of_the_run = {"pause", "step", "batch", "finish", "temp", "ladder", "tweet", "prompt", "save"}
    assert dimmed() == set()
    assert dimmed(phase="starting") == of_the_run
    assert dimmed(phase="finished") == dimmed(phase="failed") == of_the_run | {"detach"}
    assert dimmed(is_replay=True) == (of_the_run - {"pause"}) | {"detach"}
    assert dimmed(refusal="read-only") == (of_the_run - {"batch"}) | {"open", "load"}
    assert dimmed(interruption="restarting") == of_the_run
    assert dimmed(is_ending=True) == of_the_run | {"open", "load"}
    assert dimmed(is_at_end=True) == {"step"}


def test_every_need_can_be_missing_and_then_has_a_sentence() -> None:
    nothing = KeyState(
        phase="finished",
        is_at_end=True,
        refusal="Read-only.",
        has_alert=False,
        has_tweet=False,
        has_prime=False,
        has_change=False,
        has_steps=False,
        is_in_browser=True,
    )
    for need in get_args(Need):
        assert lacking(need, KeyState()) == ""
        assert lacking(need, nothing).endswith(".")


def test_a_read_only_browser_has_only_keys_that_change_no_run_and_touch_no_file_of_the_machine_that_trains() -> None:
    def can_act(**state: object) -> set[str]:
        return {key.name for key in MAIN_ACTIONS if not unavailable(key, KeyState(**state))}  # type: ignore[arg-type]

    of_the_screen = {"panel_up", "panel_down", "machine", "mouse", "settings", "help", "command_palette"}
    of_the_plot = {"unit", "log", "levels", "legend", "panes"}
    of_the_tweets = {"copy", "pins_only", "colours", "open_xray", "show_batch"}
    leaving = {"detach", "leave", "dismiss_alert"}
    read_only = can_act(is_in_browser=True, refusal="Read-only.")
    assert read_only == of_the_screen | of_the_plot | of_the_tweets | leaving
    assert can_act(refusal="Read-only.") - read_only == {"export", "lesson"}
    assert can_act() - can_act(is_in_browser=True) == {"lesson"}


@pytest.mark.parametrize(("phase", "is_replay"), [("starting", False), ("finished", False), ("training", True)])
async def test_a_key_that_the_bar_dims_shows_its_reason_and_does_nothing(
    stage: Stage, phase: RunPhase, *, is_replay: bool
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await shows(app, "hello there")
        screen = app.screen
        assert isinstance(screen, MainScreen)
        screen.run.view = replace(screen.run.view, phase=phase, is_replay=is_replay)
        bar = screen.query_one(KeyBar)
        await wait_until(lambda: bar.state == screen.run.key_state, "the state in the bar")
        reasons = {key: unavailable(key, bar.state) for key in MAIN_ACTIONS}
        assert {key for key, reason in reasons.items() if reason} > {key for key in BAR_KEYS if key.label == "save"}
        for key, reason in reasons.items():
            if reason:
                await app.run_action(key.textual_action, screen)
                await toasted(app, reason)
                assert app.screen is screen, key.title
        await pilot.pause()
        assert session.received == []
        off, line = bar.get_visual_style("key-bar--off"), bar.render()
        grey = {line.plain[span.start : span.end].strip() for span in line.spans if span.style == off}
        assert {key.shown for key in BAR_KEYS if reasons[key]} <= grey
        assert not {key.shown for key in BAR_KEYS if not reasons[key]} & grey


async def test_the_bar_of_an_open_tweet_dims_what_needs_a_model_once_the_run_has_ended(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session, config=RunConfig())
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(app, "hello there")
        await pilot.press("enter")
        await opened(app, TweetDialog)
        bar = app.screen.query_one(KeyBar)
        await wait_until(lambda: bar.state.phase == "training", "the state")
        session.emit(ENDED)
        await wait_until(lambda: bar.state.phase == "finished", "the end")
        off, line = bar.get_visual_style("key-bar--off"), bar.render()
        grey = {line.plain[span.start : span.end].strip() for span in line.spans if span.style == off}
        assert grey == {"n", "new end", "P", "prime"}
