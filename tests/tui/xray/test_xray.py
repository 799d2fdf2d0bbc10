"""The X-ray: its panel with what it asks and shows and its keys, and the screen over a run."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult

from engine.config.run import RunConfig
from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.storage.folders import create_run_folder
from engine.text import is_harmless
from tests import hostile
from tests.fakes import FakeClock, FakeSession, run_finished, steps_finished, text_traced, tweet_sampled, units_scored
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, screen_text, shows, toasted, toasts, wait_until
from tui.app.main_screen import MainScreen
from tui.dialogs.tweets import TweetDialog
from tui.screens import xray
from tui.screens.checkpoint_bridge import CheckpointBridge
from tui.screens.xray import XrayScreen
from tui.terminal.app import TerminalApp
from tui.text.cells import plain
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import MAX_WAITING_BYTES
from tui.widgets.xray.panel import XrayPanel
from tui.widgets.xray.questions import AGAIN_SECONDS, Questions
from tui.xray.state import ViewName
from tui.xray.views import VIEWS

Change = Callable[[insight.InsightEvent], insight.InsightEvent]
TEXT = "eat hay"
SIZE = (80, 23)


def lacking(event: insight.InsightEvent) -> insight.InsightEvent:
    """Return a trace by a model with two layers and without any character of the text."""
    assert isinstance(event, insight.TextTraced)
    chars = tuple(structs.replace(read, bits=read.bits + UNKNOWN_CHAR_BITS) for read in event.chars[:-1])
    return structs.replace(event, num_layers=2, token_ids=(1, *(UNK,) * len(chars)), chars=(*chars, event.chars[-1]))


class PanelApp(TerminalApp[None]):
    """Shows a panel, records what it asks, and answers as a session does."""

    num_waiting_bytes = 0

    def __init__(self, text: str = TEXT, view: ViewName = "step") -> None:
        super().__init__()
        self.clock = FakeClock()
        self.panel = XrayPanel(text, view, self.clock)
        self.commands: list[insight.Insight] = []
        self._session = FakeSession()
        self._num_answered = self._num_described = 0
        self._seeds: dict[int, int] = {}

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_xray_panel_asked(self, message: XrayPanel.Asked) -> None:
        self.commands.append(message.command)

    def new_commands(self) -> list[str]:
        """Describe the commands since the last call, without the number that they have in common; seeds in turn."""
        described = []
        for command in self.commands[self._num_described :]:
            fields = structs.asdict(command)
            del fields["request"]
            if fields.get("seed"):
                fields["seed"] = f"number {self._seeds.setdefault(fields['seed'], len(self._seeds) + 1)}"
            named = ", ".join(f"{name} {value}" for name, value in fields.items())
            described.append(f"asks {type(command).__name__}: {named}")
        self._num_described = len(self.commands)
        return described

    @property
    def shown(self) -> str:
        """The panel as text."""
        return plain(self.panel.lines)

    async def settle(self) -> None:
        """Wait until the panel, the screen and the app have handled all messages so far: so a command takes its way."""
        handled = asyncio.Event()
        self.panel.call_later(self.screen.call_later, self.call_later, handled.set)
        await handled.wait()

    async def answer(self, change: Change = lambda event: event) -> None:
        """Answer all commands until no more come."""
        await self.settle()
        while len(self.commands) > self._num_answered:
            event = self._session.answer(self.commands[self._num_answered])
            assert isinstance(event, insight.InsightEvent)
            self._num_answered += 1
            self.panel.show(change(event))
            await self.settle()

    async def shows(self, *words: str) -> None:
        """Wait until the panel shows all of `words`."""
        for word in words:
            await wait_until(lambda word=word: word in self.shown, f"{word!r} in\n{self.shown}")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("view", "keys"),
    [
        pytest.param("step", "enter right|end right|home left", id="one trace answers every place"),
        pytest.param("step", "right right 2 g|n|g", id="g feeds own draws from the cursor on, n others"),
        pytest.param("gates", "v|v|V", id="v shows one gate after the other; there is one layer"),
        pytest.param("reach", "right|v", id="reach is asked for the cursor, v by the gradient"),
        pytest.param("units", "down down|right_square_bracket left_square_bracket|0", id="a unit is held"),
        pytest.param("map", "right|tab|shift+tab", id="the map of the character at the cursor"),
    ],
)
async def test_a_view_asks_for_what_it_and_its_keys_show(
    view: ViewName, keys: str, snapshot: SnapshotAssertion
) -> None:
    app = PanelApp(view=view)
    async with app.run_test(size=(80, 23) if view == "gates" else (50, 12)) as pilot:
        await app.settle()
        recorded = [*app.shown.split("\n")[-3:], *app.new_commands()]
        await app.answer()
        recorded += [*app.new_commands(), app.shown]
        for pressed in keys.split("|"):
            await pilot.press(*pressed.split())
            await app.settle()
            sentence = " ".join(app.shown.split("\n")[-3:-1])
            await app.answer()
            recorded += [f"================ {pressed}", *app.new_commands(), app.shown]
            recorded += [f"until the answer: {sentence}"] * ("being computed" in sentence)
        assert "\n".join(recorded) == snapshot


async def test_a_click_shows_a_view_or_moves_the_cursor_and_down_moves_it_by_a_line() -> None:
    app = PanelApp()
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.click(app.panel, offset=(12, 0))
        await wait_until(lambda: app.panel.view_name == "gates", "the view that was clicked")
        await pilot.click(app.panel, offset=(3, 1))
        await wait_until(lambda: app.panel.cursor == 3, "the character that was clicked")
        await pilot.click(app.panel, offset=(60, 1))
        await pilot.click(app.panel, offset=(8, 1))
        await wait_until(lambda: app.panel.cursor == len(TEXT), "the end, which is no input")
        app.panel.open("eat hay " * 12)
        await pilot.press("right", "down")
        assert app.panel.cursor == 81, "in the second column of the second line"


async def test_the_map_does_not_flip_between_two_answers() -> None:
    app = PanelApp(view="map")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("right")
        await app.shows("nearest to ‘e’")
        before = app.shown

        def mirrored(event: insight.InsightEvent) -> insight.InsightEvent:
            assert isinstance(event, insight.EmbeddingsMapped)
            points = tuple(structs.replace(point, x=-point.x, y=-point.y) for point in event.points)
            return structs.replace(event, points=points, weights_step=500)

        app.clock.advance(1)
        app.panel.tick(500)
        await app.answer(mirrored)
        assert app.shown.replace("step 500", "step 0") == before != app.shown


async def test_it_asks_again_while_the_training_goes_on_unless_it_holds_still_or_the_terminal_lags() -> None:
    app = PanelApp()

    async def num_asked_at(step: int, seconds: float = 0.0, num_waiting_bytes: int = 0) -> int:
        app.clock.advance(seconds)
        app.num_waiting_bytes = num_waiting_bytes
        app.panel.tick(step)
        await app.answer(lambda event: structs.replace(event, weights_step=step))
        return len(app.commands)

    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("w")
        assert await num_asked_at(50, seconds=1) == 1, "it holds still"
        await app.shows("weights of step 0 · holds still (w)")
        await pilot.press("w")
        assert await num_asked_at(50) == 2
        await app.shows("weights of step 50 · follows the training (w)")
        assert await num_asked_at(51) == 2, "a second has not passed"
        assert await num_asked_at(50, seconds=1) == 2, "no step since"
        assert await num_asked_at(52, num_waiting_bytes=MAX_WAITING_BYTES + 1) == 2, "the terminal is behind"
        assert await num_asked_at(52) == 3
        await app.shows("weights of step 52")


async def test_a_question_mark_explains_each_view_and_scrolls_where_it_is_too_long() -> None:
    app = PanelApp()
    async with app.run_test(size=(40, 11)) as pilot:
        await app.answer()
        for view in VIEWS:
            app.panel.action_view(view)
            await pilot.press("question_mark")
            await app.shows("? or esc closes · ↑ ↓ scroll", VIEWS[view].help[0][:20])
            app.panel.action_move_line(30)
            await app.shows(VIEWS[view].help[-1][-10:])
        await pilot.press("up", "question_mark", "1")
        await app.shows("weights of step 0")
        await pilot.press("question_mark", "tab")
        await app.shows("[2 gates]", "weights of step 0")


async def test_layers_are_shown_in_turn_and_facts_are_whole_or_cut(snapshot: SnapshotAssertion) -> None:
    app = PanelApp("The quick wizards jump over")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer(lacking)
        await pilot.press("g", "V")
        await app.answer(lacking)
        whole = app.shown
        await pilot.resize_terminal(40, 11)
        await wait_until(lambda: app.shown.splitlines()[-1].endswith("…"), "the shorter line")
        assert "\n".join((*app.new_commands(), whole, "=" * 80, app.shown)) == snapshot


async def test_the_key_of_layers_says_where_there_is_only_one() -> None:
    app = PanelApp(view="map")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("V", "2")
        await app.answer()
        await pilot.press("V")
        await toasted(app, "The model has one layer.")
        assert len(toasts(app)) == 1, "none in a view without layers"


@pytest.mark.parametrize("size", [(8, 3), (40, 11), (80, 23)])
async def test_a_hostile_text_fits_in_every_view_and_reaches_the_terminal_harmless(size: tuple[int, int]) -> None:
    app = PanelApp(hostile.ALL_AT_ONCE)
    app.glyphs = "ascii"
    async with app.run_test(size=size):
        for view in VIEWS:
            app.panel.action_view(view)
            await app.answer()
            app.panel.action_move_to_end()
            strips = [app.panel.render_line(y) for y in range(size[1])]
            assert {strip.cell_length for strip in strips} == {size[0]}
            assert all(is_harmless(strip.text) for strip in strips)


# When it asks ---------------------------------------------------------------------------------------------------------


def test_one_command_of_a_type_is_open_at_most_and_answers_of_others_are_not_accepted() -> None:
    trace, changed = insight.TraceText(text="hello", request=7), insight.TraceText(text="hello", request=7, layer=1)
    answer = text_traced("hello", request=7)
    questions = Questions(FakeClock(), request=7)
    assert questions.is_due(trace, 10, is_following=True)
    assert not questions.is_due(trace, 20, is_following=True)
    assert not questions.is_due(changed, 20, is_following=True)
    assert questions.is_due(insight.MeasureReach(text="hello", position=1, request=7), 20, is_following=True), (
        "another type"
    )
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


# The screen over a run ------------------------------------------------------------------------------------------------


STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCRIPT: tuple[e.Event, ...] = (STEPS, tweet_sampled("an older one", 2), tweet_sampled("hello there", 3))


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
    async with stage.running(FakeSession((tweet_sampled("xq~z", 0), STEPS))) as at:
        await at.press("x", shows=("▸good morning■", "At the start the model gave ‘g’"))
        await at.press("B", shows=("▸hi■", "At the start the model gave ‘h’"))
        await at.press("B", shows="▸good morning■")
        assert texts(at.session) == ["good morning", "hi"]
        await at.press("escape", opens=MainScreen)
        at.app.screen.query_one(TweetFeed).focus()
        await at.press("up", "x", shows="▸xq~z■")  # one that was selected is opened itself


async def test_an_x_ray_opened_before_the_start_shows_a_training_tweet_once_the_run_has_started(stage: Stage) -> None:
    class Slow(FakeSession):
        def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
            assert begin.wait(DEADLINE_SECONDS)
            super().run(emit, commands)

    begin = threading.Event()
    session = Slow(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MainScreen)
        await pilot.press("x")
        await shows(app, "The run is still starting: it has no weights yet.")
        await pilot.press("question_mark")
        await shows(app, "In training it is then fed the true next character")
        begin.set()
        await pilot.press("escape")  # closes the explanation first
        await shows(app, "▸good morning■", "At the start the model gave ‘g’")
        assert texts(session) == ["good morning"]


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


class Refusing(FakeSession):
    """A session that traces no text."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, insight.TraceText):
            return self._refuse("TraceText", "The text is too long to be traced.")
        return super().answer(command)


