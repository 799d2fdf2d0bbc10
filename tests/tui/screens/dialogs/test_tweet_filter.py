"""The filter of tweets: set from the keyboard, validated while typing, shown in the status, undone by u."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.widgets import OptionList

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import SCRIPT, Running, Stage, opened
from tests.tui.transcripts import Size, Step, Typed, transcript
from tui.screens.dialogs.tweet_filter import FilterDialog
from tui.screens.main.screen import MainScreen


def at(name: str) -> Callable[[Running], None]:
    """Return the step to a setting."""

    def move(running: Running) -> None:
        options = running.app.screen.query_one(OptionList)
        options.highlighted = options.get_option_index(name)

    move.__name__ = f"at {name}"
    return move


class Refusing(FakeSession):
    """Refuses other sampling settings."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.SetSampling):
            return e.CommandRefused(
                step=3, elapsed_seconds=1.0, command="SetSampling", title="Unknown character", detail="No 寿.", hint=""
            )
        return super().answer(command)


EACH_SETTING = (
    *("/", "space"),
    *(at("avoid"), "enter", Typed("rain,  bad   day, rain,"), "enter"),
    *(at("must_contain"), "enter", Typed("morning"), "enter"),
    *(at("min_length"), "enter", Typed("20"), "enter"),
    *(at("max_length"), "enter", Typed("99"), "enter"),
    *(at("best_of"), "enter", Typed("4"), "enter"),
    *(at("min_p"), "enter", Typed("0.1"), "enter"),
    *(at("temperature_last"), "space", "escape", "u", "u", "u"),
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


def each_invalid() -> Iterator[Step]:
    yield "/"
    for name, texts in INVALID.items():
        yield from (at(name), "enter")
        for text in texts:
            yield from (Typed(text), "enter")
        yield from (Typed(""), "escape")


SHORTER = e.SamplingChanged(step=3, elapsed_seconds=1.0, sampling=SamplingConfig(max_length=20, prime="x" * 15))
PLAYS: dict[str, tuple[SamplingConfig, tuple[Step, ...]]] = {
    "each setting is set at once, shown in the status, and undone": (SamplingConfig(), EACH_SETTING),
    "an invalid value is explained while it is typed and not set": (SamplingConfig(), tuple(each_invalid())),
    "del restores a default unless another setting excludes it": (
        SamplingConfig(avoid=("rain",), max_length=300, min_length=200),
        (
            *("/", at("max_length"), "enter", Typed("250"), "enter"),
            *(at("min_length"), "delete", at("avoid"), "delete", at("max_length"), "delete"),
            *(at("min_length"), "enter", Typed("150"), "enter"),
            *(SHORTER, at("must_contain"), "enter", "escape"),
        ),
    ),
    "enter on an unchanged line keeps blanks that the command line allows": (
        SamplingConfig(must_contain=" art"),
        ("/", at("must_contain"), "enter", "enter", at("only_new"), "space"),
    ),
    "a required text with an avoided word is explained": (
        SamplingConfig(avoid=("tea",), prime="no rain "),
        ("/", at("must_contain"), "enter", Typed("more tea"), "escape", at("avoid"), "enter", Typed("rain"), "enter"),
    ),
    "settings without effect are explained": (
        SamplingConfig(),
        ("/", at("temperature_last"), at("best_of"), at("only_new"), "space", at("best_of")),
    ),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_filter_is_set_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    sampling, steps = PLAYS[claim]
    async with stage.running(FakeSession(SCRIPT, run_started(sampling=sampling))) as running:
        assert await transcript(running, *steps) == snapshot


async def test_avoided_words_come_from_a_file_and_names_among_them_stay_names(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("@anna\nrain\n")
    async with stage.running() as running:
        await transcript(running, "/", at("avoid"), "enter", Typed(f"@{path}"), "enter")
        await running.press(shows="2: @anna, rain  *")
        await transcript(running, "enter", "end", *",tea", "enter")
        [_, changed] = running.session.received
        assert isinstance(changed, c.SetSampling)
        assert changed.sampling.avoid == ("@anna", "rain", "tea")


async def test_the_filter_fits_and_every_setting_is_reached(stage: Stage, snapshot: SnapshotAssertion) -> None:
    sizes = (Size(40, 12), Size(60, 20), Size(80, 24), Size(200, 60))
    async with stage.running() as running:
        steps = [step for size in sizes for step in (size, "/", "end", "escape")]
        assert await transcript(running, *steps[:12]) == snapshot
        await transcript(running, *steps[12:-1])
        assert running.app.screen.region.contains_region(running.app.screen.query_one("#box").region)


async def test_a_run_that_accepts_no_command_refuses_the_filter_and_a_refused_setting_is_explained_in_it(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    finished = e.RunFinished(step=3, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=10)
    async with stage.running(Refusing(SCRIPT)) as running:
        steps = ("/", at("must_contain"), "enter", Typed("寿"), "enter", "escape", finished, "/")
        assert await transcript(running, *steps) == snapshot


async def test_a_refusal_before_the_dialog_is_drawn_is_not_shown_in_it(stage: Stage) -> None:
    async with stage.running() as running:
        screen = running.app.screen
        assert isinstance(screen, MainScreen)
        screen.sampling.action_filter()
        assert not screen.sampling.show_refusal("No 寿.")
        await opened(running.app, FilterDialog)
        assert screen.sampling.show_refusal("No 寿.")
        await running.press(shows="No 寿.")
