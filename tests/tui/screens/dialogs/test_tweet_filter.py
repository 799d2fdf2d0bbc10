"""The filter of tweets: set from the keyboard, validated while typing, shown in the status, undone by u."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.setting_values import ValueDialog
from tui.screens.dialogs.tweet_filter import FilterDialog
from tui.screens.main.screen import MainScreen

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


@asynccontextmanager
async def filtering(
    stage: Stage,
    size: tuple[int, int] = (80, 24),
    sampling: SamplingConfig | None = None,
    session: FakeSession | None = None,
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome], FakeSession]]:
    """Open the filter over a run."""
    session = session or FakeSession(SCRIPT, run_started(sampling=sampling or SamplingConfig()))
    app = stage.app(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await opened(app, MainScreen)
        await pilot.press("/")
        await opened(app, FilterDialog)
        yield app, pilot, session


async def at(app: TweetgenApp, name: str) -> None:
    """Put the cursor on a setting."""
    options = app.screen.query_one(OptionList)
    options.highlighted = options.get_option_index(name)
    await wait_until(lambda: options.highlighted_option and options.highlighted_option.id == name, name)


async def typed(app: TweetgenApp, pilot: Pilot[Outcome], name: str, text: str) -> None:
    """Edit a setting, and replace the text of its line."""
    await at(app, name)
    await pilot.press("enter")
    await opened(app, ValueDialog)
    app.screen.query_one(Input).value = text


def sent(session: FakeSession) -> list[SamplingConfig]:
    return [command.sampling for command in session.received if isinstance(command, c.SetSampling)]


async def test_each_setting_is_set_at_once_shown_in_the_status_and_undone(stage: Stage) -> None:
    async with filtering(stage, (120, 40)) as (app, pilot, session):
        await shows(app, "Filter tweets", "only new         off", "max length       140", "min-p            off")
        await pilot.press("space")
        await shows(app, "only new         on  *")
        for name, text in (
            ("avoid", "rain,  bad   day, rain,"),
            ("must_contain", "morning"),
            ("min_length", "20"),
            ("max_length", "99"),
            ("best_of", "4"),
            ("min_p", "0.1"),
        ):
            await typed(app, pilot, name, text)
            await pilot.press("enter")
            await opened(app, FilterDialog)
        await at(app, "temperature_last")
        await pilot.press("space")
        expected = SamplingConfig(
            only_new=True,
            avoid=("rain", "bad day"),
            must_contain="morning",
            min_length=20,
            max_length=99,
            best_of=4,
            min_p=0.1,
            temperature_last=True,
        )
        await wait_until(lambda: len(sent(session)) == 8, "a command for each")
        assert sent(session)[-1] == expected
        await shows(app, "2: rain, bad day  *", "“morning”  *", "temperature last on  *")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await shows(
            app, "0.80 last", "filter        new · avoid 2", "“morning” · 20+ chars", "best of 4", "max length    99"
        )
        await pilot.press("u", "u", "u")
        await toasted(
            app,
            "Undone: temperature last back to off.",
            "Undone: min-p back to off.",
            "Undone: best of back to 1.",
        )
        await wait_until(lambda: sent(session)[-1].best_of == 1, "undone")
        await wait_until(lambda: "best of 4" not in screen_text(app), "the status as before")


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("min_length", "140", "Min length must be below max length, 140"),
        ("min_length", "a few", "Min length must be at least 0, not a few."),
        ("max_length", "0", "Max length must be a number from 1"),
        ("best_of", "33", "Best of must be at most 32 in a run, not 33."),
        ("best_of", "0", "Best of must be a number from 1"),
        ("avoid", "@no-such-file", "The file no-such-file of avoid can't be read"),
        ("avoid", "x" * 10_000, "Avoid must be at most 10,000 characters of"),
        ("must_contain", "x" * 140, "Must contain must be shorter than max length, 140"),
        ("top_p", "2", "Top-p must be a number from 0.001 to 1, not 2."),
        ("min_p", "1", "Min-p must be a number from 0 to 0.999, not 1."),
    ],
)
async def test_an_invalid_value_is_explained_while_it_is_typed_and_not_set(
    stage: Stage, name: str, text: str, error: str
) -> None:
    async with filtering(stage) as (app, pilot, session):
        await typed(app, pilot, name, text)
        await shows(app, error)
        await pilot.press("enter")
        assert isinstance(app.screen, ValueDialog)
        app.screen.query_one(Input).value = ""
        await wait_until(lambda: error not in screen_text(app), "no error")
        await pilot.press("escape")
        await opened(app, FilterDialog)
        assert session.received == []


async def test_del_restores_a_default_unless_another_setting_excludes_it(stage: Stage) -> None:
    sampling = SamplingConfig(avoid=("rain",), max_length=300, min_length=200)
    async with filtering(stage, sampling=sampling) as (app, pilot, session):
        await shows(app, "avoid            1: rain  *", "max length       300")
        await typed(app, pilot, "max_length", "250")
        await pilot.press("enter")
        await opened(app, FilterDialog)
        await at(app, "min_length")
        await pilot.press("delete")
        await at(app, "avoid")
        await pilot.press("delete")
        await at(app, "max_length")
        await pilot.press("delete")
        await wait_until(lambda: len(sent(session)) == 4, "four changes")
        assert sent(session)[-1] == SamplingConfig(max_length=300), "that of the run"
        await typed(app, pilot, "min_length", "150")
        await pilot.press("enter")
        await opened(app, FilterDialog)
        session.emit(
            e.SamplingChanged(step=3, elapsed_seconds=1.0, sampling=SamplingConfig(max_length=20, prime="x" * 15))
        )
        await shows(app, "max length       20  *", "min length       0")
        await at(app, "must_contain")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        await pilot.press("escape")
        await opened(app, FilterDialog)
        assert len(sent(session)) == 5, "an unchanged line changes nothing"


async def test_enter_on_an_unchanged_line_keeps_blanks_that_the_command_line_allows(stage: Stage) -> None:
    async with filtering(stage, sampling=SamplingConfig(must_contain=" art")) as (app, pilot, session):
        await at(app, "must_contain")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        await pilot.press("enter")
        await opened(app, FilterDialog)
        await at(app, "only_new")
        await pilot.press("space")
        await wait_until(lambda: sent(session), "a change of another setting")
        assert sent(session) == [SamplingConfig(must_contain=" art", only_new=True)]


async def test_avoided_words_come_from_a_file_and_names_among_them_stay_names(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("@anna\nrain\n")
    async with filtering(stage) as (app, pilot, session):
        await typed(app, pilot, "avoid", f"@{path}")
        await pilot.press("enter")
        await opened(app, FilterDialog)
        await shows(app, "2: @anna, rain  *")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        app.screen.query_one(Input).value += ", tea"
        await pilot.press("enter")
        await opened(app, FilterDialog)
        await wait_until(lambda: len(sent(session)) == 2, "two changes")
        assert sent(session)[-1].avoid == ("@anna", "rain", "tea")


async def test_a_required_text_with_an_avoided_word_is_explained_while_it_is_typed(stage: Stage) -> None:
    async with filtering(stage, sampling=SamplingConfig(avoid=("tea",), prime="no rain ")) as (app, pilot, session):
        await typed(app, pilot, "must_contain", "more tea")
        await shows(app, "Must contain must be without the avoided word “tea”")
        await pilot.press("escape")
        await typed(app, pilot, "avoid", "rain")
        await shows(app, "Prime must be without the avoided word “rain”")
        await pilot.press("enter")
        assert isinstance(app.screen, ValueDialog)
        assert sent(session) == []


async def test_settings_without_effect_are_explained(stage: Stage) -> None:
    async with filtering(stage) as (app, pilot, _):
        await at(app, "temperature_last")
        await shows(app, "No effect yet: set top-k, top-p or min-p")
        await at(app, "best_of")
        await shows(app, "Copies have the fewest: set only new, too.")
        await at(app, "only_new")
        await pilot.press("space")
        await at(app, "best_of")
        await wait_until(lambda: "Copies have" not in screen_text(app), "no hint")


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 60)])
async def test_the_filter_fits_and_every_setting_is_reached(stage: Stage, size: tuple[int, int]) -> None:
    async with filtering(stage, size) as (app, pilot, _):
        assert app.screen.region.contains_region(app.screen.query_one("#box").region)
        await shows(app, "Filter: up to 32 drafts a tweet", "only new", "Refuse drafts")
        await pilot.press("end")
        await shows(app, "temperature last", "No effect yet")


async def test_a_run_that_accepts_no_command_refuses_the_filter(stage: Stage) -> None:
    finished = e.RunFinished(step=3, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=10)
    app = stage.app(FakeSession((*SCRIPT, finished)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(lambda: app.summary_view.phase == "finished", "the end")
        await pilot.press("/")
        await toasted(app, "The run has ended")
        assert isinstance(app.screen, MainScreen)


class RefusingSession(FakeSession):
    """Refuses other sampling settings."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.SetSampling):
            return e.CommandRefused(
                step=3, elapsed_seconds=1.0, command="SetSampling", title="Unknown character", detail="No 寿.", hint=""
            )
        return super().answer(command)


async def test_a_setting_that_the_run_refuses_is_explained_in_the_dialog_and_shown_as_it_was(stage: Stage) -> None:
    async with filtering(stage, session=RefusingSession(SCRIPT)) as (app, pilot, _):
        await typed(app, pilot, "must_contain", "寿")
        await pilot.press("enter")
        await opened(app, FilterDialog)
        await shows(app, "No 寿.", "must contain     none")
        assert isinstance(app.screen, FilterDialog)


async def test_a_refusal_before_the_dialog_is_drawn_is_not_shown_in_it(stage: Stage) -> None:
    async with filtering(stage) as (app, pilot, _):
        await pilot.press("escape")
        await opened(app, MainScreen)
        screen = app.screen
        assert isinstance(screen, MainScreen)
        screen.sampling.action_filter()
        assert not screen.sampling.show_refusal("No 寿.")
        await opened(app, FilterDialog)
        assert screen.sampling.show_refusal("No 寿.")
        await shows(app, "No 寿.")