async def test_a_refused_question_and_why_no_model_is_left_are_shown_in_the_panel(stage: Stage) -> None:
    async with stage.running(Refusing(SCRIPT)) as at:
        await at.press("x", shows="The text is too long to be traced.")
        at.session.emit(run_finished(9))
        await at.press(shows="No model is running, and the run has no checkpoint on this machine.")
        await at.press("escape", opens=MainScreen)


async def test_the_best_checkpoint_answers_until_a_new_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, opened = FakeSession(), list[tuple[Path, CheckpointBridge]]()
    answers._step = 7

    def bridge_of(path: Path) -> CheckpointBridge:
        opened.append((path, CheckpointBridge(path)))
        return opened[-1][1]

    monkeypatch.setattr("engine.insight.answers.CheckpointAnswers", lambda _path: answers)
    monkeypatch.setattr(xray, "CheckpointBridge", bridge_of)
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
        [(path, bridge)] = opened
        assert path == folder.checkpoint_path("best")
        assert len(at.session.received) == num_commands
        at.app.start_run(RunConfig())
        await wait_until(lambda: not bridge._thread.is_alive(), "the end of the thread")
        await shows(at.app, "waiting for the run before to end")


async def test_questions_whose_answers_may_be_lost_are_asked_again_once_and_panels_drawn_again(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        main, kinds = at.app.screen, [insight.TraceText]
        assert isinstance(main, MainScreen)
        await at.press("x", opens=XrayScreen, shows="weights of step 3")
        main.run.num_gaps += 1
        await at.settle()
        assert isinstance(at.app.screen, XrayScreen)
        at.app.screen.panel.ask_again()
        at.app.screen.panel.ask_again()  # before the first was sent
        await wait_until(lambda: [*map(type, at.session.received)] == kinds * 3, "the questions")
        await at.press("space", sends=c.Pause())
        assert [*map(type, at.session.received)] == [*kinds * 3, c.Pause]
        await at.emit(tweet_sampled("sampled meanwhile", 4))
        chosen = main.query_one(TweetFeed).chosen
        assert chosen is not None
        assert chosen.text == "hello there"
        await at.press("escape", shows="sampled meanwhile")
