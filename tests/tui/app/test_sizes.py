"""The screen at many sizes: panels fill it without overlap; a very small terminal shows one panel at a time."""

from __future__ import annotations

import itertools
import random

import pytest
from rich.cells import cell_len
from textual.app import App
from textual.events import Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.pilot import Pilot

from engine.protocol.events import Event
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.process.exit import Outcome
from tui.terminal import app as terminal_app
from tui.terminal.capabilities import LARGEST_SIZE
from tui.widgets.feed.feed import PanelRule, TweetFeed
from tui.widgets.key_bar import KeyBar
from tui.widgets.panels import Panels
from tui.widgets.plot.plot import LossPlot
from tui.widgets.status.header import Header
from tui.widgets.status.side_panel import SidePanel, StatusLines

HUGE, WIDE, NORMAL, NARROW, TINY, TOO_SMALL = (200, 60), (120, 35), (80, 24), (60, 20), (40, 12), (30, 8)
SCRIPT: tuple[Event, ...] = (
    steps_finished(1, [4.5 - 0.03 * step for step in range(80)]),
    eval_finished(40, 3.2, is_best=True),
    *(tweet_sampled(f"number {number} is said", 10 * number) for number in range(1, 9)),
)


def panels_on(app: TweetgenApp) -> dict[str, Region]:
    """Return the region of each visible panel."""
    kinds = (Header, StatusLines, LossPlot, SidePanel, PanelRule, TweetFeed, KeyBar)
    found = {kind.__name__: app.screen.query_one(kind) for kind in kinds}
    return {name: panel.region for name, panel in found.items() if panel.region.area and panel.is_on_screen}


def focused(app: TweetgenApp) -> type:
    return type(app.focused)


async def resized(app: TweetgenApp, size: tuple[int, int]) -> None:
    """Wait until the app is laid out for this size."""
    await wait_until(lambda: app.size == size and app.screen.size == size, f"{size}")
    await wait_until(lambda: app.screen.query_one(KeyBar).region.bottom in (0, size[1]), "the layout")


async def draw_at(app: TweetgenApp, pilot: Pilot[Outcome], size: tuple[int, int]) -> None:
    """Draw the screen at a size, with the next panel focused; each line must have exactly its width."""
    await pilot.resize_terminal(*size)
    await resized(app, size)
    await pilot.press("tab")
    assert {cell_len(line) for line in screen_text(app).splitlines()} == {size[0]}


async def test_of_sizes_in_quick_succession_only_the_last_is_laid_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_app, "RESIZE_SECONDS", 0.5)
    laid_out: list[Size] = []
    lay_out = App._on_resize

    async def record(app: App[Outcome], event: Resize) -> None:
        laid_out.append(event.size)
        await lay_out(app, event)

    async with stage.running(FakeSession(SCRIPT), WIDE) as (app, _, _):
        monkeypatch.setattr(App, "_on_resize", record)
        for columns in range(100, 110):
            app.post_message(Resize(Size(columns, 30), Size(columns, 30)))
            app.call_later(lambda: None)  # or Textual itself drops all but the last
        await resized(app, (109, 30))
    assert laid_out[-1] == Size(109, 30)
    assert len(laid_out) <= 2, "the first may be late enough"


ALL = {"Header", "LossPlot", "PanelRule", "TweetFeed", "KeyBar"}


async def test_panels_share_the_whole_screen_without_overlap(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), WIDE) as (app, pilot, _):
        for size in (WIDE, NARROW, (60, 40), HUGE, (100, 30)):
            await pilot.resize_terminal(*size)
            await resized(app, size)
            await shows(app, "number 8 is said", "▶ training")
            panels = panels_on(app)
            assert set(panels) == ALL | {"SidePanel" if size[0] >= 100 else "StatusLines"}
            for one, other in itertools.combinations(panels.values(), 2):
                assert one.intersection(other).area == 0
            assert panels["Header"] == Region(0, 0, size[0], 1)
            assert panels["KeyBar"] == Region(0, size[1] - 1, size[0], 1)
            assert all(region.right <= size[0] and region.bottom <= size[1] for region in panels.values())
            assert all(cell_len(line) == size[0] for line in screen_text(app).splitlines())
            assert sum(region.area for region in panels.values()) == size[0] * size[1]
            assert panels["TweetFeed"].height >= 5
            assert panels["LossPlot"].height >= 6


async def test_the_side_panel_has_the_whole_height_of_a_very_wide_terminal_and_else_h_turns_its_page(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(SCRIPT), HUGE) as at:
        await at.press(shows=("machine ───", "model and data ───", "CPU cores"))
        assert panels_on(at.app)["SidePanel"].height == HUGE[1] - 2
        await at.press("h")
        await toasted(at.app, "The side panel shows all")
        await at.resize(120, 40)
        await at.press(shows=("run ───", "loss ───", "+2 more: machine, model and data"))
        await at.press("h", shows=("machine ───", "CPU cores"), lacks="run ───")
        await at.press("h", "h", "h", shows="run ───", lacks="machine ───")


async def test_a_toast_covers_nothing_and_the_newest_tweet_stays_in_view_also_where_it_is_selected(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(SCRIPT), WIDE, draws_toasts=True) as at:
        for size, keys in ((WIDE, "up"), (HUGE, "end"), (NORMAL, "up"), (TINY, "end"), (TINY, "tab")):
            await at.resize(*size)
            await at.press(keys)
            before = panels_on(at.app)
            at.app.screen.notify("Saved as “happy”.")
            await at.press(shows="Saved as “happy”.")
            await at.settle()
            toast, now = at.app.screen.query_one("Toast").region, panels_on(at.app)
            assert [name for name in now if now[name].overlaps(toast)] == ([] if keys == "tab" else ["TweetFeed"])
            assert at.text.splitlines()[toast.y].strip() == "▌ Saved as “happy”."
            assert keys == "tab" or "number 8 is said" in at.text
            at.app.clear_notifications()
            await at.press(lacks="Saved as")
            await at.settle()
            assert panels_on(at.app) == before


