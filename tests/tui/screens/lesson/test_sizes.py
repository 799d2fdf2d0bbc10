"""The lesson at every size: each stop fills the screen; a small one shows the text or the view."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.tui.conftest import screen_text, shows, wait_until
from tests.tui.screens.lesson.conftest import LessonSession, OpenLesson
from tui.lesson.stops import STOPS
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.screen import LessonText
from tui.widgets.key_bar import KeyBar


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_every_stop_is_drawn_in_lines_of_the_width_with_title_and_keys(
    open_lesson: OpenLesson, size: tuple[int, int]
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=size) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        for number, stop in enumerate(STOPS, 1):
            await shows(app, f"[{number}]", stop.title[:10])
            for _ in ("view", "text"):
                await pilot.press("tab" if isinstance(app.screen.focused, LessonText) else "escape")
                lines = screen_text(app).splitlines()
                assert {cell_len(line) for line in lines} == {size[0]}
                assert len(lines) == size[1]
                assert app.screen.query_one(KeyBar).region.bottom == size[1]
            await pilot.press("right")


async def test_a_small_terminal_shows_the_text_or_the_view(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession(), stop=2)
    async with app.run_test(size=(40, 12)) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        await shows(app, "Three parts.", "Press enter four times")
        assert "embeddings" not in screen_text(app)
        await pilot.press("tab")
        await shows(app, "(B, T, E)", "(B, T, V)")
        assert "Three parts." not in screen_text(app)
        await pilot.press("escape")
        await shows(app, "Three parts.")


async def test_a_middle_one_gives_the_view_the_room_of_the_text_and_keeps_the_task(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession(), stop=2)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        await shows(app, "Three parts.", "(B, T, V)")
        await pilot.press("tab")
        await wait_until(lambda: "Three parts." not in screen_text(app))
        await shows(app, "Press enter four times", "(B, T, V)")


async def test_below_the_least_size_one_line_says_so(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=(30, 9)):
        await shows(app, "At least 40 columns")


async def test_with_ascii_glyphs_the_pictures_have_ascii_characters_only(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession())
    app.glyphs = "ascii"
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        for number in range(1, len(STOPS) + 1):
            await shows(app, f"[{number}]")
            pictures = [each.picture for each in app.lesson_screen.current.query(LivePicture)]
            assert all(span.text.isascii() for picture in pictures for line in picture for span in line)
            await pilot.press("right")
