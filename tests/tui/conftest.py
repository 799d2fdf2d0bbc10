"""The screen under test: a `TweetgenApp` over a scripted session, waiting for what it shows, and its text."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual import app as textual_app
from textual import pilot as textual_pilot
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual._wait import SLEEP_GRANULARITY
from textual.app import App
from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet
from textual.events import Key, Resize
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input

from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from engine.errors import TweetgenError
from engine.protocol.commands import Command, Stop
from engine.protocol.events import CommandRefused, Event
from tests.fakes import FakeSession, run_finished, steps_finished, tweet_sampled
from tui.app import typing_ahead
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.dialogs.checkpoints import ListCheckpoints
from tui.process.exit import Outcome
from tui.process.local import LocalRun, Session
from tui.process.threads import writers_have_ended
from tui.run.connection import RunConnection
from tui.run.view import RunView
from tui.settings.keys import key_named
from tui.settings.preferences import PreferencesStore
from tui.terminal import app as terminal_app
from tui.terminal.private import update_screen
from tui.widgets import panels

DEADLINE_SECONDS = 30.0
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
"""A short run with one tweet."""


class Starting(FakeSession):
    """Never gets to its first step."""

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> None:
        self.has_begun = True  # nothing comes before it is stopped
        while not isinstance(commands.get(), Stop):
            pass
        emit(run_finished(0))


class LateSession(FakeSession):
    """Answers commands, `Stop` too, only once `may_answer` is set."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.may_answer = threading.Event()

    def answer(self, command: Command) -> Event:
        assert self.may_answer.wait(DEADLINE_SECONDS)
        return super().answer(command)


class Answering(FakeSession):
    """Answers a kind of command with these events while there are some."""

    def __init__(self, kind: type[Command], *answers: Event, script: Iterable[Event] = SCRIPT) -> None:
        super().__init__(script)
        self._kind, self.answers = kind, list(answers)

    def answer(self, command: Command) -> Event:
        is_answered = isinstance(command, self._kind) and self.answers
        return self.answers.pop(0) if is_answered else super().answer(command)


def refused(command: str, why: str, step: int = 3, settings: tuple[str, ...] = ()) -> CommandRefused:
    words = {"title": "Not done", "detail": why, "hint": ""}
    return CommandRefused(step=step, elapsed_seconds=1.0, command=command, settings=settings, **words)


async def wait_until(
    condition: Callable[[], object], what: str = "the condition", seconds: float = DEADLINE_SECONDS
) -> None:
    """Let the app work until `condition` holds; fail after the deadline."""
    end = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        assert time.monotonic() < end, f"timed out: {what}"
        await asyncio.sleep(pause)
        pause = min(1.5 * pause, 0.05)  # looking at the screen takes a millisecond or more of the app's time


def drawn(app: App[Any], *, is_whole: bool = True) -> list[Strip]:
    """Return what the terminal would show, with what a dialog does not cover unless only the dialog is wanted."""
    token = visible_screen_stack.set(app._background_screens if is_whole else [])
    try:
        return app.screen._compositor.render_strips()
    finally:
        visible_screen_stack.reset(token)


def screen_text(app: App[Any]) -> str:
    """Return what the terminal would show, as plain text."""
    return "\n".join(strip.text for strip in drawn(app))


def text_of(app: App[Any], selector: str = "#box") -> str:
    """Return the part of the terminal's text where a widget is, by default the dialog, without blanks at line ends."""
    return cropped(drawn(app, is_whole=False), app.screen.query_one(selector).region)


def cropped(lines: list[Strip], region: Region) -> str:
    """Return a part of what the terminal would show, without blanks at line ends."""
    return "\n".join(strip.crop(region.x, region.right).text.rstrip() for strip in lines[region.y : region.bottom])


async def shows(app: App[Any], *words: str) -> None:
    """Wait until the terminal shows all of `words`: a screen that was just opened is not laid out at once."""
    await wait_until(lambda: has_all(screen_text(app), words), f"{words}")


def has_all(text: str, words: Iterable[str]) -> bool:
    return all(word in text for word in words)


async def opened(app: App[Any], kind: type[Screen[Any]] | str) -> None:
    """Wait until a screen of this class, or of a class with this name, is on top, composed and laid out."""
    name = kind if isinstance(kind, str) else kind.__name__
    await wait_until(
        lambda: name in {each.__name__ for each in type(app.screen).__mro__} and screen_text(app).strip(), name
    )


async def idle() -> None:
    """Wait until nothing is ready to run on this loop, and only timers and threads could make it so."""
    while True:
        await asyncio.sleep(0)
        if not getattr(asyncio.get_running_loop(), "_ready", ()):
            return


CHARACTERS = {key_named(chr(code)): chr(code) for code in range(0x20, 0x7F)}


