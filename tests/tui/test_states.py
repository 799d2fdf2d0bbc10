"""Pictures of the whole screen, text and colours, in the states that a user can bring it into.

`plays/states.txt` has the keys that lead to each state, by run. Only the first part of this file knows the program: it
opens a run in an app. A picture that has changed on purpose is recorded anew with `--snapshot-update`.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from textual.app import App
from textual.geometry import Size
from textual.strip import Strip
from textual.widgets import Input

from engine.checkpoints.catalog import CheckpointEntry
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, TrainingConfig
from engine.corpus.report import CorpusPreview, SourceReport
from engine.protocol import events as e
from engine.protocol.progress import Stage as SetupStage
from tests import fakes
from tests.fakes import FakeSession, eval_finished, run_started, settings_changed, steps_finished, tweet_sampled
from tests.tui import transcripts
from tests.tui.conftest import Running, Stage, Starting, drawn, wait_until
from tests.tui.dialogs.test_checkpoints import NOW, entry
from tests.tui.lesson import conftest as lesson_conftest
from tests.tui.lesson.conftest import LessonSession, Open
from tests.tui.transcripts import plays, set_up
from tests.tui.widgets.status.test_machine import COST, READING
from tui.app.app import TweetgenApp
from tui.dialogs import checkpoint_list, checkpoints
from tui.process.local import LocalRun
from tui.run.connection import RunConnection
from tui.run.view import RunView
from tui.widgets.status.machine import UsageCounters
from tui.widgets.status.machine_reader import MachineReader
from tui.widgets.status.stage_hint import StageHint

# The program under test: what a redesign has to change here ----------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A run, and how the screen is connected to it."""

    session: FakeSession
    size: tuple[int, int] = (80, 24)
    history: RunView | None = None
    entries: tuple[CheckpointEntry, ...] = ()
    """The checkpoints that are listed."""
    further: tuple[FakeSession, ...] = ()
    """The sessions of the runs after it."""
    corpus: Path | None = None
    """A file of its tweets."""
    stage: SetupStage | None = None
    """What the run does before its start."""
    badge: str = ""
    """How a screen is attached; empty for the one of the process that trains."""
    refusal: str = ""
    """Why it may not steer."""
    problem: str = ""
    """Why no terminal can attach."""
    draws_toasts: bool = False


class Attached(LocalRun):
    """The bridge of an attached screen, but for the socket."""

    is_remote = True
    num_screens = 2
    badge = ""
    interruption = ""


@asynccontextmanager
async def opened(stage: Stage, scene: Scene) -> AsyncIterator[Running]:
    """Show a run in an app, up to the end of its script."""
    sessions = iter((scene.session, *scene.further))

    def open_session(_config: RunConfig, on_stage: Callable[[SetupStage], None]) -> FakeSession:
        if scene.stage is not None:
            on_stage(scene.stage)
        return next(sessions)

    host: Any = SimpleNamespace(num_clients=0, problem=scene.problem, handle=lambda _: None, close=lambda: None)
    config = RunConfig(corpus=CorpusConfig(files=(str(scene.corpus),)) if scene.corpus else None)

    def open_run(config: RunConfig, before: RunConnection | None) -> LocalRun:
        return (Attached if scene.badge else LocalRun)(config, open_session, before)

    bridge = open_run(config, None)
    bridge.host = host if scene.problem else None
    if isinstance(bridge, Attached):
        bridge.badge, bridge.refusal = scene.badge, scene.refusal
    app = TweetgenApp(bridge, scene.history, lambda: scene.entries, stage.check, open_run=open_run)
    stage.apps.append(app)
    async with app.run_test(size=scene.size, notifications=scene.draws_toasts) as pilot:
        await wait_until(lambda: len(app.screen_stack) > 1, "the main screen")
        at = Running(app, pilot, scene.session)
        await at.settle()
        yield at


