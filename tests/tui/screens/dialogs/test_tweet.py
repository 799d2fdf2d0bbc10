"""Single tweets: the dialog of one, and the filter of new ones, set and used by keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult
from textual.events import Key

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_read, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, opened
from tests.tui.transcripts import Entry, Size, Step, Typed, transcript
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.feed.tweet_text import TweetText

BITS = (1.0, 0.1, 0.2, 0.3, 4.0, 9.0, 2.0, 0.5, 0.25, 1.5)
OF_FEED = tweet_sampled("hello you", 3, char_bits=BITS, copied_share=0.25)
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
OVER = e.RunFinished(reason="stopped", total_seconds=1.0, total_chars=9, **NOW)


def run_of(*tweets: e.TweetSampled, **sampling: Any) -> FakeSession:
    return FakeSession((STEPS, *tweets), run_started(sampling=SamplingConfig(**sampling)))


class Answering(FakeSession):
    """Answers a kind of command with these events while there are some."""

    def __init__(self, kind: type[c.Command], *answers: e.Event) -> None:
        super().__init__((STEPS, OF_FEED))
        self._kind, self.answers = kind, list(answers)

    def answer(self, command: c.Command) -> e.Event:
        is_answered = isinstance(command, self._kind) and self.answers
        return self.answers.pop(0) if is_answered else super().answer(command)


def refused(command: str, why: str) -> e.CommandRefused:
    return e.CommandRefused(command=command, title="t", detail=why, hint="", **NOW)


# The dialog of a tweet ------------------------------------------------------------------------------------------------

OTHERS = (
    tweet_sampled("", 3, char_bits=(0.25,)),
    replace(OF_FEED, text="a word " * 30 + "end", char_bits=()),
    replace(OF_FEED, novelty="copy"),
    replace(OF_FEED, num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short")),
    replace(OF_FEED, num_drafts=12, refused=(("copy", 8), ("avoided word", 1))),
)
TO_FIFTH = "right right right right right"
PLAYS: dict[str, tuple[FakeSession, tuple[Step, ...]]] = {
    "the cursor shows bits and alternatives, keys copy, pin, colour, set the prime and sample with it": (
        run_of(OF_FEED),
        (
            *("enter", "right", "end", "home left", Size(40, 12), "pagedown pagedown", Size(80, 24)),
            *("y", "k", "k", "c", "c", "home", TO_FIFTH, "P", "P", "P", "n", "P", "P"),
        ),
    ),
    "drafts the filter refused, what a tweet lacks, a copy, lines, an empty tweet, and y on the main screen": (
        run_of(*OTHERS),
        (
            *(Size(120, 40), "y", "enter", "escape", "up up y", "enter", "escape", "up", "enter", "escape"),
            *("up", "enter", "right right right", "down", "up", "escape", "up", "enter"),
        ),
    ),
    "a prime of the maximum length sends no command, and after the end the bits are those stored with the tweet": (
        run_of(OF_FEED, max_length=9),
        ("enter", "end", "P", "n", "escape", OVER, "enter", "home right P"),
    ),
    "a refused reading, an answer about another tweet, and the end of the run": (
        Answering(c.ReadTweet, refused("ReadTweet", "It has gone wrong."), tweet_read("quite another text", step=101)),
        ("enter", "escape", "enter", OVER),
    ),
}


def clipboard_and_pins(at: Running) -> str:
    texts = at.app.screen.query(TweetText)
    coloured = "" if all(text.is_coloured for text in texts) else ", no colours"
    pins = [pin.text for pin in at.app._main_screen.pins_and_export.pins]
    prime = at.app.summary_view.sampling.prime
    return f"clipboard {at.app.clipboard!r}, pins {pins}, prime {prime!r}{coloured}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_tweet_is_read_and_used_by_keys_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, steps = PLAYS[claim]
    async with stage.running(session) as at:
        assert await transcript(at, *steps, note=clipboard_and_pins) == snapshot


class TextApp(App[None]):
    """A tweet with its cursor on the second character, in the colours of its surprise and without."""

    def compose(self) -> ComposeResult:
        for is_coloured in (True, False):
            text = TweetText("hello you", has_ended=True, num_prompt_chars=1)
            text.show_bits(BITS)
            text.cursor, text.is_coloured = 1, is_coloured
            yield text


def test_the_characters_of_a_tweet_have_the_colours_of_their_surprise(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(TextApp(), terminal_size=(20, 3))


async def test_before_the_first_tweet_y_says_why_then_enter_twice_opens_one_dialog_a_click_moves_and_n_follows(
    stage: Stage,
) -> None:
    session = FakeSession()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, session)
        await opened(app, "MainScreen")
        assert "toast: There is no tweet yet: g samples one." in await transcript(at, "y")
        await at.emit(STEPS, OF_FEED)
        feed = app.screen.query_one(TweetFeed)
        await at.press("up")
        for _ in range(2):
            app.post_message(Key("enter", None))
        await at.press(opens="TweetDialog", shows="2.00 bits at step 3")
        assert app.screen_stack[1:] == [app._main_screen, app.screen]
        assert feed.is_highlighting
        await pilot.click(TweetText, offset=(3, 0))
        assert app.screen.query_one(TweetText).cursor == 3
        await at.press("n", opens="MainScreen", sends=c.SampleNow(prime="hel"))
        assert feed.chosen == app.summary_view.tweets[-1]
        assert not feed.is_highlighting


# The filter of tweets -------------------------------------------------------------------------------------------------


def setting(name: str, *texts: str) -> Iterator[Step]:
    """Yield the steps that open the line of a setting and enter each text."""
    yield from (Entry(name), "enter")
    for text in texts:
        yield from (Typed(text), "enter")


EACH_SETTING = (
    *("/", "space"),
    *setting("avoid", "rain,  bad   day, rain,"),
    *setting("must_contain", "morning"),
    *setting("min_length", "20"),
    *setting("max_length", "99"),
    *setting("best_of", "4"),
    *setting("min_p", "0.1"),
    *(Entry("temperature_last"), "space", "escape", "u", "u", "u"),
)
INVALID = {
    "min_length": ("140", "a few"),
    "max_length": ("0",),
    "best_of": ("33", "0"),
    "avoid": ("@no-such-file", "x" * 10_000),
    "must_contain": ("x" * 140,),
    "top_p": ("2",),
    "min_p": ("1",),
}
EACH_INVALID = tuple(step for name, texts in INVALID.items() for step in (*setting(name, *texts), Typed(""), "escape"))
WITHOUT_EFFECT = (Entry("temperature_last"), Entry("best_of"), Entry("only_new"), "space", Entry("best_of"))
SHORTER = e.SamplingChanged(sampling=SamplingConfig(max_length=20, prime="x" * 15), **NOW)
FILTERS: dict[str, tuple[SamplingConfig, tuple[Step, ...]]] = {
    "each setting is set at once, shown in the status, and undone": (SamplingConfig(), EACH_SETTING),
    "an invalid value is explained while it is typed and not set, as is a setting without effect": (
        SamplingConfig(),
        ("/", *EACH_INVALID, *WITHOUT_EFFECT),
    ),
    "del restores a default unless another setting excludes it": (
        SamplingConfig(avoid=("rain",), max_length=300, min_length=200),
        (
            *("/", *setting("max_length", "250")),
            *(Entry("min_length"), "delete", Entry("avoid"), "delete", Entry("max_length"), "delete"),
            *setting("min_length", "150"),
            *(SHORTER, Entry("must_contain"), "enter", "escape"),
        ),
    ),
    "enter on an unchanged line keeps its blanks; a required text with an avoided word is explained": (
        SamplingConfig(must_contain=" art", avoid=("tea",), prime="no rain "),
        (
            *("/", *setting("must_contain"), "enter", Entry("only_new"), "space"),
            *(*setting("must_contain"), Typed("more tea"), "escape", *setting("avoid", "rain")),
        ),
    ),
}


@pytest.mark.parametrize("claim", FILTERS)
async def test_the_filter_is_set_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    sampling, steps = FILTERS[claim]
    async with stage.running(FakeSession(SCRIPT, run_started(sampling=sampling))) as at:
        assert await transcript(at, *steps) == snapshot


async def test_the_filter_fits_and_every_setting_is_reached(stage: Stage, snapshot: SnapshotAssertion) -> None:
    sizes = (Size(40, 12), Size(60, 20), Size(80, 24), Size(200, 60))
    async with stage.running() as at:
        steps = [step for size in sizes for step in (size, "/", "end", "escape")]
        assert await transcript(at, *steps[:12]) == snapshot
        await transcript(at, *steps[12:-1])
        assert at.app.screen.region.contains_region(at.app.screen.query_one("#box").region)


async def test_avoided_words_come_from_a_file_and_a_refusal_is_shown_in_a_filter_that_is_drawn(
    stage: Stage, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "words.txt"
    path.write_text("@anna\nrain\n")
    session = Answering(c.SetSampling)
    async with stage.running(session) as at:
        sampling = at.app._main_screen.sampling
        sampling.action_filter()
        assert not sampling.show_refusal("No 寿."), "the dialog is not drawn yet"
        await opened(at.app, "FilterDialog")
        assert sampling.show_refusal("No 寿.")
        await at.press(shows="No 寿.")
        await transcript(at, *setting("avoid", f"@{path}"))
        await at.press(shows="2: @anna, rain  *")
        await transcript(at, "enter", "end", *",tea", "enter")
        [_, changed] = session.received
        assert isinstance(changed, c.SetSampling)
        assert changed.sampling.avoid == ("@anna", "rain", "tea")
        session.answers.append(refused("SetSampling", "No 寿."))
        assert await transcript(at, *setting("must_contain", "寿"), "escape", OVER, "/") == snapshot