class Running(NamedTuple):
    """A run on the screen."""

    app: TweetgenApp
    pilot: Pilot[Outcome]
    session: FakeSession

    async def press(
        self,
        *keys: str,
        opens: type[Screen[Any]] | str | None = None,
        shows: str | tuple[str, ...] = (),
        lacks: str = "",
        sends: Command | None = None,
    ) -> None:
        """Press keys one by one, each after all that the one before has caused.

        Then wait for a screen on top, for words on the terminal, for no such words, and for the last command.
        """
        for key in keys:
            name = key_named(key)
            self.app.post_message(Key(name, CHARACTERS.get(name, key if len(key) == 1 else None)))
            await self.settle()
        if opens is not None:
            await opened(self.app, opens)
        if words := (shows,) if isinstance(shows, str) else shows:
            await wait_until(lambda: has_all(self.text, words), f"{words}")
        if lacks:
            await wait_until(lambda: lacks not in self.text, f"no {lacks}")
        if sends is not None:
            await wait_until(lambda: self.session.received[-1:] == [sends], f"{sends}")

    async def type_into(self, text: str, *keys: str, **then: Any) -> None:
        """Replace the text of the dialog's line, then press keys as `press` does."""
        self.app.screen.query_one(Input).value = text
        await self.settle()
        await self.press(*keys, **then)

    async def emit(self, *events: Event) -> None:
        """Have the session emit events, and wait until they are on the screen."""
        for event in events:
            self.session.emit(event)
        await self.settle()

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.settle()

    async def settle(self) -> None:
        """Wait until keys, commands, events and work on threads have had all their effects on the screen."""
        num_quiet = 0
        while num_quiet < 2 and self.app.is_running:
            await idle()
            await wait_until(self._is_answered, "the end of commands, of work on threads and of typing ahead")
            screens = self.app.screen_stack
            for screen in screens:
                if isinstance(screen, MainScreen) and screen.is_mounted:
                    screen.tick()
            await idle()
            for screen in screens:
                update_screen(screen)
            await idle()
            top = self.app.screen
            pending = (
                top._layout_required,
                top._scroll_required,
                top._repaint_required,
                top._dirty_widgets,
                top._callbacks,
            )
            is_laid_out = not any(pending)
            is_quiet = is_laid_out and self._is_answered() and not getattr(self.app.connection, "_events", ())
            num_quiet = num_quiet + 1 if is_quiet else 0

    def _is_answered(self) -> bool:
        """Return whether nothing is under way that could change the screen."""
        bridge = self.app.connection
        session = getattr(bridge, "_session", None)
        is_opening = isinstance(bridge, LocalRun) and session is None
        has_answered = not is_opening and (
            not isinstance(session, FakeSession)
            or (session.has_begun and session.num_handled == getattr(bridge, "num_sent", 0))
        )
        return (
            (has_answered or not bridge.is_alive)
            and all(worker.is_finished for worker in self.app.workers)
            and self.app.typing_ahead._timer is None
            and not self.app.animator._animations
            and writers_have_ended(0.0)
        ) or not self.app.is_running

    @property
    def text(self) -> str:
        """What the terminal would show, and after that the text of the dialog on top without line breaks."""
        lines = drawn(self.app)
        dialogs = [cropped(lines, box.region).replace("│", " ") for box in self.app.screen.query("#box")]
        return "\n".join([*(strip.text for strip in lines), " ".join(" ".join(dialogs).split())])


@dataclass
class Stage:
    """Makes apps over sessions, and ends their threads."""

    apps: list[TweetgenApp] = field(default_factory=list)
    runs: list[LocalRun] = field(default_factory=list)
    """Those of the apps, each begun after the one before it."""
    checked: list[RunConfig] = field(default_factory=list)
    """The configs that an app has checked before a new run."""
    errors: dict[str, TweetgenError] = field(default_factory=dict)
    """The error that the check raises for a file of that name."""
    previews: dict[str, CorpusPreview] = field(default_factory=dict)
    """The preview that the check returns for a file of that name."""

    def app(
        self,
        session: Session,
        history: RunView | None = None,
        entries: ListCheckpoints = list,
        further: Iterable[Session] = (),
        config: RunConfig | None = None,
        store: PreferencesStore | None = None,
    ) -> TweetgenApp:
        """Return an app whose bridge opens `session`, and for each new run one of the `further`."""
        sessions = iter((session, *further))
        config = config or RunConfig()

        def open_run(config: RunConfig, before: RunConnection | None) -> LocalRun:
            self.runs.append(LocalRun(config, lambda _config, _on_stage: next(sessions), before))
            return self.runs[-1]

        first = open_run(config, None)
        self.apps.append(TweetgenApp(first, history, entries, self.check, store=store, open_run=open_run))
        self.apps[-1].animation_level = "none"
        return self.apps[-1]

    @asynccontextmanager
    async def running(
        self,
        session: FakeSession | None = None,
        size: tuple[int, int] = (80, 24),
        *,
        draws_toasts: bool = False,
        **options: Any,
    ) -> AsyncIterator[Running]:
        """Run an app until the first tweet of its session is on the screen; `options` are those of `app`."""
        session = session or FakeSession(SCRIPT)
        app = self.app(session, **options)
        async with app.run_test(size=size, notifications=draws_toasts) as pilot:
            await wait_until(lambda: app.summary_view.num_tweets, "the first tweet")
            await opened(app, MainScreen)
            running = Running(app, pilot, session)
            await running.settle()
            yield running

    def check(self, config: RunConfig) -> CorpusPreview | None:
        """Raise the error, or return the preview, that was set for the file of a run."""
        assert config.corpus is not None
        self.checked.append(config)
        name = Path(config.corpus.files[0]).name
        error = self.errors.get(name)
        if error is not None:
            raise error
        return self.previews.get(name)


