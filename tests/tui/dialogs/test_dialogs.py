"""The dialogs over the main screen: save, the ladder, the batch of a step, the help, and the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.events import Key, MouseScrollDown, MouseScrollUp, Paste
from textual.widgets import Static

from engine.config.run import TrainingConfig
from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from tests.fakes import FakeSession, batch_shown, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, refused, shows, text_of, toasted, toasts, wait_until
from tests.tui.transcripts import plays, set_up, transcript
from tui.dialogs.ask import Question
from tui.dialogs.base import RunUpdated
from tui.dialogs.help import HelpDialog, HelpText, found, glossary, key_entries
from tui.dialogs.tweets import LadderDialog
from tui.settings.key_table import KEY_TABLE
from tui.settings.preferences import AUTO, PreferencesStore
from tui.terminal.sequences import Notifications
from tui.text.tweets import EMPTY_TWEET
from tui.widgets.batch_grid import BatchGrid
from tui.widgets.plot.cells import PLOT_GLYPHS
from tui.xray.drawing import ASCII


async def save_as_latest(at: Running) -> None:
    await at.app.run_action("files.save_latest")


def paste(at: Running) -> None:
    at.app.post_message(Paste("pinned\nonly"))


async def the_palette_over_it_finds_actions(at: Running) -> None:
    await at.press("ctrl+p", opens="CommandPalette")
    await at.type_into("ladder", shows=("Temperature ladder", "Sample one tweet at each of seven temperatures"))
    await at.press("escape", opens="HelpDialog")


PLAYS = plays("saving_and_help", globals())


@pytest.mark.parametrize("claim", PLAYS)
async def test_dialogs_are_used_by_keys_as_recorded(
    stage: Stage, home: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    (home / "checkpoints").mkdir()
    for name in ("step-3.safetensors", "step-3-2.safetensors", "happy.safetensors", "kept.safetensors", "kept.pinned"):
        (home / "checkpoints" / name).write_bytes(b"")
    async with stage.running() as at:
        assert await transcript(at, *PLAYS[claim]) == snapshot


async def test_at_40_columns_a_line_a_toast_and_answers_are_readable_and_enter_twice_at_once_saves_and_then_reads(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(size=(40, 12), draws_toasts=True) as at:
        await at.press("s", opens="Ask")
        await at.press(*"calm", shows="calm")
        assert text_of(at.app) == snapshot
        for _ in range(2):
            at.app.post_message(Key("enter", None))
        await at.press(opens="TweetDialog", sends=c.ReadTweet(text="hello there"))
        assert at.session.received[:-1] == [c.SaveCheckpoint(name="calm")]
        assert at.app.screen_stack[1:-1] == [at.app.main]
        await at.press("escape", opens="MainScreen", shows="? help")
        at.app.notify("one two three four five six seven eight nine ten", markup=False)
        await shows(at.app, "one two three four five six seven", "eight nine ten")
        at.app.clear_notifications()
        at.app.push_screen(Question("Load a checkpoint", "word " * 60, {"y": "load"}))
        await at.press(shows="y load", opens=Question)  # below a long question, in view


# The ladder -----------------------------------------------------------------------------------------------------------


def ladder(text: str) -> e.LadderSampled:
    rungs = tuple(
        e.LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
        for each in LADDER_TEMPERATURES
    )
    return e.LadderSampled(step=3, elapsed_seconds=1.0, prime="", seed=7, rungs=rungs)


async def test_the_ladder_shows_all_seven_rungs_whole_rolls_again_and_keeps_an_answer_before_its_layout(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
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
        await at.emit(ladder(""))
        assert text_of(at.app).count(EMPTY_TWEET) == 7
        await at.press("escape", opens="MainScreen")
        monkeypatch.setattr(LadderDialog, "action_roll", lambda _: None)  # its answer would replace the early one
        early = LadderDialog(at.app.main.run)
        at.app.push_screen(early)
        early.post_message(RunUpdated((ladder("so cold"),), {}))
        await shows(at.app, "so cold")


# The batch of a step --------------------------------------------------------------------------------------------------

TEXTS = tuple(f"tweet number {number} " + "x" * number for number in range(1, 65))
FAILED = e.RunFailed(step=3, elapsed_seconds=1.0, title="no", detail="", hint="")
REFUSED = refused("ShowBatch", "No batch \x1b[1m.")


class BatchSession(FakeSession):
    """Answers with a batch of 64 of 200 tweets, of the step at which it is asked for one; or with other events."""

    def __init__(self, *others: e.Event) -> None:
        super().__init__(SCRIPT)
        self._others = list(others)

    def answer(self, command: c.Command) -> e.Event:
        if not isinstance(command, insight.ShowBatch):
            return super().answer(command)
        if self._others:
            return self._others.pop(0)
        return batch_shown(TEXTS, step=self._step, batch_step=self._step, num_tweets=200)


async def test_a_dot_in_the_batch_takes_a_step_and_the_grid_follows(stage: Stage, snapshot: SnapshotAssertion) -> None:
    async with stage.running(BatchSession()) as at:
        assert await transcript(at, "B", ".", ".", ".", "escape", ".") == snapshot
        at.app.glyphs = "ascii"
        await at.press("B", shows=f"> 1 >tweet number 1 x#{ASCII.padding * 20}")


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
        await at.emit(REFUSED, tweet_sampled("after the refusal", 4))  # to a client of before
        await at.press(shows="after the refusal", opens="MainScreen")
        await at.press("B", opens="BatchDialog")
        at.app.main.run.num_gaps += 1
        await wait_until(lambda: at.session.received == [insight.ShowBatch(), insight.ShowBatch()], "another question")
        await at.emit(REFUSED)
        await at.press(shows="No batch .", opens="BatchDialog")
        await at.press("escape", "B", opens="Question")
        await at.press("escape", opens="BatchDialog", shows="No model is running to show its batch.")


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
    assert set(terms("↑")) == {"↑", "↑ ↓"}
    assert terms("Temperature LADDER") == ["t", "t"]
    assert terms("ladder temp") == terms("temperature ladder")
    assert terms("overfit") == ["validation"]
    assert "x" in terms("x-ray"), "by the title of the action"
    assert "^p" in terms("ctrl+p"), "by Textual's name of the key"
    assert terms("emperature") == []
    assert set(terms("list of checkpoints")) >= {entry.term for entry in KEYS["In the list of checkpoints"]}
    assert found(KEYS, " ") == KEYS, "no word finds all"


async def test_the_help_fits_a_small_and_a_large_screen_and_begins_with_the_keys_of_the_dialog_below_it(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running() as at:
        for size in ((40, 12), (200, 60)):
            await at.resize(*size)
            await at.press("?", opens="HelpDialog", shows="Words")
            text = at.app.screen.query_one(HelpText)
            if size == (40, 12):
                assert text_of(at.app) == snapshot
            for column in text.query(Static):
                width = max(map(cell_len, str(column.content).splitlines()), default=0)
                assert column.region.x + width <= text.scrollable_content_region.right, "no line is cut"
            await at.press("escape", opens="MainScreen")
        for key, dialog, heading in (
            ("enter", "TweetDialog", "In an open tweet"),
            ("l", "CheckpointBrowser", "In the list of checkpoints"),
            ("t", "LadderDialog", "In the other dialogs"),
        ):
            await at.press(key, opens=dialog)
            await at.press("?", opens="HelpDialog")
            dialog_of_help = at.app.screen
            assert isinstance(dialog_of_help, HelpDialog)
            assert list(dialog_of_help.words) == [heading, *WORDS]
            assert list(dialog_of_help.keys) == [each for each in KEYS if each != heading]
            await at.press("?", opens=dialog)
            await at.press("escape", opens="MainScreen")


# The settings, and what a file of them changes ------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file in the working directory: the dialog shows it."""
    monkeypatch.chdir(tmp_path)
    return Path("config.toml")


