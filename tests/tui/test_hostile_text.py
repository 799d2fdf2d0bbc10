"""Hostile text on the screen: wherever data is shown or taken, nothing in it reaches the terminal or acts as markup.

What is looked at is each segment that Textual would write, with its style, and the bytes that it would make of them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events as te
from textual.pilot import Pilot
from textual.widgets import Input

from engine import commands as c
from engine import events as e
from engine.answers import CharChance, CharRead, TextCompleted, TweetRead
from engine.checkpoint_list import CheckpointEntry, list_checkpoints
from engine.config import RunConfig
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from engine.folders import home
from engine.stage import Stage as RunStage
from tests import hostile
from tests.engine.checkpoints import checkpoint_info, write_checkpoint
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import Stage, opened, shows, until
from tui import clipboard
from tui.app import TweetgenApp
from tui.notices import Notices, ending_of, title_of
from tui.preferences import Preferences
from tui.run_view import RunView
from tui.screens.checkpoint_browser import CheckpointBrowser
from tui.screens.checkpoint_questions import RenameDialog
from tui.screens.compare_dialog import CompareDialog
from tui.screens.dialog import FailureDialog, MessageDialog
from tui.screens.export_dialog import ExportDialog
from tui.screens.help_screen import HelpScreen
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.main import MainScreen
from tui.screens.open_dialog import OpenDialog
from tui.screens.settings_screen import SettingsScreen
from tui.screens.tweet_dialog import TweetDialog
from tui.state import apply
from tui.tweet_files import FORMATS
from tui.widgets.checkpoint_table import CheckpointTable
from tui.widgets.file_list import FileList
from tui.widgets.tweet_feed import TweetFeed
from tui.widgets.tweet_text import TweetText

SIZE = (80, 24)
TEXTS = list(hostile.TEXTS.values())
WORST = hostile.ALL_AT_ONCE
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCROLL_BAR = {"grab", "release", "scroll_up", "scroll_down"}
"""What Textual's scroll bars do when they are pressed."""
MAX_MARKS = 8
"""On one character: those that a text may have, and as many again where two texts meet."""
CHANCES = tuple(CharChance(char=char, probability=0.1) for char in ("\x1b", "\u202e", "\x9b", "\ud800", "\u0301"))


def assert_harmless(app: TweetgenApp) -> None:
    """Check each segment: no character that acts, no flood, no action, no link; and the bytes made of them."""
    strips = app.screen._compositor.render_strips()
    for text, style, control in (segment for strip in strips for segment in strip):
        assert control is None
        assert hostile.obeyed(text) == [], ascii(text)
        assert hostile.most_marks_on_one(text) <= MAX_MARKS, ascii(text)[:200]
        if style is not None:
            assert style.link is None, ascii(text)
            actions = {value for name, value in style.meta.items() if name.startswith("@")}
            assert actions <= SCROLL_BAR, ascii(text)
    written = "\n".join(strip.render(app.console) for strip in strips)
    assert list(hostile.unknown_sequences(written.encode())) == []


async def seen(app: TweetgenApp, *words: str) -> None:
    """Wait until the screen shows all of `words`; nothing on it may act then."""
    await shows(app, *words)
    assert_harmless(app)


class HostileSession(FakeSession):
    """Answers every question with hostile text."""

    def answer(self, command: c.Command) -> e.Event:
        match command:
            case c.ReadTweet(text=text):
                chars = tuple(CharRead(char=char, bits=2.0, likeliest=CHANCES) for char in [*text, ""])
                shares: dict[str, Any] = {"copied_share": 0.25, "nearest": WORST, "nearest_share": 0.4}
                return TweetRead(text=text, chars=chars, bits_per_char=2.0, **shares, **NOW)
            case c.SampleLadder():
                texts = (WORST, *(hostile.FLOODS[name] for name in ("4,000 marks", "wide line", "flags")))
                rung = e.LadderTweet(temperature=0.5, text="", reached_eos=False, bits_per_char=2.0, novelty="copy")
                rungs = tuple(replace(rung, text=text) for text in texts)
                return e.LadderSampled(prime=WORST, seed=1, rungs=rungs, **NOW)
            case c.CompleteText(text=text) if text.endswith("r"):
                return e.CommandRefused(command="CompleteText", title=WORST, detail=WORST, hint=WORST, **NOW)
            case c.CompleteText(text=text, request=request):
                completed = TextCompleted(
                    request=request, completion=(), reached_eos=False, next_chars=CHANCES, unknown_chars=(), **NOW
                )
                if text.endswith("x"):
                    return replace(completed, unknown_chars=tuple(WORST))
                return replace(completed, completion=tuple("zqj " + WORST))
        return super().answer(command)


