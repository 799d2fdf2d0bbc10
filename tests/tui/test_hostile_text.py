"""Hostile text on the screen: wherever data is shown or taken, nothing in it reaches the terminal or acts as markup.

What is looked at is each segment that Textual would write, with its style, and the bytes that it would make of them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment
from textual import events as te
from textual.pilot import Pilot
from textual.widgets import Input

from engine import commands as c
from engine import events as e
from engine.answers import CharChance, CharRead, TextCompleted, TweetRead
from engine.checkpoint_list import CheckpointEntry, list_checkpoints
from engine.config import RunConfig
from engine.corpus.checking import Glance
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from engine.folders import home
from engine.stage import Stage as RunStage
from tests import hostile
from tests.engine.checkpoints import checkpoint_info, write_checkpoint
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import SIZES, Stage, opened, press, shows, until
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
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.open_dialog import OpenDialog
from tui.screens.tweet_dialog import TweetDialog
from tui.state import apply
from tui.tweet_files import FORMATS
from tui.widgets.file_list import FileList
from tui.widgets.tweet_feed import TweetFeed

sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
small = pytest.mark.parametrize("size", SIZES[1:], ids=lambda size: f"{size[0]}x{size[1]}")
"""Where the other size would be drawn by the same code, only wider."""
TEXTS = list(hostile.TEXTS.values())
WORST = hostile.ALL_AT_ONCE
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCROLL_BAR = {"grab", "release", "scroll_up", "scroll_down"}
"""What Textual's scroll bars do when they are pressed."""
LOOKED_AT = [
    WORST,
    hostile.UNSEEN["family that never ends"],
    hostile.FLOODS["marks before all"],
    hostile.FLOODS["one long word"][:4000],
]
MAX_MARKS = 8
"""On one character: those that a text may have, and as many again where two texts meet."""


def all_shown(app: TweetgenApp) -> list[Segment]:
    """Return what the terminal would be given now."""
    return [segment for strip in app.screen._compositor.render_strips() for segment in strip]


def assert_harmless(app: TweetgenApp) -> None:
    """Check each segment: no character that acts, no flood, no action, no link; and the bytes made of them."""
    segments = all_shown(app)
    for text, style, control in segments:
        assert control is None
        assert hostile.obeyed(text) == [], ascii(text)
        assert hostile.most_marks_on_one(text) <= MAX_MARKS, ascii(text)[:200]
        if style is not None:
            assert style.link is None, ascii(text)
            actions = {value for name, value in style.meta.items() if name.startswith("@")}
            assert actions <= SCROLL_BAR, ascii(text)
    written = "\n".join(strip.render(app.console) for strip in app.screen._compositor.render_strips())
    assert list(hostile.unknown_sequences(written.encode())) == []


@asynccontextmanager
async def running(
    stage: Stage, size: tuple[int, int], *script: e.Event, **options: Any
) -> AsyncIterator[tuple[TweetgenApp, Pilot[None], FakeSession]]:
    """Run the app over a script; what it shows at the end is checked too."""
    session = FakeSession((STEPS, *script), options.pop("started", None))
    app = stage.app(session, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.summary_view.step >= 3, "the script's end")
        yield app, pilot, session
        assert_harmless(app)


async def seen(app: TweetgenApp, *words: str) -> None:
    """Wait until the screen shows all of `words`; nothing on it may act then."""
    await shows(app, *words)
    assert_harmless(app)


@sizes
@pytest.mark.parametrize("is_coloured", [False, True], ids=["plain", "coloured"])
async def test_tweets_in_the_feed(stage: Stage, size: tuple[int, int], *, is_coloured: bool) -> None:
    tweets = [
        tweet(text, number, char_bits=(1.5,) * (len(text) + 1), novelty="near-copy", copied_share=0.5)
        for number, text in enumerate(TEXTS, start=3)
    ]
    async with running(stage, size, *tweets) as (app, pilot, _):
        await until(lambda: app.summary_view.num_tweets == len(tweets), "all tweets")
        if is_coloured:
            await pilot.press("c")
        feed = app.screen.query_one(TweetFeed)
        feed.focus()
        await pilot.press("home")
        await seen(app, "zqj")
        while feed.scroll_offset.y < feed.max_scroll_y:
            await pilot.press("pagedown")
            assert_harmless(app)
        await pilot.press("end", "up", "up", "k", "K")
        await seen(app, "pins only")