async def choose_a_theme_as_the_palette_does(at: Running) -> None:
    await at.press("ctrl+p", opens="CommandPalette")
    await at.type_into("theme tweetgen-colour-blind", "enter")


FULL_DISK = e.Warned(step=3, elapsed_seconds=1.0, message="The disk is full.", kind="disk")


def chosen(at: Running) -> str:
    """Return what is in the file, and what applies."""
    app, file = at.app, Path("config.toml")
    written = file.read_text() if file.exists() else "no file"
    return f"{app.theme}, {'mouse' if app.has_mouse else 'no mouse'}, {app.loss_unit}; {written!r}"


CHANGES = plays("settings", globals())
FILES = {
    "the unit of losses": '[screen]\nloss_unit = "nats"\n',
    "a setting that can't be saved": "theme = \n",
    "a key of the file": '[keys]\npause = "f5"\ncommand_palette = "f10"\nanswer_alert = "f6"\n',
}


@pytest.mark.parametrize("claim", CHANGES)
async def test_the_settings_are_changed_by_keys_as_recorded(
    stage: Stage, path: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    if text := set_up(FILES, claim, ""):
        path.write_text(text, encoding="utf-8")
    async with stage.running(size=(60, 20), store=PreferencesStore(path)) as at:
        recorded = await transcript(at, *CHANGES[claim], note=chosen)
        assert recorded.replace(f"{Path.cwd()}/", "") == snapshot


async def test_a_saved_theme_is_applied_and_not_written_again_and_invalid_entries_are_reported_in_a_few_toasts(
    stage: Stage, path: Path
) -> None:
    wrong = "\n".join(f"a{number} = 1" for number in range(50))
    path.write_text(f'theme = "tweetgen-light"\n{wrong}\n[screen]\nmouse = 3\n[keys]\nsave = "z"\n', encoding="utf-8")
    before = path.stat().st_mtime_ns
    async with stage.running(size=(120, 24), store=PreferencesStore(path)) as at:
        assert at.app.theme == "tweetgen-light"
        await toasted(at.app, "48 more in the same file.")
        assert toasts(at.app)[0].startswith("config.toml: screen.mouse: it is 3; it must be true or false")
        assert len(toasts(at.app)) == 4
        await at.press(shows="z save")
    assert path.stat().st_mtime_ns == before


async def test_the_theme_that_suits_the_terminal_stays_automatic_where_it_is_chosen_again(
    stage: Stage, path: Path
) -> None:
    async with stage.running(store=PreferencesStore(path)) as at:
        [again] = (command for command in at.app._commands() if command.title == f"Theme {at.app.theme}")
        again.run()
        assert at.app.store.preferences.theme == AUTO
    assert not path.exists()


@pytest.mark.parametrize("chosen", [{}, {"bell": False}, {"desktop": False, "title": False}])
async def test_the_end_of_a_run_is_notified_as_the_user_has_chosen_and_quitting_is_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, bool]
) -> None:
    notified, titles, store = list[tuple[str, bool, bool]](), list[str](), PreferencesStore()
    monkeypatch.setattr(Notifications, "notify", lambda _, text, **to: notified.append((text, *to.values())))
    monkeypatch.setattr(Notifications, "show_title", lambda _, title: titles.append(title))
    store.change(chosen)
    session = FakeSession(SCRIPT, run_started(training=TrainingConfig(max_steps=3)))
    async with stage.running(session, store=store) as at:
        await at.emit(e.Paused(step=3, elapsed_seconds=1.0))
        await wait_until(lambda: notified, "a notice")
        store.change({"title": True})
        store.change({"title": chosen.get("title", True)})
        await at.press("q")
    to_bell, on_desktop = chosen.get("bell", True), chosen.get("desktop", True)
    assert notified == [("tweetgen-tui: run 2026-11-25-101112 finished after 3 steps.", to_bell, on_desktop)]
    assert titles[-1] == ""
    if not chosen.get("title", True):
        assert titles[-3:-1] == ["tweetgen-tui · 2026-11-25-101112 · 5.77 bits · 3 steps · finished", ""]
