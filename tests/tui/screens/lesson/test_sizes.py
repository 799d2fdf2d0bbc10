"""The lesson at every size: each stop fills the screen; a small one shows the text or the view."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from tests.fakes import eval_finished, steps_finished
from tests.tui.conftest import screen_text, shows, wait_until
from tests.tui.screens.lesson.conftest import LessonSession, OpenLesson
from tui.app.lesson_app import LessonApp
from tui.lesson.stops import STOPS
from tui.process.outcome import Outcome
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.pause_note import PauseNote
from tui.screens.lesson.screen import LessonText
from tui.widgets.key_bar import KeyBar
from tui.widgets.plot.loss_plot import LossPlot


async def drawn_at(app: LessonApp, pilot: Pilot[Outcome], size: tuple[int, int]) -> None:
    """Draw the screen at a size; it is filled, and the keys are at its bottom."""
    await pilot.resize_terminal(*size)
    await wait_until(lambda: app.screen.query_one(KeyBar).region.bottom == size[1], "the layout")
    lines = screen_text(app).splitlines()
    assert {cell_len(line) for line in lines} == {size[0]}
    assert len(lines) == size[1]


async def test_every_stop_fills_a_screen_of_any_size_with_its_text_or_its_view(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=(40, 12)) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        for number, stop in enumerate(STOPS, 1):
            await shows(app, f"[{number}]", stop.title[:10])
            await drawn_at(app, pilot, (40, 12))
            await pilot.press("tab")
            await drawn_at(app, pilot, (40, 12))
            await drawn_at(app, pilot, (80, 24) if number % 2 else (120, 40))
            await pilot.press("escape", "right")


async def test_a_small_terminal_shows_the_text_or_the_view(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession(), stop=2)
    async with app.run_test(size=(40, 12)) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        await shows(app, "Three parts.", "Press enter four times")
        assert "embeddings" not in screen_text(app)
        await pilot.press("tab")
        await shows(app, "(B, T, E)", "(B, T, V)")
        await wait_until(lambda: "Three parts." not in screen_text(app))
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


@pytest.mark.parametrize("size", [(60, 20), (80, 20), (80, 24), (120, 24), (80, 34), (120, 40)])
async def test_the_stop_on_training_shows_scale_and_curve_at_once_from_60_x_20_on(
    open_lesson: OpenLesson, size: tuple[int, int]
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=7)
    async with app.run_test(size=size) as pilot:
        await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen.lesson.run.is_ready)
        session.emit(steps_finished(1, [4.7 - 0.01 * step for step in range(200)]))
        session.emit(eval_finished(200, 2.8))
        plot = app.lesson_screen.current.query_one(LossPlot)
        for key, is_on_view in (("", False), ("tab", True), ("escape", False)):
            await pilot.press(*filter(None, [key]))
            await wait_until(lambda on=is_on_view: app.lesson_screen.has_class("-on-view") == on, "the focus")  # type: ignore[misc]
            await shows(app, "log2 V", "▸ validation", "Step 200.", "─ bits")
            await wait_until(lambda: plot.picture.panes and plot.picture.cells.width == plot.size.width, "the curve")


def left_text(app: LessonApp) -> str:
    """Return the words of text, task and result."""
    edge = app.screen.query_one("#lesson-left").content_region.right
    return " ".join(" ".join(line[:edge] for line in screen_text(app).splitlines()).split())


@pytest.mark.parametrize("size", [(40, 12), (80, 20), (80, 24), (80, 30), (100, 20), (100, 24), (100, 30), (120, 40)])
async def test_a_long_text_scrolls_and_task_result_and_pause_are_whole(
    open_lesson: OpenLesson, size: tuple[int, int]
) -> None:
    session = LessonSession()
    app = open_lesson(session, done=frozenset(range(1, len(STOPS) + 1)))
    async with app.run_test(size=size) as pilot:
        screen = app.lesson_screen
        await wait_until(lambda: screen.is_mounted and screen.lesson.run.is_ready)
        session.emit(steps_finished(1, [3.0] * 5000))
        for number, stop in enumerate(STOPS, 1):
            screen.action_open_stop(number)
            screen.set_focus(screen.query_one(LessonText))
            note = screen.query_one(PauseNote)
            await wait_until(lambda stop=stop, note=note: note.display == bool(stop.train_to), "the pause")  # type: ignore[misc]
            await pilot.pause()  # in an earlier layout they may be whole by chance
            for part in (f"▸ {stop.task}", f"✓ {stop.learned}", *(["space trains on."] if stop.train_to else [])):
                await wait_until(lambda part=part: part in left_text(app), part)  # type: ignore[misc]


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