@pytest.fixture(autouse=True)
def _nothing_is_measured_or_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the readings of the machine, the time of the list of checkpoints, seeds, and what blinks."""
    monkeypatch.setattr(MachineReader, "read", lambda _: READING)
    monkeypatch.setattr(UsageCounters, "cost_since", lambda *_: COST)
    monkeypatch.setattr(checkpoint_list, "time", SimpleNamespace(time=lambda: NOW, monotonic=time.monotonic))
    monkeypatch.setattr(checkpoints, "_BATCH_SECONDS", math.inf)
    show = StageHint.show
    monkeypatch.setattr(StageHint, "show", lambda hint, setup_stage, _tick: show(hint, setup_stage, 0))
    monkeypatch.setattr(secrets, "randbelow", lambda below: 123_456 % below)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)


@pytest.fixture(autouse=True)
def _files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of files to choose from, in a home whose path is shown as `~`."""
    monkeypatch.setenv("HOME", str(home))
    (home / "in" / "archive").mkdir(parents=True)
    for name in ("first.csv", "second.csv", "third tweets.txt"):
        (home / "in" / name).write_bytes(b"1234")
    monkeypatch.chdir(home / "in")


def glyphs(name: str) -> transcripts.Step:
    def choose(at: Running) -> None:
        at.app.glyphs = name  # type: ignore[assignment] # one of them

    return choose


def theme(name: str) -> transcripts.Step:
    def choose(at: Running) -> None:
        at.app.theme = name

    return choose


def interruption(at: Running) -> None:
    assert isinstance(at.app.connection, Attached)
    at.app.connection.interruption = "The processes start again."


# Pictures -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """The step that takes a picture."""

    name: str


def picture(name: str) -> Picture:
    return Picture(name)


async def picture_of(at: Running) -> str:
    """Return the lines of the screen, and then, line by line, the colours as `theme_colours` names them.

    A run of cells with the same colours is its length and "colour/background"; a blank has the colour of what is
    before it.
    """
    for screen in at.app.screen_stack:
        for widget in screen._compositor.full_map:
            widget.refresh()  # Textual (8.2) draws parts of scroll bars late
    await at.settle()
    lines = drawn(at.app)
    return picture_text(lines, theme_colours(at.app), at.app.size)


def theme_colours(app: App[Any]) -> dict[str, str]:
    """Return the names of the theme's colours."""
    chosen = app.current_theme
    variables = chosen.variables
    named = {
        "paper": chosen.background,
        "surface": chosen.surface,
        "panel": chosen.panel,
        "ink": chosen.foreground,
        "muted": variables.get("text-muted"),
        "line": variables.get("border-blurred"),
        **{name: getattr(chosen, name) for name in ("primary", "secondary", "accent", "success", "warning", "error")},
        **{name: variables.get(name) for name in ("negative", "positive")},
    }
    names: dict[str, str] = {}
    for name, colour in named.items():
        if colour is not None:
            names.setdefault(colour.lower(), name)
    return names


def picture_text(lines: list[Strip], names: dict[str, str], size: Size) -> str:
    """Return the picture of these lines."""
    rows = [list(_runs(line, names)) for line in lines]
    shown = [", ".join(f"{length} {look}" for length, look in row) for row in rows]
    colours = []
    first = 1
    for look, same in groupby(shown):
        last = first + len(list(same)) - 1
        colours.append(f"{first if first == last else f'{first}-{last}'}: {look}")
        first = last + 1
    used = {word for row in rows for _, look in row for word in look.replace("/", " ").split()}
    legend = ", ".join(f"{name} {colour}" for colour, name in names.items() if name in used)
    texts = [line.text.rstrip() for line in lines]
    return "\n".join([f"{size.width}x{size.height}", *texts, "-" * 20, *colours, legend])


