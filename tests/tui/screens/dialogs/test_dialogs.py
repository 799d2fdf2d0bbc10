"""The dialogs over the main screen: save, the ladder, the batch of a step, and the help."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.command import CommandPalette
from textual.events import Key, MouseScrollDown, MouseScrollUp, Paste

from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, batch_shown, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, shows, text_of, wait_until
from tests.tui.transcripts import Size, Step, Typed, transcript
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.batch import BatchDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_name import SaveDialog
from tui.screens.dialogs.glossary import glossary
from tui.screens.dialogs.help import HelpScreen, key_entries
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.settings.key_table import KEY_TABLE
from tui.widgets.batch_grid import BatchGrid
from tui.widgets.help_search import found
from tui.widgets.help_text import HelpText
from tui.widgets.plot.glyphs import PLOT_GLYPHS

SAVE: tuple[Step, ...] = (
    *("s", Typed("../up"), "enter", Typed(""), "enter", Typed("kept"), "enter", "enter", Typed("calm"), "enter"),
    *("s h a p p y", "enter", "2", "backspace", "enter", "enter"),
)


def paste(at: Running) -> None:
    at.app.post_message(Paste("pinned\nonly"))


async def the_palette_over_it_finds_actions(at: Running) -> None:
    await at.press("ctrl+p", opens=CommandPalette)
    await at.type_into("ladder", shows=("Temperature ladder", "Sample one tweet at each of seven temperatures"))
    await at.press("escape", opens=HelpScreen)


SEARCH: tuple[Step, ...] = (
    *(Size(60, 12), "?", "q u i t", "backspace backspace space z", "escape", paste, "escape"),
    *(the_palette_over_it_finds_actions, "escape"),
)
PLAYS = {
    "a free name is offered and saved at once, an existing one after enter twice, an invalid or pinned one never": SAVE,
    "typed and pasted characters search the help, none of them acts": SEARCH,
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_dialogs_are_used_by_keys_as_recorded(
    stage: Stage, home: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    (home / "checkpoints").mkdir()
    for name in ("step-3.safetensors", "step-3-2.safetensors", "happy.safetensors", "kept.safetensors", "kept.pinned"):
        (home / "checkpoints" / name).write_bytes(b"")
    async with stage.running() as at:
        assert await transcript(at, *PLAYS[claim]) == snapshot


async def test_at_40_columns_the_line_of_a_dialog_and_a_toast_are_readable_and_enter_twice_at_once_closes_it_only(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(size=(40, 12), draws_toasts=True) as at:
        await at.press("s", opens=SaveDialog)
        await at.press(*"calm", shows="calm")
        assert text_of(at.app) == snapshot
        for _ in range(2):
            at.app.post_message(Key("enter", None))
        await at.press(sends=c.SaveCheckpoint(name="calm"), shows="? help")
        assert [type(screen) for screen in at.app.screen_stack[1:]] == [MainScreen]
        assert len(at.session.received) == 1
        at.app.notify("one two three four five six seven eight nine ten", markup=False)
        await shows(at.app, "one two three four five six seven", "eight nine ten")


# The ladder -----------------------------------------------------------------------------------------------------------


def ladder(text: str) -> e.LadderSampled:
    rungs = tuple(
        e.LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
        for each in LADDER_TEMPERATURES
    )
    return e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=rungs)


async def test_the_ladder_shows_all_seven_rungs_whole_rolls_again_and_keeps_an_answer_before_its_layout(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(FakeSession(SCRIPT, run_started(sampling=SamplingConfig(prime="so")))) as at:
        for _ in range(2):
            await at.press("t")
            asked = at.session.received[-1]
            assert isinstance(asked, c.SampleLadder)
            assert asked.prime == "so"
            await shows(at.app, f"seed {asked.seed}", *(f"rung {each:g} of seed" for each in LADDER_TEMPERATURES))
        assert isinstance(at.app.screen, LadderDialog)
        await at.emit(ladder(("word " * 28)[:139] + "!"))
        assert text_of(at.app).count("!") == 7
        assert text_of(at.app) == snapshot
        await at.press("escape", opens=MainScreen)
        early = LadderDialog(lambda: True)
        early.show(ladder("so cold"))
        await at.app.push_screen(early)
        await shows(at.app, "so cold")


# The batch of a step --------------------------------------------------------------------------------------------------

TEXTS = tuple(f"tweet number {number} " + "x" * number for number in range(1, 65))
FAILED = e.RunFailed(step=3, elapsed_seconds=1.0, title="no", detail="", hint="")
REFUSED = e.CommandRefused(
    step=3, elapsed_seconds=1.0, command="ShowBatch", title="no", detail="No batch \x1b[1m.", hint=""
)


class BatchSession(FakeSession):
    """Answers with a batch of 64 of 200 tweets, of the step at which it is asked for one; or with other events."""

    def __init__(self, *others: e.Event) -> None:
        super().__init__(SCRIPT)
        self._others = list(others)

    def answer(self, command: c.Command) -> e.Event:
        if not isinstance(command, c.ShowBatch):
            return super().answer(command)
        if self._others:
            return self._others.pop(0)
        return batch_shown(TEXTS, step=self._step, batch_step=self._step, num_tweets=200)


async def test_a_dot_in_the_batch_takes_a_step_and_the_grid_follows(stage: Stage, snapshot: SnapshotAssertion) -> None:
    async with stage.running(BatchSession()) as at:
        assert await transcript(at, "B", ".", ".", ".", "escape", ".") == snapshot


async def test_keys_a_click_and_the_wheel_reach_the_last_tweet_and_column_and_a_question_mark_explains_the_grid(
    stage: Stage,
) -> None:
    async with stage.running(BatchSession()) as at:
        await at.press("B", shows="▸ 1 ▸tweet number 1 x")
        grid = at.app.screen.query_one(BatchGrid)
        row = next(y for y, line in enumerate(at.text.splitlines()) if "tweet number 5 x" in line)
        await at.pilot.click(offset=(20, row))
        await at.press(shows="tweet 5 ")
        await at.pilot.click(offset=(20, 1))
        assert grid.selected == 4
        await at.pilot._post_mouse_events([MouseScrollDown, MouseScrollDown, MouseScrollUp], BatchGrid)
        await wait_until(lambda: grid.selected == 7, "two down and one up")
        for size in ((120, 40), (40, 12)):
            await at.resize(*size)
            grid.action_row(-64)
            await at.press("pagedown")
            assert grid.selected > 1
            grid.action_row(64)
            await at.press("end", shows="▸64 ")
            lines = at.text.splitlines()[: size[1]]
            assert any("▸64 " in line and line.rstrip("│ ").endswith("x■") for line in lines), "the last column"
            assert {len(line) for line in lines} == {size[0]}
            await at.press(*["right"] * 3, "home", "up", "left", shows="▸63 ▸tweet number")
            for key in ("?", "escape"):
                await at.press("?", shows="A row is a tweet of the batch", lacks="▸tweet number")
                await at.press(key, shows="▸63 ▸tweet number")
            await at.press("down", shows="▸64 ▸tweet number")


async def test_a_lost_batch_is_asked_for_again_and_a_refusal_and_a_failure_are_shown_while_the_dialog_is_open(
    stage: Stage,
) -> None:
    lost = steps_finished(4, [4.0])
    async with stage.running(BatchSession(lost, lost, FAILED)) as at:
        main = at.app.screen
        assert isinstance(main, MainScreen)
        await at.emit(REFUSED, tweet_sampled("after the refusal", 4))  # to a client of before
        await at.press(shows="after the refusal", opens=MainScreen)
        await at.press("B", opens=BatchDialog)
        main.run.num_gaps += 1
        await wait_until(lambda: at.session.received == [c.ShowBatch(), c.ShowBatch()], "another question")
        await at.emit(REFUSED)
        await at.press(shows="No batch .", opens=BatchDialog)
        await at.press("escape", "B", opens=FailureDialog)
        await at.press("escape", opens=BatchDialog, shows="No model is running to show its batch.")


# The help -------------------------------------------------------------------------------------------------------------

KEYS = {heading: key_entries(keys) for heading, keys in KEY_TABLE.items()}
WORDS = glossary(PLOT_GLYPHS["braille"])


def terms(query: str) -> list[str]:
    return [
        entry.term for entries in (*found(WORDS, query).values(), *found(KEYS, query).values()) for entry in entries
    ]


def test_a_single_character_finds_its_key_everywhere_and_words_entries_by_the_beginnings_of_their_words() -> None:
    assert {heading: [entry.term for entry in entries] for heading, entries in found(KEYS, "k").items()} == {
        "Read and keep tweets": ["k"],
        "In an open tweet": ["k"],
        "In the list of checkpoints": ["k"],
    }
    assert terms("K") == ["K"]
    assert set(terms("↑")) == {"↑", "↑ ↓", "↑ or wheel"}
    assert terms("Temperature LADDER") == ["t", "t"]
    assert terms("ladder temp") == terms("temperature ladder")
    assert terms("overfit") == ["validation"]
    assert "x" in terms("x-ray"), "by the title of the action"
    assert "^p" in terms("ctrl+p"), "by Textual's name of the key"
    assert terms("emperature") == []
    assert set(terms("list of checkpoints")) >= {entry.term for entry in KEYS["In the list of checkpoints"]}
    assert found(KEYS, " ") == KEYS, "no word finds all"


async def test_the_help_fits_at_every_size_and_begins_with_the_keys_of_the_dialog_below_it(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running() as at:
        for size in ((40, 12), (80, 24), (120, 40), (200, 60)):
            await at.resize(*size)
            await at.press("?", opens=HelpScreen, shows="Words")
            text = at.app.screen.query_one(HelpText)
            if size in {(40, 12), (200, 60)}:
                assert text_of(at.app) == snapshot(name=f"{size[0]}x{size[1]}")
            width = text.scrollable_content_region.width
            for y in range(text.virtual_size.height):
                text.scroll_to(y=y, animate=False, immediate=True)
                assert text.render_line(0).crop(0, width).text.strip() == text.render_line(0).text.strip()
            await at.press("escape", opens=MainScreen)
        for key, dialog, heading in (
            ("enter", TweetDialog, "In an open tweet"),
            ("l", CheckpointBrowser, "In the list of checkpoints"),
            ("t", LadderDialog, "In the other dialogs"),
        ):
            await at.press(key, opens=dialog)
            await at.press("?", opens=HelpScreen)
            text = at.app.screen.query_one(HelpText)
            assert list(text.glossary) == [heading, *WORDS]
            assert list(text.keys) == [each for each in KEYS if each != heading]
            await at.press("?", opens=dialog)
            await at.press("escape", opens=MainScreen)
