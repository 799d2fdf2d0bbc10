"""One unit for all losses on the screen, switched by a key."""

from __future__ import annotations

from dataclasses import replace

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.app.notifications import title_of
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.tweet_feed import TweetFeed

SCRIPT: tuple[e.Event, ...] = (
    steps_finished(1, [1.702] * 600),
    eval_finished(500, 2.49),
    eval_finished(600, 2.51, is_best=False),
    tweet_sampled("hello", 600, bits_per_char=2.2, char_bits=(1.0, 3.0, 2.0, 2.0, 3.0, 2.0)),
)
LOSSES = {
    "bits": ("bits per character", "2.46", "2.51", "2.49", "  bits ", " 2.20 "),
    "nats": ("nats per character", "1.702", "1.740", "1.726", "  nats ", " 1.52 "),
}
"""Of plot, status and feed: train, validation and best loss; of the tweet, with two decimals in either unit."""


class _Completing(FakeSession):
    """Knows the loss of a text."""

    def answer(self, command: c.Command) -> e.Event:
        answered = super().answer(command)
        return replace(answered, bits_per_char=3.0) if isinstance(answered, e.TextCompleted) else answered


async def app_shows(app: TweetgenApp, unit: str) -> None:
    """Wait until all losses are in a unit."""
    await shows(app, *LOSSES[unit])
    other = "nats" if unit == "bits" else "bits"
    await wait_until(lambda: other not in screen_text(app).replace("bits/nats", ""), f"nothing in {other}")


async def test_b_switches_every_loss_on_the_screen(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), (80, 24)) as (app, pilot, _):
        for size, unit in (((80, 24), "bits"), ((120, 40), "nats"), ((200, 60), "bits")):
            await pilot.resize_terminal(*size)
            await app_shows(app, unit)
            assert title_of(app.summary_view, app.loss_unit) == (
                f"tweetgen-tui · 2026-11-25-101112 · {LOSSES[unit][2]} {unit} · 600 steps"
            )
            await pilot.press("b")


async def test_a_tweet_the_step_bar_an_alert_and_the_prompt_are_in_the_unit_of_the_screen(stage: Stage) -> None:
    rising = (eval_finished(600 + 10 * number, 2.6 + 0.01 * number, is_best=False) for number in range(5))
    async with stage.running(_Completing((*SCRIPT, *rising)), (120, 40)) as (app, pilot, session):
        await shows(app, "Validation rises: 2.64, best 2.49")
        await press(pilot, session, ".")
        await wait_until(lambda: app.summary_view.phase == "paused")
        await press(pilot, session, ".")
        await shows(app, "batch loss 3.607 → 3.462 bits/char")
        await pilot.press("b")
        await shows(app, "batch loss 2.500 → 2.400 nats/char", "Validation rises: 1.830, best 1.726")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("enter")
        await opened(app, TweetDialog)
        await shows(app, "0.693 nats when sampled", "1.525 nats/char")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await pilot.press("p")
        await press(pilot, session, "a")
        await shows(app, "temp 0.80 · 2.079 nats")
        app.loss_unit = "bits"
        await shows(app, "temp 0.80 · 3.00 bits")