async def test_more_toasts_than_fit_cover_no_panel_and_the_newest_is_in_view(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), TINY, draws_toasts=True) as at:
        for number in range(1, 4):
            at.app.screen.notify(f"Toast {number} has a text that takes two lines here.")
        await at.press(shows=("number 8 is said", "Toast 3 has"), lacks="Toast 1 has")
        at.app.clear_notifications()
        at.app.screen.notify("Saved.")
        await at.press(shows=("number 8 is said", "Saved."), lacks="Toast 3 has")


async def test_tab_shows_the_plot_of_a_tiny_terminal_in_place_of_the_tweets_and_after_a_resize_keys_reach_what_is_shown(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(SCRIPT), TINY) as at:
        app = at.app
        await at.press(shows=("number 8 is said", "▶ training", "temp 0.80", "▂▁"))
        assert focused(app) is TweetFeed
        assert "TweetFeed" in panels_on(app)
        assert "LossPlot" not in panels_on(app)
        await at.press("tab", lacks="▂▁")  # the small curve
        assert "TweetFeed" not in panels_on(app)
        assert panels_on(app)["LossPlot"].height == TINY[1] - 4
        await at.press("+", shows="temp 0.85")
        await at.press("tab", shows="number 8 is said")
        await at.press("shift+tab", lacks="number 8")
        await at.press("tab", shows="number 8 is said")
        await at.resize(*NORMAL)
        assert focused(app) is TweetFeed
        rule = app.screen.query_one(PanelRule)
        assert "━" * 9 in rule.render_line(0).text, "heavy, for the focus of the feed below it"
        await at.press("tab")
        assert focused(app) is LossPlot
        assert "─" * 9 in rule.render_line(0).text
        assert "━" not in rule.render_line(0).text
        await at.resize(*TINY)
        assert "LossPlot" in panels_on(app), "the plot in place of the tweets"
        assert focused(app) is LossPlot, "the plot keeps the keys"
        await at.press("shift+tab")
        assert focused(app) is TweetFeed
        await at.resize(*NORMAL)
        assert "━" * 9 in rule.render_line(0).text


async def test_h_shows_every_value_of_a_small_terminal_page_by_page_and_groups_side_by_side(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), TINY) as at:
        for size in (TINY, NORMAL):
            await at.resize(*size)
            await at.press(shows=("number 8 is said", " values"))
            await at.press("h", shows="machine ───")
            seen = set[str]()
            while at.app.screen.query_one(Panels).has_class("-groups"):
                lines = screen_text(at.app).splitlines()
                seen |= {line.strip().partition(" ")[0] for line in lines}
                seen |= {line[41:].strip().partition(" ")[0] for line in lines}
                await at.press("h")
            assert {"machine", "model", "run", "loss", "steering", "saved", "epoch", "corpus", "threads"} <= seen
            await at.press(shows="number 8 is said")
        await at.press("h", "h", shows=("run ───", "steering ───"))
        line = next(line for line in screen_text(at.app).splitlines() if "●" in line and "0.80  ━" in line)
        assert line.rstrip().endswith("─")
        assert cell_len(line.rstrip()) == NORMAL[0] - 2


async def test_random_and_extreme_sizes_are_drawn_up_to_the_largest_and_the_last_is_complete(stage: Stage) -> None:
    sizes = random.Random(0)  # noqa: S311 - any will do, the same in each run
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=WIDE) as pilot:
        await shows(app, "number 8 is said")
        for _ in range(4):
            await draw_at(app, pilot, (sizes.randint(40, 200), sizes.randint(12, 60)))
        for size in ((1, 1), (300, 5), (5, 100)):
            await pilot.resize_terminal(*size)
            assert app.is_running
        await pilot.resize_terminal(LARGEST_SIZE[0] + 1, 1000)
        await resized(app, LARGEST_SIZE)
        await pilot.resize_terminal(*WIDE)
        await resized(app, WIDE)
        await shows(app, "number 8 is said", "▶ training", "best ◆")
        assert set(panels_on(app)) == ALL | {"SidePanel"}
        assert screen_text(app).count("number 8 is said") == 1


async def test_below_the_minimum_size_one_line_says_so_and_keys_still_work(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=TOO_SMALL) as pilot:
        await shows(app, "At least 40")
        assert panels_on(app) == {}
        await wait_until(lambda: app.summary_view.phase == "training", "the run, which nothing on the screen shows")
        await pilot.press("space")
        await wait_until(lambda: app.summary_view.phase == "paused")
        await pilot.press("m")
        await wait_until(lambda: not app.has_mouse)
        await pilot.press("m")
        await wait_until(lambda: app.has_mouse)
        await toasted(
            app, "Mouse released to the terminal; m recaptures it.", "Mouse captured; m releases it to the terminal."
        )
        await pilot.resize_terminal(*TINY)
        await shows(app, "‖ paused")


async def test_a_tick_posts_nothing_to_textuals_own_first_screen_which_would_repaint_the_whole_terminal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        received: list[Message] = []
        with monkeypatch.context() as patch:
            patch.setattr(at.app.screen_stack[0], "post_message", received.append)
            at.app.main.tick()
        assert received == []