def _runs(line: Strip, names: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the runs of a line: number of cells and look."""
    length, look = 0, ""
    for segment in line:
        here = _look(segment, names, look)
        if here != look and length:
            yield length, look
            length = 0
        look = here
        length += cell_len(segment.text)
    yield length, look


def _look(segment: Segment, names: dict[str, str], before: str) -> str:
    """Return what can be seen of the style of a segment: colours and attributes."""
    style = segment.style or Style.null()
    attributes = [name for name in ("bold", "dim", "italic", *_SEEN_ON_BLANKS) if getattr(style, name)]
    foreground, background = _name(style.color, names), _name(style.bgcolor, names)
    if segment.text.isspace() and not _SEEN_ON_BLANKS & {*attributes}:
        colours, *others = before.split(" ")
        is_continued = colours.endswith(f"/{background}") and not _SEEN_ON_BLANKS & {*others}
        return before if is_continued else f"-/{background}"
    return " ".join([f"{foreground}/{background}", *attributes])


_SEEN_ON_BLANKS = dict.fromkeys(("reverse", "underline", "strike")).keys()


def _name(colour: Color | None, names: dict[str, str]) -> str:
    """Return the name of a colour in the theme, or else its code."""
    if colour is None or colour.is_default:
        return "default"
    code = colour.name if colour.triplet is None else colour.triplet.hex
    return names.get(code, code)


# Runs -----------------------------------------------------------------------------------------------------------------

NUM_STEPS = 640


def losses(first: int, last: int) -> list[float]:
    """Return losses that fall with noise."""
    return [
        round(1.6 + 2.9 * math.exp(-step / 110) + 0.12 * math.sin(1.7 * step) * math.sin(0.37 * step), 4)
        for step in range(first, last + 1)
    ]


def at_step(step: int) -> dict[str, Any]:
    return {"step": step, "elapsed_seconds": step * 0.05}


HOSTILE = "[bold]markup[/] [@click=app.bell]x[/] \x1b[31mred\x1b[0m \u202etxt.exe \u200b\x07 end"
TEXTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("thn e  oaeit rsn", {"bits_per_char": 4.6}),
    ("the s an the co and the", {"bits_per_char": 3.9, "reached_eos": False}),
    ("good morning everyone", {"novelty": "copy", "copied_share": 1.0}),
    (HOSTILE, {"bits_per_char": 3.6}),
    ("happy birthday to my best friend 🎂🎉 👩‍👩‍👧 love you ❤️", {}),
    ("今日はとても良い天気ですね、散歩に行きましょう 😊", {"bits_per_char": 3.1}),
    ("check this out https://example.com/a/very/long/path?with=query&and=more #happy @anna_lee", {}),
    ("so happy to see you all again tonight, it was a great day and the sun is shining over the whole town :)", {}),
    ("مرحبا بالعالم и привет, мир", {"novelty": "near-copy", "copied_share": 0.8}),
    ("i love the morning", {"num_drafts": 3, "refused": (("copy", 1), ("too short", 1)), "temperature": 0.9}),
    ("sunshine and coffee, what else", {"num_drafts": 4, "refused": (("near-copy", 2),), "temperature": 0.9}),
    ("rain", {"num_drafts": 50, "refused": (("too short", 49),), "unmet": ("too short",), "temperature": 0.9}),
)
FILTER = {"only_new": True, "min_length": 10}


def bits_of(text: str) -> tuple[float, ...]:
    return tuple(float(7 * number % 9) for number in range(len(text)))


def tweet_number(number: int) -> e.TweetSampled:
    text, facts = TEXTS[number % len(TEXTS)]
    bits = bits_of(text + "." * facts.get("reached_eos", True))
    return tweet_sampled(text, 50 * (number + 1), char_bits=bits, **facts)


def rich_run() -> Iterator[e.Event]:
    """Yield the events of a run with all that a curve and a feed can have."""
    yield fakes.baselines_measured()
    for number in range(12):
        first = 50 * number + 1
        yield steps_finished(first, losses(first, first + 49), learning_rates=(0.004,) * 50)
        step = first + 49
        match number:
            case 2:
                yield fakes.checkpoint_saved(step, "calm", elapsed_seconds=step * 0.05, bits_per_char=3.4)
            case 4:
                yield settings_changed(step, learning_rate=0.002)
            case 5:
                yield e.Warned(message="3 tweets could not be read.", **at_step(step))
            case 6:
                yield settings_changed(step, temperature=0.9)
            case 7:
                yield settings_changed(step, batch_size=64)
            case 8:
                yield settings_changed(step, **FILTER)
            case 9:
                yield fakes.checkpoint_saved(step, "best", elapsed_seconds=step * 0.05, bits_per_char=2.6)
        yield tweet_number(number)
        if number % 2:
            bits = (4.4, 3.5, 3.0, 2.6, 2.45, 2.5)[number // 2]
            yield eval_finished(step, bits, is_best=number < 11)
    yield STEP_TIMES
    yield steps_finished(601, losses(601, NUM_STEPS))
    yield fakes.checkpoint_saved(NUM_STEPS, elapsed_seconds=NUM_STEPS * 0.05, bits_per_char=2.45)


PARTS = ("data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving")
PART_SECONDS: dict[str, Any] = dict(
    zip((f"{part}_seconds" for part in PARTS), (0.02, 0.6, 1.0, 0.1, 0.04, 0.2, 0.0), strict=True)
)
STEP_TIMES = e.StepTimes(num_steps=100, seconds=2.0, **PART_SECONDS, **at_step(600))
BUDGET = TrainingConfig(max_steps=2000)
LONG_STARTED = run_started(
    training=BUDGET, num_rows=21_000, dropped=(("too short", 600), ("duplicate", 400)), run="sunny-days"
)
SHORT = (
    steps_finished(1, losses(1, 200)),
    eval_finished(100, 3.4),
    eval_finished(200, 2.9),
    tweet_number(2),
    tweet_number(3),
    tweet_sampled("hello there, good morning", 200, char_bits=bits_of("hello there, good morning.")),
)


def rich() -> FakeSession:
    return FakeSession(rich_run(), LONG_STARTED)


def short(*more: e.Event, **started: Any) -> FakeSession:
    return FakeSession((*SHORT, *more), run_started(**{"run": "sunny-days", "training": BUDGET, **started}))


def unsaved() -> FakeSession:
    """Return a run that can't save."""
    session = short()
    session.stop_refusal = "The disk is full."
    return session


READ_FILES = SetupStage(
    "reading the tweets",
    share=0.4,
    detail="happy.csv",
    report=("happy.csv, CSV: 20,000 of 21,000 rows", "  column text; UTF-8", "1,000 rows dropped: 600 too short"),
)
TORCH = SetupStage("loading torch")
AT_200 = at_step(200)
PAUSED, RESUMED = e.Paused(**AT_200), e.Resumed(**AT_200)
FINISHED = fakes.run_finished(200, "max_steps reached", elapsed_seconds=10.0, total_seconds=12.0, total_chars=99_000)
USED_UP = e.Warned(message="The run is finished: --max-steps is reached.", kind="finished", **AT_200)
SAVED = fakes.checkpoint_saved(200, elapsed_seconds=10.0, bits_per_char=2.9)
AT_ITS_END = short(SAVED, PAUSED, USED_UP, training=TrainingConfig(max_steps=200))
FAILED = fakes.run_failed(200, "The disk is full", detail="No space left on device: /data.", hint="Free some space.")
OUT_OF_MEMORY = fakes.run_failed(200, "The device is out of memory", detail="Tried to allocate 2 GiB.")
FULL_DISK = e.Warned(message="No space left on device.", kind="disk", **AT_200)
NOT_FINITE = tuple(e.Warned(message="not finite", kind="not-finite", **at_step(step)) for step in (198, 199, 200))
GOOD = (steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600))
DIVERGED = tuple(steps_finished(first, [4.2] * 150) for first in (601, 751, 901, 1051))
RISING = tuple(
    event
    for number, bits in enumerate((2.6, 2.7, 2.75, 2.8, 2.9), start=3)
    for event in (
        steps_finished(100 * (number - 1) + 1, [2.0 - 0.1 * number] * 100),
        eval_finished(100 * number, bits, is_best=number == 3),
    )
)
BY_HEART = (
    steps_finished(1, [round(3.4 * 0.95**step + 0.002, 5) for step in range(200)]),
    tweet_sampled("by heart", 200),
)
OUTCOME = e.Warned(
    message="Loss 0.032 bits/char: the model knows this tweet by heart; it knows nothing else.",
    kind="outcome",
    **AT_200,
)


