"""Hostile text on the screen: wherever data is shown or typed, none of it reaches the terminal or acts as markup.

What is looked at is each segment that Textual would write, with its style.
"""

from __future__ import annotations

import base64
from typing import Any

from textual import events as te
from textual.widgets import Input

from engine.protocol import events as e
from tests import hostile
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, shows, wait_until
from tui.app.app import TweetgenApp
from tui.screens.dialogs.base import FailureDialog, MessageDialog
from tui.screens.dialogs.export import ExportDialog
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.terminal import clipboard
from tui.widgets.feed.tweet_feed import TweetFeed

TEXTS = list(hostile.TEXTS.values())
WORST = hostile.ALL_AT_ONCE
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
SCROLL_BAR = {"grab", "release", "scroll_up", "scroll_down"}
"""What Textual's scroll bars do when they are pressed."""


def assert_harmless(app: TweetgenApp) -> None:
    """Check each segment: no control character, no action, no link."""
    for text, style, control in (segment for strip in app.screen._compositor.render_strips() for segment in strip):
        assert control is None
        assert hostile.obeyed(text) == [], ascii(text)
        if style is not None:
            assert style.link is None, ascii(text)
            actions = {value for name, value in style.meta.items() if name.startswith("@")}
            assert actions <= SCROLL_BAR, ascii(text)


async def seen(app: TweetgenApp, *words: str) -> None:
    """Wait until the screen shows all of `words`; nothing on it may act then."""
    await shows(app, *words)
    assert_harmless(app)


async def test_all_text_of_a_run_is_shown_as_plain_text(stage: Stage) -> None:
    tweets = [
        tweet_sampled(text, number, char_bits=(1.5,) * (len(text) + 1)) for number, text in enumerate(TEXTS, start=3)
    ]
    started = run_started(run=WORST, corpus=WORST, device=WORST, resumed_from=WORST)
    session = FakeSession((steps_finished(1, [4.5, 4.2, 4.0]), *tweets), started)
    app = stage.app(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(app, MessageDialog)  # no run can have that name
        await seen(app, "zqj")
        await pilot.press("escape")
        await opened(app, MainScreen)
        feed = app.screen.query_one(TweetFeed)
        await wait_until(lambda: feed.chosen == tweets[-1], "all tweets in the feed")
        await pilot.press("c", "home")
        await seen(app, "zqj")
        while feed.scroll_offset.y < feed.max_scroll_y:
            await pilot.press("pagedown")
            assert_harmless(app)
        for text in TEXTS:
            session.emit(e.Warned(message=text, **NOW))
        session.emit(e.Warned(message=WORST, kind="disk", **NOW))
        await wait_until(lambda: len(app.summary_view.warnings) > 0 and app.summary_view.warnings[-1].kind == "disk")
        for key, dialog in (("enter", TweetDialog), ("e", ExportDialog)):
            await pilot.press(key)
            await opened(app, dialog)
            assert_harmless(app)
            await pilot.press("escape")
            await opened(app, MainScreen)
        session.emit(e.RunFailed(title=WORST, detail=WORST, hint="[/foo] " + WORST, **NOW))
        await opened(app, FailureDialog)
        await seen(app, "zqj")


async def test_text_pasted_into_an_input_is_harmless(stage: Stage) -> None:
    app = stage.app(FakeSession((steps_finished(1, [4.5]), tweet_sampled("hello", 3))))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1)
        for key in ("s", "o", "ctrl+p"):
            await pilot.press(key)
            await wait_until(lambda: isinstance(app.focused, Input), "a line to type in")
            line = app.focused
            assert isinstance(line, Input)
            for text in [*TEXTS[:: 6 if key == "s" else 30], WORST]:
                line.value = ""
                app.post_message(te.Paste(text))
                await pilot.pause()
                assert hostile.obeyed(line.value) == [], ascii(line.value)[:100]
                assert_harmless(app)
            await pilot.press("escape")
            await wait_until(lambda: not isinstance(app.focused, Input), "the end of the dialog")


def test_text_copied_to_the_clipboard_is_harmless() -> None:
    class App:
        _driver = None

        def copy_to_clipboard(self, text: str) -> None:
            encoded = clipboard.osc52(text).removeprefix("\x1b]52;c;").removesuffix("\x07")
            assert hostile.obeyed(base64.b64decode(encoded, validate=True).decode()) == []

    for text in [*TEXTS, WORST]:
        clipboard.copy(App(), text, {"TMUX": "/tmp/x"})  # type: ignore[arg-type] # what it needs of an app
