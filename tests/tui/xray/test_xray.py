"""The X-ray: its panel with what it asks and shows and its keys, and the screen over a run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult
from textual.events import Key
from textual.pilot import Pilot

from engine.config.run import RunConfig
from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.storage.folders import create_run_folder
from engine.text import is_harmless
from tests import hostile
from tests.fakes import FakeClock, FakeSession, run_finished, steps_finished, text_traced, tweet_sampled, units_scored
from tests.tui.conftest import (
    CHARACTERS,
    DEADLINE_SECONDS,
    Answering,
    Running,
    Stage,
    idle,
    opened,
    refused,
    screen_text,
    shows,
    toasts,
    wait_until,
)
from tests.tui.transcripts import new_lines
from tui.app.main_screen import MainScreen
from tui.dialogs.tweets import TweetDialog
from tui.screens.xray import XrayScreen
from tui.settings.keys import key_named
from tui.terminal.app import TerminalApp
from tui.text.cells import plain
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import MAX_WAITING_BYTES
from tui.widgets.xray.panel import XrayPanel
from tui.widgets.xray.questions import AGAIN_SECONDS, Questions
from tui.xray.state import ViewName
from tui.xray.views import VIEWS

SMALL, LARGE = (50, 12), (80, 23)
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCRIPT: tuple[e.Event, ...] = (STEPS, tweet_sampled("an older one", 2), tweet_sampled("hello there", 3))


class Model(FakeSession):
    """Its maps are mirrored after step 0. A deep one has two layers, and lacks every character of the text."""

    is_deep = False

    def answer(self, command: c.Command) -> e.Event:
        event = super().answer(command)
        if isinstance(event, insight.EmbeddingsMapped) and event.weights_step:
            points = tuple(structs.replace(point, x=-point.x, y=-point.y) for point in event.points)
            return structs.replace(event, points=points)
        if isinstance(event, insight.TextTraced) and self.is_deep:
            chars = tuple(structs.replace(read, bits=read.bits + UNKNOWN_CHAR_BITS) for read in event.chars[:-1])
            ids = (1, *(UNK,) * len(chars))
            return structs.replace(event, num_layers=2, token_ids=ids, chars=(*chars, event.chars[-1]))
        return event


class PanelApp(TerminalApp[None]):
    """Shows a panel, and has a model answer what it asks."""

    num_waiting_bytes = 0

    def __init__(self, text: str = "eat hay", view: ViewName = "step") -> None:
        super().__init__()
        self.clock, self.model = FakeClock(), Model()
        self.panel = XrayPanel(text, view, self.clock)
        self._asked: list[insight.Insight] = []
        """What is not answered yet."""
        self._seeds: dict[int, int] = {}

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_xray_panel_asked(self, message: XrayPanel.Asked) -> None:
        self._asked.append(message.command)

    async def answer(self) -> list[str]:
        """Answer all commands until no more come.

        Return them without the number that they have in common, seeds numbered in turn.
        """
        described = []
        while self._asked:
            command = self._asked.pop(0)
            fields = structs.asdict(command)
            del fields["request"]
            if fields.get("seed"):
                fields["seed"] = f"number {self._seeds.setdefault(fields['seed'], len(self._seeds) + 1)}"
            named = ", ".join(f"{name} {value}" for name, value in fields.items())
            described.append(f"asks {type(command).__name__}: {named}")
            event = self.model.answer(command)
            assert isinstance(event, insight.InsightEvent)
            self.panel.show(event)
            await idle()
        return described

    async def take(self, step: str, pilot: Pilot[None]) -> None:
        """Press keys, click, open a text, scroll by lines, change the size, or tick: step, seconds, waiting bytes."""
        match step.split():
            case ["click", x, y]:
                await pilot.click(self.panel, offset=(int(x), int(y)))
            case ["text", *words]:
                self.panel.open(" ".join(words))
            case ["lines", number]:
                self.panel.action_move_line(int(number))
            case ["size", width, height]:
                await pilot.resize_terminal(int(width), int(height))
                await wait_until(lambda: self.panel.size == (int(width), int(height)), "the size")
            case ["tick", number, seconds, waiting]:
                self.clock.advance(float(seconds))
                self.num_waiting_bytes, self.model._step = int(waiting), int(number)
                self.panel.tick(self.model._step)
            case keys:
                for name in map(key_named, keys):
                    self.post_message(Key(name, CHARACTERS.get(name)))
                    await idle()
        await idle()


PANELS: dict[str, tuple[ViewName, tuple[int, int], str]] = {
    "one trace answers every place": ("step", SMALL, "enter right|end right|home left"),
    "g feeds own draws from the cursor on, n others": ("step", SMALL, "right right 2 g|n|g"),
    "v shows one gate after the other; there is one layer": ("gates", LARGE, "v|v|V|5|V"),
    "reach is asked for the cursor, v by the gradient": ("reach", SMALL, "right|v"),
    "a unit is held": ("units", SMALL, "down down|] [|0"),
    "the map of the character at the cursor does not flip": ("map", SMALL, "right|tick 500 1 0|tab|shift+tab"),
    "a click shows a view or moves the cursor, but not to the end; down moves it to the same column": (
        *("step", SMALL),
        f"click 12 0|click 3 1|click 40 1|click 8 1|text {'eat hay ' * 12}|right down",
    ),
    "it asks again a second later after further steps, unless it holds still or the terminal lags": (
        *("step", SMALL),
        f"w|tick 50 1 0|w|tick 51 0 0|tick 50 1 0|tick 52 0 {MAX_WAITING_BYTES + 1}|tick 52 0 0",
    ),
    "a question mark explains each view and scrolls where that is too long": (
        *("step", (40, 11)),
        "?|lines 30|2 ?|lines 30|3 ?|lines 30|4 ?|lines 30|5 ?|lines 30|up|? 1|? tab",
    ),
    "layers are shown in turn, facts whole or cut": ("step", LARGE, "text The quick wizards jump over|g|V|size 40 11"),
}
"""The view, the size and what is done, by claim."""


@pytest.mark.parametrize("claim", PANELS)
async def test_a_panel_asks_and_shows(claim: str, snapshot: SnapshotAssertion) -> None:
    """After each step come the lines that it changes, the commands, and the lines that the answers change."""
    view, size, steps = PANELS[claim]
    app = PanelApp(view=view)
    app.model.is_deep = claim.startswith("layers")
    recorded, before = list[str](), list[str]()

    def shown() -> list[str]:
        return [line for line in plain(app.panel.lines).split("\n") if line.strip()]

    async with app.run_test(size=size) as pilot:
        for step in ("", *steps.split("|")):
            recorded.append(f"» {step[:50]}".rstrip())
            await app.take(step, pilot)
            waiting = shown()
            recorded += [*new_lines(before, waiting), *await app.answer()]
            before = shown()
            recorded += new_lines(waiting, before)
        recorded += [f"toast: {message}" for message in toasts(app)]
    assert "\n".join(recorded) == snapshot


async def test_a_hostile_text_fits_in_every_view_and_reaches_the_terminal_harmless() -> None:
    app = PanelApp(hostile.ALL_AT_ONCE)
    app.glyphs = "ascii"
    async with app.run_test(size=LARGE) as pilot:
        for width, height in (LARGE, (40, 11), (8, 3)):
            await app.take(f"size {width} {height}", pilot)
            for view in VIEWS:
                app.panel.action_view(view)
                await idle()
                await app.answer()
                app.panel.action_move_to_end()
                strips = [app.panel.render_line(y) for y in range(height)]
                assert {strip.cell_length for strip in strips} == {width}
                assert all(is_harmless(strip.text) for strip in strips)


def test_one_command_of_a_type_is_open_at_most_and_answers_of_others_are_not_accepted() -> None:
    trace, changed = insight.TraceText(text="hello", request=7), insight.TraceText(text="hello", request=7, layer=1)
    answer = text_traced("hello", request=7)
    questions = Questions(FakeClock(), request=7)
    assert questions.is_due(trace, 10, is_following=True)
    assert not questions.is_due(trace, 20, is_following=True)
    assert not questions.is_due(changed, 20, is_following=True)
    reach = insight.MeasureReach(text="hello", position=1, request=7)
    assert questions.is_due(reach, 20, is_following=True), "another type"
    assert not questions.accept(text_traced("hello", request=8)), "of another client"
    assert not questions.accept(units_scored(request=7)), "not asked"
    assert not questions.refuse("ScoreUnits", "not asked")
    assert questions.accept(answer)
    assert questions.answers.latest(insight.TraceText, insight.TextTraced) == (trace, answer)
    assert questions.answers.latest(insight.MeasureReach, insight.ReachMeasured) is None
    assert questions.is_due(changed, 20, is_following=True), "a change is asked after the answer"


def test_a_refused_command_is_not_asked_again_until_it_changes_or_all_is_asked_again_unless_it_was_anothers() -> None:
    trace, answer, clock = insight.TraceText(text="hello", request=7), text_traced("hello", request=7), FakeClock()
    questions = Questions(clock, request=7)
    assert questions.is_due(trace, 10, is_following=True)
    assert questions.refuse("TraceText", "The text is too long.")
    assert questions.problem(insight.TraceText) == "The text is too long."
    clock.advance(60)
    assert not questions.is_due(trace, 99, is_following=True)
    questions.forget()
    assert questions.problem(insight.TraceText) == ""
    assert questions.request == 8
    assert questions.is_due(insight.TraceText(text="hello", request=8), 99, is_following=True)
    assert not questions.accept(answer), "an answer of before"
    assert questions.refuse("TraceText", "another client's")
    assert questions.accept(structs.replace(answer, request=8)), "it comes although a refusal came"
    assert questions.problem(insight.TraceText) == ""
    assert not questions.accept(structs.replace(answer, request=8)), "it was answered"


def texts(session: FakeSession) -> list[str]:
    """Return the texts that were traced, in order, repetitions left out."""
    return list(dict.fromkeys(each.text for each in session.received if isinstance(each, insight.TraceText)))


async def test_x_opens_the_newest_or_the_selected_tweet_the_open_one_or_the_typed_prompt(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        at_the_start = ("[1 step]", "hello there", "At the start the model gave ‘h’", "weights of step 3")
        await at.press("x", opens=XrayScreen, shows=at_the_start)
        await at.press("escape", "escape", opens=MainScreen)
        await at.press("p", *"good mx", "ctrl+x", shows=("good mx", "At the start the model gave ‘g’"))
        await at.press("escape", shows=("› good mx", "^x x-ray"))
        await at.press("escape")
        at.app.screen.query_one(TweetFeed).focus()
        await at.press("up", "up", "enter", opens=TweetDialog)
        await at.press("x", shows=("an older one", "At the start the model gave ‘a’"))
        await at.press("q", opens=TweetDialog)
        await at.press("escape", opens=MainScreen)
        assert at.app.is_running
        assert texts(at.session) == ["hello there", "good mx", "an older one"]


async def test_without_a_tweet_of_a_trained_model_x_opens_a_training_tweet_and_b_the_next_one(stage: Stage) -> None:
    class Slow(FakeSession):
        def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
            assert begin.wait(DEADLINE_SECONDS)
            super().run(emit, commands)

    begin = threading.Event()
    session = Slow((tweet_sampled("xq~z", 0), STEPS))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, session)
        await opened(app, MainScreen)
        await pilot.press("x")
        await shows(app, "The run is still starting: it has no weights yet.")
        await pilot.press("question_mark")
        await shows(app, "In training it is then fed the true next character")
        begin.set()
        await at.press("escape", shows=("▸good morning■", "At the start the model gave ‘g’"))  # closes the explanation
        await at.press("B", shows=("▸hi■", "At the start the model gave ‘h’"))
        await at.press("escape", opens=MainScreen)
        await at.press("x", shows="▸good morning■")
        await at.press("B", "B", shows="▸good morning■")
        assert texts(session) == ["good morning", "hi"]
        await at.press("escape", opens=MainScreen)
        app.screen.query_one(TweetFeed).focus()
        await at.press("up", "x", shows="▸xq~z■")  # one that was selected is opened itself


async def test_any_text_is_typed_and_the_run_stepped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    kind: type[insight.Insight] = insight.TraceText
    monkeypatch.setitem(AGAIN_SECONDS, kind, 0.0)  # no second between a step and the next question
    async with stage.running(FakeSession(SCRIPT)) as at:
        await at.press("x", "right", "g", shows="hello there")
        await at.press(*"pt q.", "enter", shows=("▸t q.■", "At the start the model gave ‘t’"))
        own_draws = [each.own_from for each in at.session.received if isinstance(each, insight.TraceText)]
        assert own_draws[-2:] == [1, None], "another text begins without draws"
        await at.press("p", "end", "backspace", "enter", shows=("▸t q■", "weights of step 3"))
        await at.press("p", *"unwanted", shows="unwanted")
        await at.press("escape", opens=XrayScreen, lacks="unwanted")
        await at.press(".", shows="paused: . takes one step, space resumes")
        assert toasts(at.app) == []
        await at.press("space", shows="space pause")
        await at.press("space", shows="space resume")
        await at.press(".", shows=("step 4: ", "weights of step 4"))
        assert "\n".join(map(str.rstrip, screen_text(at.app).split("\n"))) == snapshot
        others = [each for each in at.session.received if not isinstance(each, insight.TraceText)]
        assert others == [c.Pause(), c.Resume(), c.Pause(), c.TakeStep()]
        assert texts(at.session) == ["hello there", "t q.", "t q"]


async def test_a_refused_question_and_why_no_model_is_left_are_shown_in_the_panel(stage: Stage) -> None:
    refusal = refused("TraceText", "The text is too long to be traced.")
    async with stage.running(Answering(insight.TraceText, refusal, script=SCRIPT)) as at:
        await at.press("x", shows="The text is too long to be traced.")
        at.session.emit(run_finished(9))
        await at.press(shows="No model is running, and the run has no checkpoint on this machine.")
        await at.press("escape", opens=MainScreen)


async def test_the_best_checkpoint_answers_until_a_new_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = FakeSession()
    answers._step = 7
    monkeypatch.setattr("engine.insight.answers.CheckpointAnswers", lambda _path: answers)
    folder = create_run_folder("2026-11-25-101112")
    folder.checkpoint_path("latest").parent.mkdir(exist_ok=True)
    for name in ("latest", "best"):
        folder.checkpoint_path(name).touch()
    async with stage.running(FakeSession(SCRIPT), further=(FakeSession(SCRIPT),)) as at:
        await at.press("x", shows="weights of step 3 · follows the training (w)")
        at.session.emit(run_finished(9))
        await shows(at.app, "weights of step 7 · checkpoint best")
        num_commands = len(at.session.received)
        await at.press("5", shows=("[5 map]", "variance"))
        assert len(at.session.received) == num_commands
        assert isinstance(at.app.screen, XrayScreen)
        bridge = at.app.screen._checkpoint
        assert bridge is not None
        assert bridge._path == folder.checkpoint_path("best")
        at.app.start_run(RunConfig())
        await wait_until(lambda: not bridge._thread.is_alive(), "the end of the thread")
        await shows(at.app, "waiting for the run before to end")


async def test_questions_whose_answers_may_be_lost_are_asked_again_once_and_panels_drawn_again(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        main, kinds = at.app.screen, [insight.TraceText]
        assert isinstance(main, MainScreen)
        await at.press("x", opens=XrayScreen, shows="weights of step 3")
        assert isinstance(at.app.screen, XrayScreen)
        main.run.num_gaps += 1
        await at.settle()
        at.app.screen.panel.ask_again()
        at.app.screen.panel.ask_again()  # before the first was sent
        await wait_until(lambda: [*map(type, at.session.received)] == kinds * 3, "the questions")
        await at.press("space", sends=c.Pause())
        assert [*map(type, at.session.received)] == [*kinds * 3, c.Pause]
        await at.emit(tweet_sampled("sampled meanwhile", 4))
        assert getattr(main.query_one(TweetFeed).chosen, "text", "") == "hello there"
        await at.press("escape", shows="sampled meanwhile")