def saved_entries() -> tuple[CheckpointEntry, ...]:
    """Return checkpoints of this and another run, one of them damaged."""
    corpus = CorpusConfig(files=("/data/small.txt",))
    rows: tuple[tuple[str, int, float | None, float], ...] = (
        ("calm", 150, 3.4, 5.2),
        ("an old favourite", 9000, 2.1, 480),
        ("sunny-days/best", 500, 2.6, 1),
        ("sunny-days/latest", 640, 2.45, 0.1),
        ("rainy-days/latest", 9100, None, 479),
    )
    return (
        *(
            entry(
                name,
                step=step,
                run="rainy-days" if step > 640 else "sunny-days",
                bits_per_char=bits,
                hours=hours,
                corpus=corpus,
            )
            for name, step, bits, hours in rows
        ),
        entry("broken", problem="broken is cut short: [b]12[/b].", hours=30),
    )


SCENES: dict[str, Callable[[], Scene]] = {
    "training": lambda: Scene(rich(), (120, 40)),
    "plot": lambda: Scene(rich(), (120, 40)),
    "feed": lambda: Scene(rich()),
    "glyphs": lambda: Scene(rich(), (100, 30)),
    "without colours": lambda: Scene(rich(), (100, 30)),
    "checkpoints": lambda: Scene(
        rich(),
        (100, 30),
        entries=saved_entries(),
        further=(FakeSession((steps_finished(151, losses(151, 260)),), run_started(run="branch", step=150)),),
    ),
    "budget": lambda: Scene(AT_ITS_END, (120, 40)),
    "finished": lambda: Scene(short(FINISHED)),
    "failed": lambda: Scene(short(FAILED)),
    "out of memory": lambda: Scene(short(OUT_OF_MEMORY)),
    "diverging": lambda: Scene(FakeSession(GOOD)),
    "validation": lambda: Scene(short(*RISING)),
    "starting": lambda: Scene(Starting(), stage=TORCH),
    "reading": lambda: Scene(Starting(), stage=READ_FILES),
    "attached": lambda: Scene(short(), badge="attached, 2 screens"),
    "read-only": lambda: Scene(short(), badge="read-only", refusal="This screen is read-only."),
    "replay": lambda: Scene(short(), history=RunView(is_replay=True)),
    "one tweet": lambda: Scene(FakeSession(BY_HEART, run_started(num_train_tweets=1, num_val_tweets=1))),
    "ranks": lambda: Scene(
        FakeSession(
            (*SHORT, STEP_TIMES, fakes.ranks_measured((0.01, 0.02, 0.03, 0.3))),
            run_started(world_size=4, backend="gloo", training=BUDGET),
        ),
        (120, 40),
    ),
    "detach": lambda: Scene(short(), problem="The folder of sockets is read-only."),
    "toasts": lambda: Scene(short(), draws_toasts=True),
    "open": lambda: Scene(short(), corpus=Path("first.csv").absolute()),
    "unsaved": lambda: Scene(unsaved()),
}
SOURCE = SourceReport(
    name="second.csv",
    format="CSV",
    notes=("column text",),
    num_rows=2000,
    num_kept=1900,
    dropped={"too short": 100},
    examples={"too short": "hi"},
)
PREVIEW = CorpusPreview(sources=(SOURCE,), first_tweet="good morning [b]world[/b] 😊", is_whole=False)


