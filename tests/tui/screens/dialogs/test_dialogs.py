"""The dialogs: save, ladder, messages."""

from __future__ import annotations

from pathlib import Path

from syrupy.assertion import SnapshotAssertion
from textual.events import Key
from textual.widgets import Input

from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import SCRIPT, Stage, press, shows, text_of, toasted, wait_until
from tui.screens.dialogs.checkpoint_name import SaveDialog
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.main.screen import MainScreen


def rungs(text: str) -> tuple[e.LadderTweet, ...]:
    return tuple(
        e.LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
        for each in LADDER_TEMPERATURES
    )


async def test_a_new_name_is_saved_at_once_an_existing_one_after_enter_twice_and_an_invalid_or_pinned_one_never(
    stage: Stage, home: Path
) -> None:
    (home / "checkpoints").mkdir()
    for name in ("step-3.safetensors", "step-3-2.safetensors", "happy.safetensors", "kept.safetensors", "kept.pinned"):
        (home / "checkpoints" / name).write_bytes(b"")
    async with stage.running() as at:
        await at.press("s", opens=SaveDialog)
        assert at.app.screen.query_one(Input).value == "step-3-3", "a free name"
        for invalid in ("../up", ""):
            await at.type_into(invalid, "enter", shows="Use up to 100 letters")
        await at.type_into("kept", "enter", "enter", shows="“kept” is pinned")
        assert isinstance(at.app.screen, SaveDialog)
        await at.type_into("calm", "enter", sends=c.SaveCheckpoint(name="calm"), opens=MainScreen)
        await toasted(at.app, "Saved as “calm”.")
        await at.press("s", *"happy", "enter", shows="enter again replaces it")
        await at.press("2", lacks="enter again")
        await at.press("backspace", "enter", shows="enter again replaces it")
        await at.press("enter", sends=c.SaveCheckpoint(name="happy", replace=True))
        assert len(at.session.received) == 2


async def test_the_ladder_shows_all_seven_rungs_whole_and_rolls_again(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(FakeSession(SCRIPT, run_started(sampling=SamplingConfig(prime="so")))) as at:
        for _ in range(2):
            await press(at.pilot, at.session, "t")
            asked = at.session.received[-1]
            assert isinstance(asked, c.SampleLadder)
            assert asked.prime == "so"
            await shows(at.app, f"seed {asked.seed}", *(f"rung {each:g} of seed" for each in LADDER_TEMPERATURES))
        assert isinstance(at.app.screen, LadderDialog)
        long = rungs(("word " * 28)[:139] + "!")
        at.session.emit(e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=long))
        await shows(at.app, "seed 7")
        await wait_until(lambda: text_of(at.app).count("!") == 7, "the ends of all seven")
        assert text_of(at.app) == snapshot
        await at.press("escape", opens=MainScreen)


async def test_a_ladder_sampled_before_the_layout_of_the_dialog_is_shown(stage: Stage) -> None:
    async with stage.running() as at:
        dialog = LadderDialog(lambda: True)
        dialog.show(e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=rungs("so cold")))
        await at.app.push_screen(dialog)
        await shows(at.app, "so cold")


async def test_a_key_pressed_twice_at_once_closes_the_dialog_only(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("s", opens=SaveDialog)
        for _ in range(2):
            at.app.post_message(Key("enter", None))
        await at.press(sends=c.SaveCheckpoint(name="step-3"), shows="? help")
        assert [type(screen) for screen in at.app.screen_stack[1:]] == [MainScreen]
        assert len(at.session.received) == 1


async def test_the_line_of_a_dialog_and_a_toast_are_readable_at_40_columns_and_12_rows(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(size=(40, 12), draws_toasts=True) as at:
        await at.press("s", opens=SaveDialog)
        await at.press(*"calm", shows="calm")
        assert text_of(at.app) == snapshot
        await at.press("escape", opens=MainScreen)
        at.app.notify("one two three four five six seven eight nine ten", markup=False)
        await shows(at.app, "one two three four five six seven", "eight nine ten")