@small
@pytest.mark.parametrize("text", LOOKED_AT, ids=["all at once", "family", "marks", "word"])
async def test_a_tweet_looked_at_closely(stage: Stage, size: tuple[int, int], text: str) -> None:
    chances = tuple(CharChance(char=char, probability=0.1) for char in ("\x1b", "\u202e", "\x9b", "\ud800", "\u0301"))
    answer = TweetRead(
        text=text,
        chars=tuple(CharRead(char=char, bits=2.0, likeliest=chances) for char in [*text, ""]),
        bits_per_char=2.0,
        copied_share=0.25,
        nearest=WORST,
        nearest_share=0.4,
        **NOW,
    )
    async with running(stage, size, tweet(text, 3, prime=text)) as (app, pilot, session):
        await until(lambda: app.summary_view.num_tweets == 1, "the tweet")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("enter")
        await opened(app, TweetDialog)
        await until(lambda: session.received, "the question")
        session.play(answer)
        await seen(app, "Tweet of step 3")
        for key in ("right",) * 8 + ("end", "up", "p"):
            await pilot.press(key)
            assert_harmless(app)
        app.screen.query_one("VerticalScroll").scroll_end(animate=False)
        await seen(app, "Nearest")
        await pilot.press("y")
        await until(lambda: app.clipboard, "the copy")
        assert hostile.obeyed(app.clipboard) == []


def test_what_is_copied_to_the_clipboard_is_harmless() -> None:
    class Driver:
        written: list[str] = []  # noqa: RUF012 - one app, one driver

        def write(self, data: str) -> None:
            self.written.append(data)

    class App:
        _driver = Driver()

        def copy_to_clipboard(self, text: str) -> None:
            self._driver.write(clipboard.osc52(text))

    for text in [*TEXTS, WORST]:
        App._driver.written.clear()
        clipboard.copy(App(), text, {"TMUX": "/tmp/x"})  # type: ignore[arg-type] # what it needs of an app
        bare, wrapped = App._driver.written
        encoded = bare.removeprefix("\x1b]52;c;").removesuffix("\x07")
        assert hostile.obeyed(base64.b64decode(encoded, validate=True).decode()) == []
        assert wrapped == f"\x1bPtmux;\x1b{bare}\x1b\\"


@small
async def test_rungs_of_a_ladder(stage: Stage, size: tuple[int, int]) -> None:
    async with running(stage, size) as (app, pilot, session):
        await press(pilot, session, "t")
        await opened(app, LadderDialog)
        for start in range(0, len(TEXTS), 7):
            rungs = tuple(
                e.LadderTweet(temperature=0.5, text=text, reached_eos=False, bits_per_char=2.0, novelty="copy")
                for text in TEXTS[start : start + 7]
            )
            session.play(e.LadderSampled(prime=hostile.ESCAPES["clipboard"], seed=start, rungs=rungs, **NOW))
            await until(lambda start=start: app.summary_view.ladder and app.summary_view.ladder.seed == start)  # type: ignore[misc] # the usual way to bind
            await pilot.pause()
            assert_harmless(app)


@small
async def test_what_the_model_says_to_a_line_that_is_typed(stage: Stage, size: tuple[int, int]) -> None:
    def answer(completion: Iterable[str], request: int, unknown: Iterable[str] = ()) -> TextCompleted:
        return TextCompleted(
            request=request,
            completion=tuple(completion),
            reached_eos=False,
            next_chars=tuple(CharChance(char=char, probability=0.2) for char in ("\x1b", "\x9b31m", "\u200d\u0301")),
            unknown_chars=tuple(unknown),
            **NOW,
        )

    class Session(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if not isinstance(command, c.CompleteText):
                return super().answer(command)
            if command.text.endswith("x"):
                return answer("", command.request, [*WORST])
            if command.text.endswith("r"):
                return e.CommandRefused(command="CompleteText", title=WORST, detail=WORST, hint=WORST, **NOW)
            return answer("zqj " + hostile.ALL_AT_ONCE, command.request)

    session = Session((STEPS,))
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.summary_view.step >= 3, "the script's end")
        await pilot.press("p", "a")
        await seen(app, "zqj")
        await pilot.press("tab", "tab", "tab", *["right"] * 40)
        assert_harmless(app)
        await pilot.press("x")
        await seen(app, "never seen")
        await pilot.press("r")
        await seen(app, "zqj")


