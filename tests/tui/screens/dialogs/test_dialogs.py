"""The dialogs: save, ladder, messages."""

from __future__ import annotations

from pathlib import Path

from textual.events import Key
from textual.widgets import Input, Static

from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.screens.dialogs.checkpoint_name import SaveDialog
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.main.screen import MainScreen

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


async def started(app: TweetgenApp) -> None:
    await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")


def hint(app: TweetgenApp) -> str:
    """Return the dialog's hint; empty until there is one."""
    return "".join(str(line.render()) for line in app.screen.query("#hint").results(Static))


async def test_a_new_name_is_saved_at_once_and_an_existing_one_needs_enter_twice(stage: Stage, home: Path) -> None:
    (home / "checkpoints").mkdir()
    (home / "checkpoints" / "happy.safetensors").write_bytes(b"")
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await started(app)
        await pilot.press("s")
        await opened(app, SaveDialog)
        assert app.screen.query_one(Input).value == "step-3"
        await pilot.press(*"calm")
        await press(pilot, session, "enter")
        await wait_until(lambda: toasts(app) == ["Saved as “calm”."])
        await pilot.press("s", *"happy", "enter")
        await wait_until(lambda: "enter again replaces it" in hint(app))
        await pilot.press("2")
        await wait_until(lambda: "enter again" not in hint(app))
        await pilot.press("backspace", "enter")
        await wait_until(lambda: "enter again replaces it" in hint(app))
        await press(pilot, session, "enter")
        assert session.received == [c.SaveCheckpoint(name="calm"), c.SaveCheckpoint(name="happy", replace=True)]


async def test_the_suggested_name_is_free_and_an_invalid_or_pinned_one_is_refused(stage: Stage, home: Path) -> None:
    (home / "checkpoints").mkdir()
    for name in ("step-3.safetensors", "step-3-2.safetensors", "happy.safetensors", "happy.pinned"):
        (home / "checkpoints" / name).write_bytes(b"")
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await started(app)
        await pilot.press("s")
        await opened(app, SaveDialog)
        field = app.screen.query_one(Input)
        assert field.value == "step-3-3"
        for name in ("../up", ""):
            field.value = name
            await pilot.press("enter")
            await wait_until(lambda: "Use up to 100 letters" in hint(app))
        field.value = "happy"
        await pilot.press("enter", "enter")
        await wait_until(lambda: "“happy” is pinned" in hint(app))
        assert isinstance(app.screen, SaveDialog)
        assert session.received == []


async def test_the_ladder_shows_all_seven_rungs_whole_and_rolls_again(stage: Stage) -> None:
    session = FakeSession(SCRIPT, run_started(sampling=SamplingConfig(prime="so")))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await press(pilot, session, "t")
        first = session.received[-1]
        assert isinstance(first, c.SampleLadder)
        assert first.prime == "so"
        await wait_until(lambda: f"seed {first.seed}" in hint(app))
        for temperature in LADDER_TEMPERATURES:
            await shows(app, f"rung {temperature:g} of seed")
        await press(pilot, session, "t")
        second = session.received[-1]
        assert isinstance(second, c.SampleLadder)
        await wait_until(lambda: f"seed {second.seed}" in hint(app))
        assert isinstance(app.screen, LadderDialog)
        text = ("word " * 28)[:139] + "!"
        rungs = tuple(
            e.LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
            for each in LADDER_TEMPERATURES
        )
        session.emit(e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=rungs))
        await wait_until(lambda: screen_text(app).count("!") == 7, "the ends of all seven")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_a_ladder_sampled_before_the_layout_of_the_dialog_is_shown(stage: Stage) -> None:
    app = stage.app(FakeSession())
    async with app.run_test(size=(80, 24)):
        dialog = LadderDialog(lambda: True)
        rung = e.LadderTweet(temperature=0.2, text="so cold", reached_eos=True, bits_per_char=2.0, novelty="new")
        dialog.show(e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=(rung,)))

        await app.push_screen(dialog)

        await shows(app, "so cold")


async def test_a_key_pressed_twice_at_once_closes_the_dialog_only(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await started(app)
        await pilot.press("s")
        await opened(app, SaveDialog)
        for _ in range(2):
            app.post_message(Key("enter", None))
        await wait_until(lambda: session.received, "the command")
        await shows(app, "? help")
        assert [type(screen) for screen in app.screen_stack[1:]] == [MainScreen]
        assert session.received == [c.SaveCheckpoint(name="step-3")]


async def test_the_line_of_a_dialog_and_a_toast_are_readable_at_40_columns_and_12_rows(
    stage: Stage,
    home: Path,
) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        await started(app)
        await pilot.press("s")
        await opened(app, SaveDialog)
        await pilot.press(*"calm")
        await shows(app, "calm")
        await pilot.press("escape")
        await opened(app, MainScreen)
        app.notify("one two three four five six seven eight nine ten", markup=False)
        await shows(app, "one two three four five six seven", "eight nine ten")