def usual() -> Scene:
    return Scene(short())


PLAYS: dict[str, tuple[Any, ...]] = {**plays("states", globals())}


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_screen_is_as_recorded(
    stage: Stage, claim: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    if claim == "without colours":
        monkeypatch.setenv("NO_COLOR", "1")
    stage.previews["second.csv"] = PREVIEW
    pictures: dict[str, str] = {}
    async with opened(stage, set_up(SCENES, claim, usual)()) as at:
        for step in PLAYS[claim]:
            if isinstance(step, Picture):
                assert step.name not in pictures
                pictures[step.name] = await picture_of(at)
            else:
                await transcripts.take(at, step)
    for name, shown in pictures.items():
        assert shown == snapshot(name=name)


# The lesson -----------------------------------------------------------------------------------------------------------

visit = lesson_conftest.visit


async def test_the_lesson_is_as_recorded(visit: Open, snapshot: SnapshotAssertion) -> None:
    async with visit(LessonSession(), size=(100, 30)) as at:
        await at.press(*"hi", shows=("hi", "3 inputs"))
        assert await picture_of(at) == snapshot(name="the first stop")
        await at.press("escape", "2", shows=("The model", "(B, T, V)"))
        assert await picture_of(at) == snapshot(name="the second stop")
        await at.resize(60, 20)
        assert await picture_of(at) == snapshot(name="the second stop at 60x20")
        await at.resize(100, 30)
        at.session.emit(steps_finished(1, losses(1, 300)))
        at.session.emit(eval_finished(300, 2.8))
        await at.press("escape", "7", shows=("Step 300. It has passed the bigram", "▸ validation"))  # the last answers
        assert await picture_of(at) == snapshot(name="the stop on training")
        await at.press("?", opens="LessonHelp")
        assert await picture_of(at) == snapshot(name="help")