PASTED = (
    WORST,
    *(hostile.ESCAPES[name] for name in ("clipboard", "in one C1 character")),
    *(hostile.CONTROLS[name] for name in ("all of C0", "DEL and all of C1", "overwritten by CR", "separators")),
    *(hostile.UNSEEN[name] for name in ("right to left override", "joiner flood")),
    *(hostile.FLOODS["4,000 marks"], hostile.SURROGATES["lone surrogates"], hostile.MARKUP["action"]),
    *(hostile.MEGABYTE[name] for name in ("a line", "marks", "nothing to be seen")),
)
INPUTS = {"prompt": ("p",), "save": ("s",), "filter": ("l", "slash"), "export": ("e",), "open": ("o",), "palette": ()}


@small
@pytest.mark.parametrize("name", INPUTS)
async def test_what_is_pasted_into_a_line(stage: Stage, size: tuple[int, int], name: str) -> None:
    async with running(stage, size, tweet("hello", 3)) as (app, pilot, _):
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


@sizes
async def test_facts_of_a_run_and_what_it_tells(stage: Stage, size: tuple[int, int]) -> None:
    sampling = run_started().sampling
    object.__setattr__(sampling, "prime", WORST)  # past its own check
    started = run_started(
        run=WORST, corpus=WORST, device=WORST, precision=WORST, resumed_from=WORST, sampling=sampling, step_path=WORST
    )
    told = (
        e.CheckpointSaved(name=WORST, path=WORST, bits_per_char=None, **NOW),
        e.CheckpointLoaded(name=WORST, path=WORST, bits_per_char=None, **NOW),
        e.ThreadsChanged(num_threads=2, message=WORST, **NOW),
        e.Warned(message=WORST, kind="disk", **NOW),
    )
    async with running(stage, size, *told, started=started) as (app, pilot, session):
        await seen(app, "zqj")
        for text in TEXTS:
            session.play(e.Warned(message=text, **NOW))
        await pilot.pause()
        assert_harmless(app)
        session.play(e.CommandRefused(command="Pause", title=WORST, detail=WORST, hint=WORST, **NOW))
        await opened(app, MessageDialog)
        await seen(app, "zqj")
        await pilot.press("escape", "h", "question_mark")
        assert_harmless(app)
        await pilot.press("escape", "comma")
        assert_harmless(app)
        await pilot.press("escape")
        session.play(e.RunFinished(reason=WORST, total_seconds=1.0, total_chars=1, **NOW))
        await until(lambda: app.summary_view.ended, "the end")
        await seen(app, "zqj")


@sizes
async def test_why_a_run_failed(stage: Stage, size: tuple[int, int]) -> None:
    failed = e.RunFailed(title=WORST, detail=WORST, hint="[/foo] " + WORST, **NOW)
    async with running(stage, size, failed) as (app, _, _):
        await opened(app, FailureDialog)
        await seen(app, "zqj")


@small
async def test_what_is_done_before_a_run_begins(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession())
    app.bridge.stage = RunStage(WORST, share=0.5, report=(WORST, *TEXTS))  # type: ignore[misc] # as the session's thread sets it
    async with app.run_test(size=size):
        app.bridge.stage = RunStage(WORST, share=0.5, report=(WORST, *TEXTS))  # type: ignore[misc] # as above
        await seen(app, "zqj")


def hostile_entries() -> Iterator[CheckpointEntry]:
    """Yield checkpoints whose every word is hostile."""
    info = checkpoint_info(run=WORST, corpus_name=WORST, versions={WORST: WORST})
    for number, text in enumerate([WORST, *TEXTS[::4]]):
        damage: dict[str, Any] = {"info": None, "problem": text} if number % 3 == 2 else {}
        entry = CheckpointEntry(name=text, path=Path("/x") / "x", saved_at=1e9, num_bytes=1, info=info)
        yield replace(entry, **damage)


