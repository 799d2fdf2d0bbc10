"""The screen at many sizes: panels fill it without overlap; a very small terminal shows one panel at a time."""

from __future__ import annotations

import itertools
import random

from rich.cells import cell_len
from textual.geometry import Region
from textual.pilot import Pilot

from engine.protocol.events import Event
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.key_bar import KeyBar
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.plot.loss_plot import LossPlot
from tui.widgets.status.status_panel import StatusPanel

WIDE, NORMAL, NARROW, TINY, TOO_SMALL = (120, 35), (80, 24), (60, 20), (40, 12), (30, 8)
SCRIPT: tuple[Event, ...] = (
    steps_finished(1, [4.5 - 0.03 * step for step in range(80)]),
    eval_finished(40, 3.2, is_best=True),
    *(tweet_sampled(f"number {number} is said", 10 * number) for number in range(1, 9)),
)


def panels_on(app: TweetgenApp) -> dict[str, Region]:
    """Return the region of each visible panel."""
    kinds = (TweetFeed, LossPlot, StatusPanel, KeyBar, PanelTabs)
    found = {kind.__name__: app.screen.query_one(kind) for kind in kinds}
    return {name: panel.region for name, panel in found.items() if panel.region.area and panel.is_on_screen}


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


async def test_panels_share_the_whole_screen_without_overlap(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=WIDE) as pilot:
        for size in (WIDE, NARROW, (60, 40)):
            await pilot.resize_terminal(*size)
            await resized(app, size)
            await shows(app, "number 8 is said", "▶ training")
            panels = panels_on(app)
            assert set(panels) == {"TweetFeed", "LossPlot", "StatusPanel", "KeyBar"}
            for one, other in itertools.combinations(panels.values(), 2):
                assert one.intersection(other).area == 0
            assert panels["KeyBar"] == Region(0, size[1] - 1, size[0], 1)
            assert all(region.right <= size[0] and region.bottom <= size[1] for region in panels.values())
            assert all(cell_len(line) == size[0] for line in screen_text(app).splitlines())
            assert sum(region.area for region in panels.values()) == size[0] * size[1]
            assert panels["TweetFeed"].height >= 5
            assert panels["LossPlot"].height >= 6


async def test_tab_cycles_through_the_panels_of_a_tiny_terminal(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=TINY) as pilot:
        await shows(app, "number 8 is said", "[tweets] plot status", "tab 1/3", "▶ training")
        assert "TweetFeed" in panels_on(app)
        assert "LossPlot" not in panels_on(app)
        await pilot.press("tab")
        await shows(app, "tweets [plot] status", "tab 2/3", "▶ training")
        await wait_until(lambda: "LossPlot" in panels_on(app), "the plot")
        assert "TweetFeed" not in panels_on(app)
        assert panels_on(app)["LossPlot"].height == TINY[1] - 3
        await pilot.press("tab")
        await shows(app, "tweets plot [status]", "tab 3/3", "bits/char")
        await wait_until(lambda: panels_on(app)["StatusPanel"].height == TINY[1] - 2, "the status")
        await pilot.press("tab")
        await shows(app, "tab 1/3", "number 8 is said")
        await pilot.press("shift+tab")
        await shows(app, "tab 3/3")
        await wait_until(lambda: "number 8" not in screen_text(app), "the status in place of the tweets")
        await pilot.click(PanelTabs)
        await shows(app, "tab 1/3", "temp 0.80")
        await pilot.press("+")
        await shows(app, "temp 0.85")


async def test_after_a_resize_keys_reach_the_panel_that_is_shown(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=TINY) as pilot:
        await shows(app, "number 8 is said")
        assert isinstance(app.focused, TweetFeed)
        await pilot.press("tab", "tab")
        await shows(app, "tab 3/3")
        await wait_until(lambda: app.focused is None, "no focus: the status takes no keys")
        await pilot.resize_terminal(*NORMAL)
        await resized(app, NORMAL)
        await wait_until(lambda: isinstance(app.focused, TweetFeed), "the focus of the feed")
        assert "PanelTabs" not in panels_on(app)
        await pilot.press("tab")
        await wait_until(lambda: isinstance(app.focused, LossPlot), "the focus of the plot")
        await pilot.resize_terminal(*TINY)
        await resized(app, TINY)
        await shows(app, "tweets [plot] status")
        await wait_until(lambda: isinstance(app.focused, LossPlot), "the plot keeps the keys")
        await pilot.press("shift+tab")
        await shows(app, "[tweets] plot status")
        await wait_until(lambda: isinstance(app.focused, TweetFeed), "the focus of the feed")


async def test_random_and_extreme_sizes_are_drawn_without_an_error_and_the_last_is_complete(stage: Stage) -> None:
    sizes = random.Random(0)  # noqa: S311 - any will do, the same in each run
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=WIDE) as pilot:
        await shows(app, "number 8 is said")
        for _ in range(6):
            await draw_at(app, pilot, (sizes.randint(40, 200), sizes.randint(12, 60)))
        for size in ((1, 1), (300, 5), (5, 100)):
            await pilot.resize_terminal(*size)
            assert app.is_running
        await pilot.resize_terminal(*WIDE)
        await resized(app, WIDE)
        await shows(app, "number 8 is said", "▶ training", "best ◆")
        assert set(panels_on(app)) == {"TweetFeed", "LossPlot", "StatusPanel", "KeyBar"}
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
