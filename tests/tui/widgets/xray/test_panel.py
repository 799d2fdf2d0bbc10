"""The X-ray's panel: what it asks, what it shows of the answers, and its keys."""

from __future__ import annotations

from engine.protocol.commands import TraceText
from tests.tui.conftest import wait_until
from tests.tui.widgets.xray.panel_app import PanelApp

TEXT = "hello you"


async def test_the_panel_asks_for_its_text_and_shows_the_answer_at_the_cursor() -> None:
    app = PanelApp(TEXT)
    async with app.run_test(size=(80, 23)) as pilot:
        await app.shows("[1 step]2 gates 3 reach 4 units 5 map", "▸hello you■", "Computing…")
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