@small
async def test_checkpoints_that_claim_hostile_things(stage: Stage, size: tuple[int, int]) -> None:
    async with running(stage, size, tweet("hello", 3), entries=lambda: list(hostile_entries())) as (app, pilot, _):
        await pilot.press("l")
        await opened(app, CheckpointBrowser)
        await seen(app, "zqj")
        for _page in range(len(TEXTS) // 12):
            await pilot.press("down", "down", "down")
            assert_harmless(app)
        await pilot.press("home", "c", "down", "down", "c")
        for key in ("k", "d", "n"):
            await pilot.press(key)
            assert_harmless(app)


@small
async def test_two_checkpoints_side_by_side(stage: Stage, size: tuple[int, int]) -> None:
    left, right = list(hostile_entries())[:2]
    async with running(stage, size) as (app, _, _):
        app.push_screen(CompareDialog(left, replace(right, info=checkpoint_info(vocab=tuple(set(WORST))))))
        await opened(app, CompareDialog)
        await seen(app, "zqj")
        app.screen.query_one("VerticalScroll").scroll_end(animate=False)
        await until(lambda: "a tweet" in str([segment.text for segment in all_shown(app)]), "the last row")


def put_hostile_files(folder: Path, suffix: bytes = b"") -> int:
    """Put files with hostile names into a folder; return how many the disk has taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in hostile.FILE_NAMES:
        whole = name.removesuffix(b".txt") + suffix if suffix else name
        (folder / os.fsdecode(whole[:240])).write_bytes(b"text,[/red]\x1b[31m,\x9b\nzqj,b,c\n")
    return len(hostile.FILE_NAMES)


@small
async def test_checkpoints_with_hostile_names(stage: Stage, size: tuple[int, int]) -> None:
    put_hostile_files(home() / "checkpoints", b".safetensors")
    write_checkpoint(home() / "checkpoints" / "zqj\x1b[31m[red].safetensors")
    async with running(stage, size, tweet("hello", 3), entries=list_checkpoints) as (app, pilot, _):
        await pilot.press("l")
        await opened(app, CheckpointBrowser)
        await seen(app, "zqj")
        for _name in hostile.FILE_NAMES[::2]:
            await pilot.press("r")
            await opened(app, RenameDialog)
            assert_harmless(app)
            await pilot.press("enter")
            assert_harmless(app)
            if isinstance(app.screen, RenameDialog):
                await pilot.press("escape")
            await opened(app, CheckpointBrowser)
            await pilot.press("down", "down")


@small
async def test_files_with_hostile_names_to_choose_from(
    stage: Stage, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in\x1b[31m[red]\u202e"
    num_files = put_hostile_files(folder)
    monkeypatch.chdir(tmp_path)

    def check(config: RunConfig) -> Glance | None:
        assert config.corpus is not None
        raise CorpusError(f"{config.corpus.files[0]}: {WORST}", WORST)

    config = RunConfig(corpus=CorpusConfig(files=(str(folder / "none.csv"),)))
    monkeypatch.setattr(stage, "check", check)
    async with running(stage, size, tweet("hello", 3), config=config) as (app, pilot, _):
        await pilot.press("o")
        await opened(app, OpenDialog)
        await until(lambda: app.screen.query_one(FileList).option_count >= num_files, "the files")
        for _file in range(num_files):
            await pilot.press("down")
            assert_harmless(app)
            await pilot.press("enter")
            await until(lambda: app.screen._state == "choosing", "the answer")  # type: ignore[attr-defined]
            assert_harmless(app)


@small
async def test_an_export_named_after_a_hostile_run(stage: Stage, size: tuple[int, int]) -> None:
    async with running(stage, size, tweet(WORST, 3), started=run_started(run=WORST)) as (app, pilot, _):
        await until(lambda: app.summary_view.num_tweets == 1, "the tweet")
        await pilot.press("escape", "e")
        await opened(app, ExportDialog)
        await seen(app, "zqj")
        await pilot.press("enter")
        await pilot.pause()
        assert_harmless(app)


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
