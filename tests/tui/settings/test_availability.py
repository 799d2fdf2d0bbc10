"""Keys that can't act: the bar dims them, and pressing one shows the reason, the same for both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any, get_args

from syrupy.assertion import SnapshotAssertion

from engine.protocol import events as e
from tests.tui.conftest import Stage, toasted
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.settings.availability import KeyState, lacking, unavailable
from tui.settings.key_table import BAR_KEYS, MAIN_ACTIONS
from tui.settings.keys.key import Need
from tui.widgets.key_bar import KeyBar

NOTHING = ("has_alert", "has_tweet", "has_prime", "has_change", "has_steps")
STATES: dict[str, dict[str, Any]] = {
    "starting": {"phase": "starting"},
    "finished": {"phase": "finished"},
    "finished, with a name": {"phase": "finished", "run": "mine"},
    "failed": {"phase": "failed"},
    "replay": {"is_replay": True},
    "read-only": {"refusal": "Read-only."},
    "restarting": {"interruption": "Restarting."},
    "ending": {"is_ending": True},
    "at the end of its budget": {"is_at_end": True},
    "in a browser": {"is_in_browser": True},
    "read-only in a browser": {"is_in_browser": True, "refusal": "Read-only."},
    "nothing to act on": dict.fromkeys(NOTHING, False),
}


def test_keys_that_can_not_act_in_a_state_of_the_run_have_the_recorded_reasons(snapshot: SnapshotAssertion) -> None:
    lines = []
    for name, state in STATES.items():
        reasons = defaultdict(list)
        for key in MAIN_ACTIONS:
            reasons[unavailable(key, KeyState(**state))].append(key.name)
        lines += [f"# {name}", *(f"{reason} {', '.join(keys)}" for reason, keys in reasons.items() if reason)]
    assert "\n".join(lines) == snapshot
    assert [need for need in get_args(Need) if lacking(need, KeyState())] == []
    assert {need for need in get_args(Need) for state in STATES.values() if lacking(need, KeyState(**state))} == {
        *get_args(Need)
    }


def grey(bar: KeyBar) -> set[str]:
    """Return the dimmed words of a bar."""
    off, line = bar.get_visual_style("key-bar--off"), bar.render()
    return {line.plain[span.start : span.end].strip() for span in line.spans if span.style == off}


async def test_a_key_that_the_bar_dims_shows_its_reason_and_does_nothing(stage: Stage) -> None:
    async with stage.running(size=(160, 40)) as at:
        screen = at.app.screen
        assert isinstance(screen, MainScreen)
        before, bar = screen.run.view, screen.query_one(KeyBar)
        for changes in ({"phase": "starting"}, {"phase": "finished"}, {"is_replay": True}):
            screen.run.view = replace(before, **changes)
            await at.settle()
            assert bar.state == screen.run.key_state
            reasons = {key: unavailable(key, bar.state) for key in MAIN_ACTIONS}
            for key, reason in reasons.items():
                if reason:
                    await at.app.run_action(key.textual_action, screen)
                    await toasted(at.app, reason)
                    assert at.app.screen is screen, key.title
            assert {key.shown for key in BAR_KEYS if reasons[key]} <= grey(bar)
            assert not {key.shown for key in BAR_KEYS if not reasons[key]} & grey(bar)
        assert at.session.received == []


async def test_the_bar_of_an_open_tweet_dims_what_needs_a_model_once_the_run_has_ended(stage: Stage) -> None:
    ended = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9)
    async with stage.running(size=(120, 40)) as at:
        await at.press("enter", opens=TweetDialog)
        bar = at.app.screen.query_one(KeyBar)
        assert grey(bar) == set()
        await at.emit(ended)
        assert grey(bar) == {"n", "new end", "P", "prime"}
