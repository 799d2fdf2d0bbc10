"""The X-ray's panel: what it asks, what it shows of the answers, and its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.protocol.commands import HoldUnit, MeasureReach, TraceText
from engine.protocol.events import EmbeddingsMapped, InsightEvent, TextTraced
from engine.text import is_harmless
from tests.fakes import text_traced
from tests.hostile import ESCAPES, FLOODS, UNSEEN
from tests.tui.conftest import wait_until
from tests.tui.widgets.xray.panel_app import PanelApp
from tui.terminal.frame_pacing import MAX_WAITING_BYTES
from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES

TEXT = "hello you"
HOSTILE = (
    *(ESCAPES["clipboard"], ESCAPES["in one C1 character"], UNSEEN["right to left override"]),
    *(UNSEEN["family that never ends"][:400], FLOODS["marks of many classes"][:400], "zqj [/b] 漢字 e\u0301 " * 20),
)


async def test_the_panel_asks_for_its_text_and_shows_the_answer_at_the_cursor() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.shows("[1 step] 2 gates 3 reach 4 units 5 map", "▸hello you■", "Computing…")
        await app.answer()
        assert app.asked == [TraceText(text=TEXT, request=app.asked[0].request)]
        await app.shows("At the start the model gave ‘h’", "weights of step 0 · follows the training (w)")
        await pilot.press("enter", "right")
        await app.shows("After ‘e’ the model gave ‘l’")
        await pilot.press("end")
        await app.shows("After ‘u’ the model gave the end")
        await pilot.press("home", "left")
        await app.shows("At the start")
        assert app.panel.cursor == 0
        assert len(app.asked) == 1, "one trace answers every place"


async def test_digits_tab_and_clicks_change_the_view_and_a_click_on_a_character_moves_the_cursor() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
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


async def test_g_feeds_own_draws_from_the_cursor_on_and_n_draws_others() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("right", "right", "2", "g")
        await app.answer()
        assert isinstance(app.asked[-1], TraceText)
        assert (app.asked[-1].own_from, app.panel.view_name) == (2, "step")
        await app.shows(
            "fed its draws  ▸heown■", "The runs part after character 2: the text has ‘l’, the model drew ‘o’"
        )
        await pilot.press("n")
        await app.answer()
        before, after = app.asked[-2:]
        assert isinstance(before, TraceText)
        assert isinstance(after, TraceText)
        assert after == replace(before, seed=after.seed) != before
        await pilot.press("g")
        await wait_until(lambda: "fed its draws" not in app.shown, "the text alone")


async def test_reach_is_asked_for_the_cursor_and_v_measures_it_by_the_gradient() -> None:
    app = PanelApp(TEXT, "reach")
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("right", "right")
        await app.answer()
        await app.shows("Hiding the ‘e’ before it would cost ‘l’ 2.0 bits more")
        await pilot.press("v")
        await app.answer()
        await app.shows("most sensitive to the ‘e’")
        places = [(each.position, each.method) for each in app.asked if isinstance(each, MeasureReach)]
        assert places[0] == (0, "occlusion")
        assert places[-2:] == [(2, "occlusion"), (2, "gradient")]


async def test_another_text_is_asked_about_at_its_start_and_the_one_before_no_more() -> None:
    app = PanelApp(TEXT, "reach")
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("right")
        await app.answer()
        app.panel.open("other")
        await app.answer()
        places = [(each.text, each.position) for each in app.asked if isinstance(each, MeasureReach)]
        assert places == [(TEXT, 0), (TEXT, 1), ("other", 0)]


async def test_units_are_selected_held_and_freed() -> None:
    app = PanelApp(TEXT, "units")
    async with app.run_test(size=(80, 23)) as pilot:
        await app.shows("Comparing every hidden unit with concepts")
        await app.answer()
        await app.shows(
            "Unit 7 tracks ‘in an @name’: correlation 0.81", "tweets sampled while it is free", "a first tweet"
        )
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
        held = [(each.unit, each.value) for each in app.asked if isinstance(each, HoldUnit)]
        assert held[0] == (7, None)
        assert held[-2:] == [(3, 0.75), (3, None)]
        assert app.panel.cursor == 0, "the arrows select units"


async def test_the_map_marks_the_character_at_the_cursor_and_does_not_flip_between_two_answers() -> None:
    app = PanelApp("eat", "map")
    async with app.run_test(size=(80, 23)) as pilot:
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


async def test_it_asks_again_while_the_training_goes_on_unless_it_holds_still() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("w")
        await app.shows("holds still (w)")
        app.clock.advance(1)
        app.panel.tick(50)
        await pilot.press("w")
        await app.answer(lambda event: replace(event, weights_step=50))
        await app.shows("weights of step 50 · follows the training (w)")
        assert len(app.asked) == 2
        app.panel.tick(51)
        assert len(app.asked) == 2, "a second has not passed"
        app.clock.advance(1)
        app.num_waiting_bytes = MAX_WAITING_BYTES + 1
        app.panel.tick(52)
        app.num_waiting_bytes = 0
        await pilot.pause()
        assert len(app.asked) == 2, "the terminal is behind"
        app.panel.tick(52)
        await wait_until(lambda: len(app.asked) == 3, "the next question")


async def test_shift_v_shows_the_next_layer_of_a_model_that_has_several() -> None:
    def of_two_layers(event: InsightEvent) -> InsightEvent:
        assert isinstance(event, TextTraced)
        return replace(event, num_layers=2)

    app = PanelApp(TEXT, "gates")
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("V")
        await app.shows("weights of step 0")
        assert "layer" not in app.shown.splitlines()[-1], "there is one"
        app.panel.ask_again()
        await app.answer(of_two_layers)
        await app.shows("layer 1 of 2 (V)")
        await pilot.press("V")
        await app.answer(of_two_layers)
        await app.shows("layer 2 of 2 (V)")
        await pilot.press("3", "V", "2")
        await app.shows("layer 2 of 2 (V)")
        await pilot.press("v")
        await app.shows("update gate z: 1 keeps the state")
        assert "reset gate" not in app.shown
        assert [each.layer for each in app.asked if isinstance(each, TraceText)] == [0, 0, 1]


async def test_a_question_mark_explains_each_view_and_scrolls_where_it_is_too_long() -> None:
    app = PanelApp(TEXT)
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


async def test_another_text_is_shown_from_its_start_in_the_view_that_was_asked_for() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer()
        await pilot.press("right", "g")
        await app.answer()
        app.panel.open("new\x1b[31m text", "gates")
        await app.answer()
        await app.shows("▸new�[31m text■", "[2 gates]", "Reading <BOS>")
        assert (app.panel.text, app.panel.cursor) == ("new�[31m text", 0)
        assert isinstance(app.asked[-1], TraceText)
        assert (app.asked[-1].text, app.asked[-1].own_from) == ("new�[31m text", None)
        app.panel.show(text_traced("of another client", request=1))
        await app.shows("▸new�[31m text■")


async def test_a_refusal_is_shown_in_words_and_what_answers_next_is_named() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)):
        await wait_until(lambda: app.asked, "the question")
        app.panel.show_refusal("MeasureReach", "not asked")
        app.panel.show_refusal("TraceText", "The text is too long.")
        await app.shows("The text is too long.")
        assert "not asked" not in app.shown
        app.panel.ask_again("checkpoint best")
        await wait_until(lambda: len(app.asked) == 2, "the question to the checkpoint")
        app.panel.show(text_traced(TEXT, request=app.asked[0].request))
        app.panel.show(text_traced(TEXT, request=app.asked[1].request, weights_step=7, token_ids=(1, 3, *range(4, 12))))
        await app.shows("h not in the vocabulary · weights of step 7 · checkpoint best")


async def test_sentence_and_facts_are_whole_at_80x24_and_end_with_an_ellipsis_where_they_are_cut() -> None:
    def of_another_vocabulary(event: InsightEvent) -> InsightEvent:
        assert isinstance(event, TextTraced)
        return replace(event, num_layers=2, token_ids=(1, *(3,) * len(event.text)))

    text = "The quick wizards jump over"
    app = PanelApp(text)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.answer(of_another_vocabulary)
        await pilot.press("g")
        await app.answer(of_another_vocabulary)
        words = " ".join(app.shown.split())
        assert "which is not in the vocabulary; it had expected" in words or "nothing was more probable" in words
        assert words.endswith("not in the vocabulary · weights of step 0 · follows the training (w) · layer 1 of 2 (V)")
        await pilot.resize_terminal(40, 11)
        await wait_until(lambda: app.shown.splitlines()[-1].endswith("…"), "the shorter line")


@pytest.mark.parametrize("size", [(40, 11), (80, 23), (120, 39), (8, 3)])
async def test_hostile_texts_fit_every_size_in_every_view_and_reach_the_terminal_harmless(
    size: tuple[int, int],
) -> None:
    app = PanelApp("")
    app.glyphs = "ascii"
    async with app.run_test(size=size):
        await app.answer()
        for text in HOSTILE:
            app.panel.open(text)
            for view in VIEW_NAMES:
                app.panel.action_view(view)
                app.panel.action_move_to_end()
                if view in {"step", "reach", "units"}:  # the others show an answer that has come
                    await app.answer()
                for y in range(size[1]):
                    strip = app.panel.render_line(y)
                    assert strip.cell_length == size[0]
                    assert is_harmless(strip.text)
