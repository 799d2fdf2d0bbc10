"""Hostile text in the feed and in dialogs, shown or typed: none of it reaches the terminal or acts as markup.

What is looked at is each segment that Textual would write, with its style.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events as te
from textual.command import CommandPalette
from textual.screen import Screen
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import events as e
from tests import hostile
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, drawn, opened, wait_until
from tests.tui.screens.dialogs.test_checkpoints import entry
from tui.run.branching import OverlayCurve
from tui.run.series.series import Series
from tui.screens.dialogs.base import FailureDialog, MessageDialog, YesDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_load import LoadDialog
from tui.screens.dialogs.checkpoint_name import SaveDialog
from tui.screens.dialogs.compare import CompareDialog
from tui.screens.dialogs.export import ExportDialog
from tui.screens.dialogs.open import OpenDialog
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.plot.loss_plot import LossPlot

TEXTS = list(hostile.TEXTS.values())
WORST = hostile.ALL_AT_ONCE
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
TWEETS = [tweet_sampled(text, number, char_bits=(1.5,) * (len(text) + 1)) for number, text in enumerate(TEXTS, start=3)]
SCROLL_BAR = {"grab", "release", "scroll_up", "scroll_down"}
"""What Textual's scroll bars do when they are pressed."""


def assert_harmless(at: Running) -> None:
    """Check each segment: no control character, no action, no link."""
    for text, style, control in (segment for strip in drawn(at.app) for segment in strip):
        assert control is None
        assert hostile.obeyed(text) == [], ascii(text)
        if style is not None:
            assert style.link is None, ascii(text)
            actions = {value for name, value in style.meta.items() if name.startswith("@")}
            assert actions <= SCROLL_BAR, ascii(text)


async def seen(at: Running, *keys: str, opens: type[Screen[Any]] | None = None) -> None:
    """Press keys and wait until the screen shows hostile text; nothing on it may act then."""
    await at.press(*keys, opens=opens, shows="zqj")
    assert_harmless(at)


async def in_the_feed(at: Running) -> None:
    """Scroll through all tweets in their colours, below warnings and beside the names of run, corpus and device."""
    feed, plot = at.app.screen.query_one(TweetFeed), at.app.screen.query_one(LossPlot)
    plot.overlay = OverlayCurve(WORST, Series.empty().extended(1, [4.0] * 3))
    await seen(at, "c", "home")
    while feed.scroll_offset.y < feed.max_scroll_y:
        await at.press("pagedown")
        assert_harmless(at)
    for text in TEXTS:
        at.session.emit(e.Warned(message=text, **NOW))
    at.session.emit(e.Warned(message=WORST, kind="disk", **NOW))
    at.session.emit(e.CheckpointSaved(name=WORST, path=WORST, bits_per_char=2.0, weights_step=0, **NOW))
    await wait_until(lambda: at.app.summary_view.saved_by_name, "the last event")
    await seen(at, "i")


async def in_dialogs(at: Running) -> None:
    """Open each dialog that shows data or a line, paste into the lines, and let the run fail."""
    for key, dialog in (("enter", TweetDialog), ("e", ExportDialog)):
        await at.press(key, opens=dialog)
        assert_harmless(at)
        await at.press("escape", opens=MainScreen)
    await seen(at, "l", opens=CheckpointBrowser)
    for keys, dialog in ((("=", "down", "="), CompareDialog), (("enter",), LoadDialog), (("delete",), YesDialog)):
        await seen(at, *keys, opens=dialog)
        await at.press("escape", opens=CheckpointBrowser)
    await at.press("escape", opens=MainScreen)
    await seen(at, "o", opens=OpenDialog)
    await at.press("escape", opens=MainScreen)
    for key, screen in (("s", SaveDialog), ("o", OpenDialog), ("ctrl+p", CommandPalette)):
        await at.press(key, opens=screen)
        await wait_until(lambda: isinstance(at.app.focused, Input), "a line to type in")
        line = at.app.focused
        assert isinstance(line, Input)
        for text in [*TEXTS[:: 6 if key == "s" else 30], WORST]:
            line.value = ""
            at.app.post_message(te.Paste(text))
            await at.pilot.pause()
            assert hostile.obeyed(line.value) == [], ascii(line.value)[:100]
            assert_harmless(at)
        await at.press("escape")
        await wait_until(lambda: not isinstance(at.app.focused, Input), "the end of the dialog")
    at.session.emit(e.RunFailed(title=WORST, detail=WORST, hint="[/foo] " + WORST, **NOW))
    await seen(at, opens=FailureDialog)


@pytest.mark.parametrize("place", [in_the_feed, in_dialogs])
async def test_hostile_text_is_shown_as_plain_text(
    stage: Stage, tmp_path: Path, place: Callable[[Running], Awaitable[None]]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in hostile.FILE_NAMES:
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).touch()
    texts: dict[str, Any] = {"run": WORST, "corpus_name": WORST, "device": WORST, "versions": {WORST: WORST}}
    training = replace(TrainingConfig(), preset=WORST)
    saved = [entry(f"zqj{number}{WORST[:400]}", training=training, step=9, **texts) for number in range(2)]
    started = run_started(corpus=WORST, device=WORST, resumed_from=WORST)
    if place is in_the_feed:
        started = replace(started, run=WORST)
    session = FakeSession((steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS), started)
    config = RunConfig(corpus=CorpusConfig(files=(str(folder / "x.csv"),)))
    app = stage.app(session, config=config, entries=lambda: saved)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        at = Running(app, pilot, session)
        if place is in_the_feed:  # no run can have that name
            await seen(at, opens=MessageDialog)
            await at.press("escape")
        await opened(app, MainScreen)
        feed = app.screen.query_one(TweetFeed)
        await wait_until(lambda: feed.chosen == TWEETS[-1], "all tweets in the feed")
        await place(at)