@pytest.fixture(autouse=True)
def _a_modern_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a terminal with all colours and glyphs, whatever the tests are started in."""
    ssh = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "LC_ALL", "LC_CTYPE", "TMUX", "STY", *ssh):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _no_pause_after_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop no key that is pressed after a refusal: tests press faster than people."""
    monkeypatch.setattr(typing_ahead, "DROP_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _timers_rest_while_an_app_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close an app at the end of `run_test` as one that has exited: else its timers may tick without a screen."""
    shutdown = App._shutdown

    async def close(app: App[Any]) -> None:
        app._exit = True
        await shutdown(app)

    monkeypatch.setattr(App, "_shutdown", close)


@pytest.fixture(autouse=True)
def _every_size_is_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out each size at once, not after a timer of Textual's (8.2): tests resize faster than people."""
    on_resize = App._on_resize

    async def lay_out(app: App[Any], event: Resize) -> None:
        await on_resize(app, event)
        app._check_resize()

    monkeypatch.setattr(App, "_on_resize", lay_out)
    monkeypatch.setattr(terminal_app, "RESIZE_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _toasts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no toast vanish before a slow test looks at it."""
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", 1000.0)


@pytest.fixture(autouse=True)
def _panels_draw_at_each_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw plot and feed as soon as there is something new: tests wait for what they show."""
    monkeypatch.setitem(panels.SECONDS, "plot", 0.0)
    monkeypatch.setitem(panels.SECONDS, "feed", 0.0)


@pytest.fixture(scope="session", autouse=True)
def _styles_are_parsed_once() -> Iterator[None]:
    """Share parsed styles among apps with the same theme: parsing them takes a third of an app's start."""
    parsed: dict[tuple[tuple[str, str], ...], LRUCache[Any, Any]] = {}
    init, set_variables = Stylesheet.__init__, Stylesheet.set_variables

    def share(styles: Stylesheet, variables: dict[str, str]) -> None:
        styles._parse_cache = parsed.setdefault(tuple(sorted(variables.items())), LRUCache(1024))

    def init_shared(styles: Stylesheet, *, variables: dict[str, str] | None = None) -> None:
        init(styles, variables=variables)
        share(styles, variables or {})

    def set_shared(styles: Stylesheet, variables: dict[str, str]) -> None:
        styles._parse_cache = LRUCache(1)  # `set_variables` clears it
        set_variables(styles, variables)
        share(styles, variables)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Stylesheet, "__init__", init_shared)
        monkeypatch.setattr(Stylesheet, "set_variables", set_shared)
        yield


@pytest.fixture(scope="session", autouse=True)
def _a_pilot_pauses_once() -> Iterator[None]:
    """Let a pilot pause for 20 ms and until the loop is idle.

    Textual (8.2) repeats the pause for up to a second while the process computes, which our ticks and threads do.
    """

    async def pause_once(*_: float) -> None:
        await asyncio.sleep(SLEEP_GRANULARITY)
        await idle()

    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (textual_app, textual_pilot):
            monkeypatch.setattr(module, "wait_for_idle", pause_once)
        yield


@pytest.fixture(autouse=True)
def _nothing_is_drawn_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute no updates of the terminal, which an app without one drops; `screen_text` draws the screen."""
    render_update = Compositor.render_update

    def only_pictures(compositor: Compositor, full: bool = False, **options: Any) -> Any:
        return render_update(compositor, full=True, **options) if full else None

    monkeypatch.setattr(Compositor, "render_update", only_pictures)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return a stage; every thread started on it ends with the test."""
    send = LocalRun.send

    def counted(bridge: LocalRun, command: Command) -> None:
        setattr(bridge, "num_sent", getattr(bridge, "num_sent", 0) + 1)  # noqa: B010 - it has no such attribute
        send(bridge, command)

    monkeypatch.setattr(LocalRun, "send", counted)
    stage = Stage()
    yield stage
    for bridge in (*stage.runs, *(app.connection for app in stage.apps)):
        bridge.stop("end of the test")
        assert bridge.wait(DEADLINE_SECONDS)


def trained_by(app: TweetgenApp) -> LocalRun:
    """Return the bridge of an app to a session in this process."""
    assert isinstance(app.connection, LocalRun)
    return app.connection


def toasts(app: App[Any]) -> list[str]:
    return [notification.message for notification in app._notifications]


async def toasted(app: App[Any], *messages: str) -> None:
    """Wait until the latest toasts begin with these words: a message becomes a toast a turn of the loop later."""

    def are_latest() -> bool:
        latest = toasts(app)[-len(messages) :]
        return len(latest) == len(messages) and all(map(str.startswith, latest, messages))

    await wait_until(are_latest, f"{messages}")
