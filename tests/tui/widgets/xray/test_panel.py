"""The X-ray's panel: what it asks, what it shows of the answers, and its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult

from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol.commands import HoldUnit, Insight, MeasureReach, TraceText
from engine.protocol.events import EmbeddingsMapped, InsightEvent, TextTraced
from engine.text import is_harmless
from tests import hostile
from tests.fakes import FakeClock, FakeSession, text_traced
from tests.tui.conftest import wait_until
from tui.formatting.loss_units import LossUnit
from tui.terminal.capabilities import GlyphSet
from tui.terminal.frame_pacing import MAX_WAITING_BYTES
from tui.widgets.xray.panel import XrayPanel
from tui.xray.spans import plain
from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES, ViewName

Kind = TypeVar("Kind", bound=Insight)
Change = Callable[[InsightEvent], InsightEvent]
TEXT = "hello you"
SIZE = (80, 23)


class PanelApp(App[None]):
    """Shows a panel, records what it asks, and answers as a session does."""

    glyphs: GlyphSet = "braille"
    loss_unit: LossUnit = "bits"
    num_waiting_bytes = 0

    def __init__(self, text: str = TEXT, view: ViewName = "step") -> None:
        super().__init__()
        self.clock = FakeClock()
        self.panel = XrayPanel(text, view, self.clock)
        self.commands: list[Insight] = []
        self._session = FakeSession()
        self._num_answered = 0

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_xray_panel_asked(self, message: XrayPanel.Asked) -> None:
        self.commands.append(message.command)

    def asked(self, kind: type[Kind]) -> list[Kind]:
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def shown(self) -> str:
        """The panel as text."""
        return plain(self.panel.picture)

    async def answer(self, change: Change = lambda event: event) -> None:
        """Wait for a command, and answer all until no more come."""
        await wait_until(lambda: len(self.commands) > self._num_answered, "a command")
        while len(self.commands) > self._num_answered:
            event = self._session.answer(self.commands[self._num_answered])
            assert isinstance(event, InsightEvent)
            self._num_answered += 1
            self.panel.show(change(event))
            handled = asyncio.Event()  # by the panel, the screen and the app: so a command takes its way
            self.panel.call_later(self.screen.call_later, self.call_later, handled.set)
            await handled.wait()

    async def shows(self, *words: str) -> None:
        """Wait until the panel shows all of `words`."""
        for word in words:
            await wait_until(lambda word=word: word in self.shown, f"{word!r} in\n{self.shown}")  # type: ignore[misc]


def lacking(event: InsightEvent) -> InsightEvent:
    """Return a trace by a model with two layers and without any character of the text."""
    assert isinstance(event, TextTraced)
    chars = tuple(replace(read, bits=read.bits + UNKNOWN_CHAR_BITS) for read in event.chars[:-1])
    return replace(event, num_layers=2, token_ids=(1, *(UNK,) * len(chars)), chars=(*chars, event.chars[-1]))


@pytest.mark.parametrize("view", VIEW_NAMES)
async def test_the_panel_asks_for_its_view_and_shows_the_answers(view: ViewName, snapshot: SnapshotAssertion) -> None:
    app = PanelApp("eat hay @anna", view)
    async with app.run_test(size=(80, 17)) as pilot:
        await wait_until(lambda: app.shown, "what is computed")
        waiting = app.shown.split("\n")[-3:]
        await app.answer()
        await pilot.press("right")
        await wait_until(lambda: app.panel.cursor == 1, "the first character")
        if view == "reach":  # the others have answers for the whole text
            await app.answer()
        kinds = " ".join(type(command).__name__ for command in app.commands)
        assert "\n".join((*waiting, "=" * 80, app.shown, "=" * 80, kinds)) == snapshot


async def test_keys_and_clicks_move_the_cursor_and_change_the_view() -> None:
    app = PanelApp()
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("enter", "right")
        await app.shows("After ‘e’ the model gave ‘l’")
        await pilot.press("end", "right")
        await app.shows("After ‘u’ the model gave the end")
        await pilot.press("home", "left")
        await app.shows("At the start the model gave ‘h’")
        assert len(app.asked(TraceText)) == 1, "one trace answers every place"
        for key, name in (("2", "gates"), ("5", "map"), ("tab", "step"), ("shift+tab", "map"), ("1", "step")):
            await pilot.press(key)
            await wait_until(lambda name=name: app.panel.view_name == name, name)  # type: ignore[misc]
        await pilot.click(app.panel, offset=(12, 0))
        await wait_until(lambda: app.panel.view_name == "gates", "the view that was clicked")
        await pilot.click(app.panel, offset=(3, 1))
        await wait_until(lambda: app.panel.cursor == 3, "the character that was clicked")
        await pilot.click(app.panel, offset=(60, 1))
        await pilot.click(app.panel, offset=(10, 1))
        await wait_until(lambda: app.panel.cursor == len(TEXT), "the end, which is no input")


async def test_g_feeds_own_draws_from_the_cursor_on_n_draws_others_and_another_text_begins_without() -> None:
    app = PanelApp()
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("right", "right", "2", "g")
        await app.answer()
        assert (app.asked(TraceText)[-1].own_from, app.panel.view_name) == (2, "step")
        await app.shows("fed its draws  ▸heown■", "The runs part after character 2")
        await pilot.press("n")
        await app.answer()
        before, after = app.asked(TraceText)[-2:]
        assert after == replace(before, seed=after.seed) != before
        await pilot.press("g")
        await wait_until(lambda: "fed its draws" not in app.shown, "the text alone")
        await pilot.press("g")
        await app.answer()
        app.panel.open("new\x1b[31m text", "gates")
        await app.answer()
        await app.shows("▸new�[31m text■", "[2 gates]", "Reading <BOS>")
        trace = app.asked(TraceText)[-1]
        assert (trace.text, trace.own_from, app.panel.cursor) == ("new�[31m text", None, 0)
        app.panel.show(text_traced("of another client", request=1))
        await app.shows("▸new�[31m text■")


async def test_reach_is_asked_for_the_cursor_in_the_chosen_measure_and_of_another_text_for_its_start_only() -> None:
    app = PanelApp(view="reach")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("right")
        await app.answer()
        await pilot.press("v")
        await app.answer()
        await app.shows("most sensitive to the ‘h’")
        app.panel.open("other")
        await app.answer()
        assert [(each.text, each.position, each.method) for each in app.asked(MeasureReach)] == [
            (TEXT, 0, "occlusion"),
            (TEXT, 1, "occlusion"),
            (TEXT, 1, "gradient"),
            ("other", 0, "gradient"),
        ]


async def test_units_are_selected_held_and_freed() -> None:
    app = PanelApp(view="units")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("down", "down")
        await app.answer()
        await app.shows("Unit 3 tracks ‘after a space’ with the opposite sign: correlation -0.62")
        await pilot.press("right_square_bracket", "left_square_bracket")
        await app.shows("Unit 3 is held at +0.75: its tweets and predictions are being computed")
        await app.answer()
        await app.shows("held at +0.75")
        await pilot.press("0")
        await app.answer()
        await app.shows("unit 3 free")
        held = [(each.unit, each.value) for each in app.asked(HoldUnit)]
        assert (held[0], held[-2:]) == ((7, None), [(3, 0.75), (3, None)])
        assert app.panel.cursor == 0, "the arrows select units"


async def test_the_map_does_not_flip_between_two_answers() -> None:
    app = PanelApp("eat", "map")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("right")
        await app.shows("nearest to ‘e’")
        before = app.shown

        def mirrored(event: InsightEvent) -> InsightEvent:
            assert isinstance(event, EmbeddingsMapped)
            points = tuple(replace(point, x=-point.x, y=-point.y) for point in event.points)
            return replace(event, points=points, weights_step=500)

        app.clock.advance(1)
        app.panel.tick(500)
        await app.answer(mirrored)
        await app.shows("weights of step 500")
        assert app.shown.replace("step 500", "step 0") == before


async def test_it_asks_again_while_the_training_goes_on_unless_it_holds_still_or_the_terminal_lags() -> None:
    app = PanelApp()
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("w")
        await app.shows("holds still (w)")
        app.clock.advance(1)
        app.panel.tick(50)
        await pilot.press("w")
        await app.answer(lambda event: replace(event, weights_step=50))
        await app.shows("weights of step 50 · follows the training (w)")
        app.panel.tick(51)
        assert len(app.asked(TraceText)) == 2, "a second has not passed"
        app.clock.advance(1)
        app.panel.tick(50)
        assert len(app.asked(TraceText)) == 2, "no step since"
        app.num_waiting_bytes = MAX_WAITING_BYTES + 1
        app.panel.tick(52)
        app.num_waiting_bytes = 0
        await pilot.pause()
        assert len(app.asked(TraceText)) == 2, "the terminal is behind"
        app.panel.tick(52)
        await wait_until(lambda: len(app.asked(TraceText)) == 3, "the next question")


async def test_shift_v_shows_the_next_layer_of_a_model_that_has_several_and_v_one_gate() -> None:
    app = PanelApp(view="gates")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer()
        await pilot.press("V")
        await app.shows("weights of step 0")
        assert "layer" not in app.shown.splitlines()[-1], "there is one"
        app.panel.ask_again()
        await app.answer(lacking)
        await app.shows("layer 1 of 2 (V)")
        await pilot.press("V")
        await app.answer(lacking)
        await app.shows("layer 2 of 2 (V)")
        await pilot.press("3", "V", "2", "v")
        await app.shows("update gate z: 1 keeps the state", "layer 2 of 2 (V)")
        assert "reset gate" not in app.shown
        assert [each.layer for each in app.asked(TraceText)] == [0, 0, 1]


async def test_a_question_mark_explains_each_view_and_scrolls_where_it_is_too_long() -> None:
    app = PanelApp()
    async with app.run_test(size=(40, 11)) as pilot:
        await app.answer()
        for view in VIEW_NAMES:
            app.panel.action_view(view)
            await pilot.press("question_mark")
            await app.shows("? or esc closes · ↑ ↓ scroll", view_help(view)[0][:20])
            app.panel.action_move_line(30)
            await app.shows(view_help(view)[-1][-10:])
        await pilot.press("up", "question_mark", "1")
        await app.shows("weights of step 0")
        await pilot.press("question_mark", "tab")
        await app.shows("[2 gates]", "weights of step 0")


async def test_sentence_and_facts_are_whole_at_80x24_and_end_with_an_ellipsis_where_they_are_cut(
    snapshot: SnapshotAssertion,
) -> None:
    app = PanelApp("The quick wizards jump over")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer(lacking)
        await pilot.press("g")
        await app.answer(lacking)
        await app.shows("fed its draws")
        whole = app.shown
        await pilot.resize_terminal(40, 11)
        await wait_until(lambda: app.shown.splitlines()[-1].endswith("…"), "the shorter line")
        assert f"{whole}\n{'=' * 80}\n{app.shown}" == snapshot


@pytest.mark.parametrize("size", [(8, 3), (40, 11), (80, 23)])
async def test_a_hostile_text_fits_in_every_view_and_reaches_the_terminal_harmless(size: tuple[int, int]) -> None:
    app = PanelApp(hostile.ALL_AT_ONCE)
    app.glyphs = "ascii"
    async with app.run_test(size=size):
        for view in VIEW_NAMES:
            app.panel.action_view(view)
            if view != "gates":  # it shows the same answer as the first
                await app.answer()
            app.panel.action_move_to_end()
            strips = [app.panel.render_line(y) for y in range(size[1])]
            assert {strip.cell_length for strip in strips} == {size[0]}
            assert all(is_harmless(strip.text) for strip in strips)
