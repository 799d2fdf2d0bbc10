"""The X-ray's panel: what it asks and when, what it shows of the answers, its keys, and its shades on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult
from textual.color import Color
from textual.geometry import Region

from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol.commands import Insight, MeasureReach, TraceText
from engine.protocol.events import EmbeddingsMapped, InsightEvent, ReachMeasured, TextTraced
from engine.text import is_harmless
from tests import hostile
from tests.fakes import FakeClock, FakeSession, text_traced, units_scored
from tests.tui.conftest import wait_until
from tests.tui.test_settings import contrast
from tui.formatting.loss_units import LossUnit
from tui.settings.theme import OWN_THEMES
from tui.terminal.capabilities import GlyphSet
from tui.terminal.frame_pacing import MAX_WAITING_BYTES
from tui.widgets.xray.panel import XrayPanel
from tui.widgets.xray.picture_view import NUM_SHADES, PictureView
from tui.widgets.xray.questions import Questions
from tui.xray.spans import Picture, Span, plain
from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES, ViewName

Change = Callable[[InsightEvent], InsightEvent]
TEXT = "eat hay"
SIZE = (80, 23)


def lacking(event: InsightEvent) -> InsightEvent:
    """Return a trace by a model with two layers and without any character of the text."""
    assert isinstance(event, TextTraced)
    chars = tuple(replace(read, bits=read.bits + UNKNOWN_CHAR_BITS) for read in event.chars[:-1])
    return replace(event, num_layers=2, token_ids=(1, *(UNK,) * len(chars)), chars=(*chars, event.chars[-1]))


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
            fields = asdict(command)
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
        return plain(self.panel.picture)

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
            assert isinstance(event, InsightEvent)
            self._num_answered += 1
            self.panel.show(change(event))
            await self.settle()

    async def shows(self, *words: str) -> None:
        """Wait until the panel shows all of `words`."""
        for word in words:
            await wait_until(lambda word=word: word in self.shown, f"{word!r} in\n{self.shown}")  # type: ignore[misc]


@pytest.mark.parametrize("view", VIEW_NAMES)
async def test_a_view_asks_for_what_it_shows(view: ViewName, snapshot: SnapshotAssertion) -> None:
    app = PanelApp(view=view)
    async with app.run_test(size=(80, 17)):
        await app.settle()
        waiting = app.shown.split("\n")[-3:]
        await app.answer()
        assert "\n".join((*waiting, *app.new_commands(), app.shown)) == snapshot


@pytest.mark.parametrize(
    ("view", "size", "keys"),
    [
        pytest.param("step", (50, 12), "enter right|end right|home left", id="one trace answers every place"),
        pytest.param("step", (50, 12), "right right 2 g|n|g", id="g feeds own draws from the cursor on, n others"),
        pytest.param("gates", (80, 23), "v|v|V", id="v shows one gate after the other; there is one layer"),
        pytest.param("reach", (50, 12), "right|v", id="reach is asked for the cursor, v by the gradient"),
        pytest.param("units", (50, 12), "down down|right_square_bracket left_square_bracket|0", id="a unit is held"),
        pytest.param("map", (50, 12), "right|tab|shift+tab", id="the map of the character at the cursor"),
    ],
)
async def test_keys_are_answered_as_recorded(
    view: ViewName, size: tuple[int, int], keys: str, snapshot: SnapshotAssertion
) -> None:
    app = PanelApp(view=view)
    async with app.run_test(size=size) as pilot:
        await app.answer()
        app.new_commands()
        recorded = []
        for pressed in keys.split("|"):
            await pilot.press(*pressed.split())
            await app.settle()
            sentence = " ".join(app.shown.split("\n")[-3:-1])
            await app.answer()
            recorded += [f"================ {pressed}", *app.new_commands(), app.shown]
            recorded += [f"until the answer: {sentence}"] * ("being computed" in sentence)
        assert "\n".join(recorded) == snapshot


async def test_a_click_shows_a_view_or_moves_the_cursor() -> None:
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


async def test_the_map_does_not_flip_between_two_answers() -> None:
    app = PanelApp(view="map")
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
        assert app.shown.replace("step 500", "step 0") == before != app.shown


async def test_it_asks_again_while_the_training_goes_on_unless_it_holds_still_or_the_terminal_lags() -> None:
    app = PanelApp()

    async def num_asked_at(step: int, seconds: float = 0.0, num_waiting_bytes: int = 0) -> int:
        app.clock.advance(seconds)
        app.num_waiting_bytes = num_waiting_bytes
        app.panel.tick(step)
        await app.answer(lambda event: replace(event, weights_step=step))
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


async def test_layers_are_shown_in_turn_and_facts_are_whole_or_end_with_an_ellipsis(
    snapshot: SnapshotAssertion,
) -> None:
    app = PanelApp("The quick wizards jump over")
    async with app.run_test(size=SIZE) as pilot:
        await app.answer(lacking)
        await pilot.press("g", "V")
        await app.answer(lacking)
        whole = app.shown
        await pilot.resize_terminal(40, 11)
        await wait_until(lambda: app.shown.splitlines()[-1].endswith("…"), "the shorter line")
        assert "\n".join((*app.new_commands(), whole, "=" * 80, app.shown)) == snapshot


@pytest.mark.parametrize("size", [(8, 3), (40, 11), (80, 23)])
async def test_a_hostile_text_fits_in_every_view_and_reaches_the_terminal_harmless(size: tuple[int, int]) -> None:
    app = PanelApp(hostile.ALL_AT_ONCE)
    app.glyphs = "ascii"
    async with app.run_test(size=size):
        for view in VIEW_NAMES:
            app.panel.action_view(view)
            await app.answer()
            app.panel.action_move_to_end()
            strips = [app.panel.render_line(y) for y in range(size[1])]
            assert {strip.cell_length for strip in strips} == {size[0]}
            assert all(is_harmless(strip.text) for strip in strips)


# When it asks ---------------------------------------------------------------------------------------------------------


def test_one_command_of_a_type_is_open_at_most_and_answers_of_others_are_not_accepted() -> None:
    trace, changed = TraceText(text="hello", request=7), TraceText(text="hello", request=7, layer=1)
    answer = text_traced("hello", request=7)
    questions = Questions(FakeClock(), request=7)
    assert questions.is_due(trace, 10, is_following=True)
    assert not questions.is_due(trace, 20, is_following=True)
    assert not questions.is_due(changed, 20, is_following=True)
    assert questions.is_due(MeasureReach(text="hello", position=1, request=7), 20, is_following=True), "another type"
    assert not questions.accept(text_traced("hello", request=8)), "of another client"
    assert not questions.accept(units_scored(request=7)), "not asked"
    assert not questions.refuse("ScoreUnits", "not asked")
    assert questions.accept(answer)
    assert questions.answer(TraceText, TextTraced) == (trace, answer)
    assert questions.answer(MeasureReach, ReachMeasured) is None
    assert questions.is_due(changed, 20, is_following=True), "a change is asked after the answer"


def test_a_refused_command_is_not_asked_again_until_it_changes_or_all_is_asked_again_unless_it_was_anothers() -> None:
    trace, answer, clock = TraceText(text="hello", request=7), text_traced("hello", request=7), FakeClock()
    questions = Questions(clock, request=7)
    assert questions.is_due(trace, 10, is_following=True)
    assert questions.refuse("TraceText", "The text is too long.")
    assert questions.problem(TraceText) == "The text is too long."
    clock.advance(60)
    assert not questions.is_due(trace, 99, is_following=True)
    questions.forget()
    assert questions.problem(TraceText) == ""
    assert questions.request == 8
    assert questions.is_due(TraceText(text="hello", request=8), 99, is_following=True)
    assert not questions.accept(answer), "an answer of before"
    assert questions.refuse("TraceText", "another client's")
    assert questions.accept(replace(answer, request=8)), "it comes although a refusal came"
    assert questions.problem(TraceText) == ""
    assert not questions.accept(replace(answer, request=8)), "it was answered"


# Shades ---------------------------------------------------------------------------------------------------------------

PICTURE: Picture = ((Span("state "), Span("▒▒", shade=0.5), Span("░", shade=-0.2)), (Span("[/b] 雪", "muted"),))


class PictureApp(App[None]):
    """Shows one picture."""

    def compose(self) -> ComposeResult:
        yield PictureView(PICTURE)


async def test_a_picture_is_plain_text_with_a_background_for_each_shade_and_an_update_repaints_changed_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = PictureApp()
    async with app.run_test(size=(20, 5)):
        view = app.query_one(PictureView)
        drawn = ["".join(segment.text for segment in view.render_line(y)) for y in range(3)]
        assert [line.rstrip() for line in drawn] == ["state ▒▒░", "[/b] 雪", ""]
        assert view.size.height == 2
        backgrounds = [segment.style and segment.style.bgcolor for segment in view.render_line(0)]
        assert len(set(backgrounds[:3])) == 3, "none, one hue, the other hue"
        repainted: list[Any] = []
        monkeypatch.setattr(view, "refresh", lambda *regions, **_: repainted.append(regions))
        view.show_picture(PICTURE)
        view.show_picture(((*PICTURE[0][:2], Span("▓", shade=-0.7)), PICTURE[1]))
        assert repainted == [(Region(8, 0, 1, 1),)]
        view.show_picture((PICTURE[0], (Span("[/b] 雨", "muted"),)))
        assert repainted[1:] == [(Region(8, 0, 1, 1), Region(0, 1, 20, 1))], "a line with a wide character as a whole"
        view.show_picture(PICTURE[:1])
        assert repainted[2:] == [()], "another height needs another layout"


async def test_text_on_every_shade_is_readable_and_keeps_its_attributes_in_every_theme() -> None:
    app = PictureApp()
    async with app.run_test(size=(40, 5)):
        view = app.query_one(PictureView)
        for theme in OWN_THEMES:
            app.register_theme(theme)
            app.theme = theme.name
            background = Color.parse(app.theme_variables["background"])
            await wait_until(lambda paper=background: view.background_colors[1] == paper, theme.name)  # type: ignore[misc]
            for kind in ("text", "title", "value", "good", "muted"):
                shades = (step / NUM_SHADES for step in range(-NUM_SHADES, NUM_SHADES + 1))
                view.show_picture((tuple(Span("a", kind, shade) for shade in shades),))
                styles = [segment.style for segment in view.render_line(0) if segment.text == "a" and segment.style]
                assert len({style.bgcolor for style in styles}) == 2 * NUM_SHADES + 1
                assert len({style.bold for style in styles}) == 1
                for style in styles:
                    assert style.color is not None
                    assert style.bgcolor is not None
                    ink, paper = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
                    assert contrast(ink, paper) >= 4.5, theme.name