@asynccontextmanager
async def running(
    stage: Stage, *script: e.Event, started: e.RunStarted | None = None, **options: Any
) -> AsyncIterator[tuple[TweetgenApp, Pilot[None], FakeSession]]:
    """Run the app over a script; what it shows at the end is checked too."""
    session = HostileSession((STEPS, *script), started)
    app = stage.app(session, **options)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.summary_view.step >= 3, "the script's end")
        yield app, pilot, session
        assert_harmless(app)


async def pressed(app: TweetgenApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys; after none of them anything on the screen may act."""
    for key in keys:
        await pilot.press(key)
        assert_harmless(app)


async def closed(app: TweetgenApp, pilot: Pilot[None]) -> None:
    """Go back to the main screen."""
    for _ in range(4):
        if not isinstance(app.screen, MainScreen):
            await pressed(app, pilot, "escape")
    await opened(app, MainScreen)


async def test_tweets_in_the_feed_and_looked_at_closely(stage: Stage) -> None:
    tweets = [
        tweet(text, number, char_bits=(1.5,) * (len(text) + 1), novelty="near-copy", copied_share=0.5, prime=text[:9])
        for number, text in enumerate([*TEXTS, hostile.FLOODS["marks before all"], WORST], start=3)
    ]
    async with running(stage, *tweets) as (app, pilot, _):
        await until(lambda: app.summary_view.num_tweets == len(tweets), "all tweets")
        feed = app.screen.query_one(TweetFeed)
        feed.focus()
        for _ in range(2):
            await pressed(app, pilot, "home", "c")
            await seen(app, "zqj")
            while feed.scroll_offset.y < feed.max_scroll_y:
                feed.action_page(4)
                await pilot.pause()
                assert_harmless(app)
        for key in ("end", "up"):
            await pressed(app, pilot, key, "enter")
            await opened(app, TweetDialog)
            await until(lambda: app.summary_view.read, "the model's answer")
            await seen(app, "Tweet of step")
            await pressed(app, pilot, "right", "end", "up")
            for place in range(0, 60, 12):
                app.screen.query_one(TweetText).place = place
                await pilot.pause()
                assert_harmless(app)
            await pressed(app, pilot, "y")
            app.screen.query_one("VerticalScroll").scroll_end(animate=False)
            await seen(app, "Nearest")
            assert hostile.obeyed(app.clipboard) == []
            await closed(app, pilot)


def hostile_run() -> e.RunStarted:
    """Return the start of a run whose every word is hostile."""
    sampling = run_started().sampling
    object.__setattr__(sampling, "prime", WORST)  # past its own check
    names = ("run", "corpus", "device", "precision", "resumed_from", "step_path")
    return run_started(sampling=sampling, **dict.fromkeys(names, WORST))


async def test_facts_of_a_run_what_it_tells_and_what_the_model_answers(stage: Stage) -> None:
    told = (
        e.CheckpointSaved(name=WORST, path=WORST, bits_per_char=None, **NOW),
        e.CheckpointLoaded(name=WORST, path=WORST, bits_per_char=None, **NOW),
        e.ThreadsChanged(num_threads=2, message=WORST, **NOW),
        e.Warned(message=WORST, kind="disk", **NOW),
        tweet(WORST, 3),
    )
    async with running(stage, *told, started=hostile_run()) as (app, pilot, session):
        await seen(app, "zqj")
        for text in TEXTS:
            session.play(e.Warned(message=text, **NOW))
        await pilot.pause()
        assert_harmless(app)
        session.play(e.CommandRefused(command="Pause", title=WORST, detail=WORST, hint=WORST, **NOW))
        await opened(app, MessageDialog)
        await seen(app, "zqj")
        await closed(app, pilot)
        await pressed(app, pilot, "h")
        for key, kind in (
            ("question_mark", HelpScreen),
            ("comma", SettingsScreen),
            ("t", LadderDialog),
            ("e", ExportDialog),
        ):
            await pilot.press(key)
            await opened(app, kind)
            await until(lambda: app.summary_view.ladder or not isinstance(app.screen, LadderDialog), "the ladder")
            await pressed(app, pilot, "enter" if kind is ExportDialog else "down")
            await closed(app, pilot)
        await pressed(app, pilot, "p", "a")
        await seen(app, "zqj")
        await pressed(app, pilot, "tab", "right", "x")
        await seen(app, "never seen")
        await pressed(app, pilot, "r", "escape")
        session.play(e.RunFinished(reason=WORST, total_seconds=1.0, total_chars=1, **NOW))
        await until(lambda: app.summary_view.ended, "the end")
        await seen(app, "zqj")


async def test_why_a_run_failed_and_what_is_done_before_one_begins(stage: Stage) -> None:
    failed = e.RunFailed(title=WORST, detail=WORST, hint="[/foo] " + WORST, **NOW)
    async with running(stage, failed) as (app, _, _):
        await opened(app, FailureDialog)
        await seen(app, "zqj")
    app = stage.app(FakeSession())
    async with app.run_test(size=SIZE):
        app.bridge.stage = RunStage(WORST, share=0.5, report=(WORST, *TEXTS))  # type: ignore[misc] # as the session's thread sets it
        await seen(app, "zqj")


def hostile_entries() -> list[CheckpointEntry]:
    """Return checkpoints whose every word is hostile, and those of files whose names are."""
    put_hostile_files(home() / "checkpoints", b".safetensors")
    write_checkpoint(home() / "checkpoints" / "zqj\x1b[31m[red].safetensors")
    info = checkpoint_info(run=WORST, corpus_name=WORST, versions={WORST: WORST})
    other = checkpoint_info(vocab=tuple(set(WORST)), corpus_name=WORST)
    entry = CheckpointEntry(name=WORST.replace("/", "|"), path=Path("/x") / "x", saved_at=2e9, num_bytes=1, info=info)
    damaged = [replace(entry, name=text, saved_at=1e9, info=None, problem=text) for text in TEXTS[::4]]
    return [entry, replace(entry, name=TEXTS[0], saved_at=1.99e9, info=other), *damaged, *list_checkpoints()]


async def test_checkpoints_that_claim_hostile_things_and_have_hostile_names(stage: Stage) -> None:
    async with running(stage, tweet("hello", 3), entries=hostile_entries) as (app, pilot, _):
        await pilot.press("l")
        await opened(app, CheckpointBrowser)
        await seen(app, "zqj")
        await pressed(app, pilot, "c", "down", "c")
        await opened(app, CompareDialog)
        await seen(app, "zqj")
        await pressed(app, pilot, "escape", "k", "n", "escape")
        for _page in range(6):
            app.screen.query_one(CheckpointTable).action_move(5)
            await pressed(app, pilot, "r")
            for key in ("enter", "escape"):
                if isinstance(app.screen, RenameDialog):
                    await pressed(app, pilot, key)
            await opened(app, CheckpointBrowser)


def put_hostile_files(folder: Path, suffix: bytes = b"") -> int:
    """Put files with hostile names into a folder; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in hostile.FILE_NAMES:
        whole = name.removesuffix(b".txt") + suffix if suffix else name
        (folder / os.fsdecode(whole[:240])).write_bytes(b"text,[/red]\x1b[31m,\x9b\nzqj,b,c\n")
    return len(hostile.FILE_NAMES)


async def test_files_with_hostile_names_to_choose_from(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in\x1b[31m[red]\u202e"
    num_files = put_hostile_files(folder)
    monkeypatch.chdir(tmp_path)

    def check(config: RunConfig) -> None:
        assert config.corpus is not None
        raise CorpusError(f"{config.corpus.files[0]}: {WORST}", WORST)

    config = RunConfig(corpus=CorpusConfig(files=(str(folder / "none.csv"),)))
    monkeypatch.setattr(stage, "check", check)
    async with running(stage, tweet("hello", 3), config=config) as (app, pilot, _):
        await pilot.press("o")
        await opened(app, OpenDialog)
        await until(lambda: app.screen.query_one(FileList).option_count >= num_files, "the files")
        for _file in range(num_files):
            await pressed(app, pilot, "down", "enter")
            await until(lambda: app.screen._state == "choosing", "the answer")  # type: ignore[attr-defined]
            assert_harmless(app)


PASTED = (
    WORST,
    *(hostile.CONTROLS[name] for name in ("all of C0", "DEL and all of C1", "overwritten by CR", "separators")),
    *(hostile.UNSEEN["joiner flood"], hostile.SURROGATES["lone surrogates"], hostile.MEGABYTE["marks"]),
)
INPUTS = {"prompt": ("p",), "save": ("s",), "filter": ("l", "slash"), "export": ("e",), "open": ("o",), "palette": ()}


@pytest.mark.parametrize("name", INPUTS)
async def test_what_is_pasted_into_a_line(stage: Stage, name: str) -> None:
    async with running(stage, tweet("hello", 3)) as (app, pilot, _):
        await pilot.press(*INPUTS[name])
        if name == "palette":
            app.action_command_palette()
        await until(lambda: isinstance(app.focused, Input), "a line to type in")
        line = app.focused
        assert isinstance(line, Input)
        for text in PASTED:
            line.value = ""
            app.post_message(te.Paste(text))
            await pilot.pause()
            assert hostile.obeyed(line.value) == [], ascii(line.value)[:100]
            assert_harmless(app)


class WritingApp:
    """What `clipboard.copy` needs of an app."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._driver = self

    def write(self, data: str) -> None:
        self.written.append(data)

    def copy_to_clipboard(self, text: str) -> None:
        self.write(clipboard.osc52(text))


def test_what_is_copied_to_the_clipboard_is_harmless() -> None:
    for text in [*TEXTS, WORST]:
        app = WritingApp()
        clipboard.copy(app, text, {"TMUX": "/tmp/x"})  # type: ignore[arg-type] # all that it needs
        bare, wrapped = app.written
        encoded = bare.removeprefix("\x1b]52;c;").removesuffix("\x07")
        assert hostile.obeyed(base64.b64decode(encoded, validate=True).decode()) == []
        assert wrapped == f"\x1bPtmux;\x1b{bare}\x1b\\"


def hostile_views() -> Iterator[RunView]:
    for text in [*TEXTS, WORST]:
        view = apply(apply(RunView(), run_started(run=text, corpus=text)), STEPS)
        yield view
        yield apply(view, e.RunFailed(title=text, detail=text, hint=text, **NOW))


def test_the_terminals_title_and_the_notice_on_the_desktop() -> None:
    written: list[str] = []
    notices = Notices(written.append, lambda: Preferences(title=True, desktop=True, bell=False), {"TERM": "xterm"})
    for view in hostile_views():
        notices.show_title(view)
        notices.tell(ending_of(view))
        assert hostile.obeyed(title_of(view)) == []
    assert len(written) > len(TEXTS)
    for sequence in written:
        inner = sequence.removeprefix("\x1b[22;0t").removeprefix("\x1b]0;").removeprefix("\x1b]9;").removesuffix("\x07")
        assert hostile.obeyed(inner) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_holds_one_harmless_line_a_tweet(suffix: str) -> None:
    content = FORMATS[suffix]([tweet(text, number) for number, text in enumerate([*TEXTS, WORST])])
    lines = content.removesuffix("\n").split("\n")
    assert len(lines) == len(TEXTS) + 1 + (suffix == ".csv")
    assert [hostile.obeyed(line) for line in lines] == [[]] * len(lines)
    content.encode()
