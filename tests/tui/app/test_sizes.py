"""The screen at many sizes: panels fill it without overlap, and keys reach all of it."""

from __future__ import annotations

import itertools
import random

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.app import App
from textual.events import Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.pilot import Pilot

from engine.protocol.events import Event
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, screen_text, shows, wait_until
from tests.tui.transcripts import plays, transcript
from tests.tui.widgets.status.test_machine import COST, READING
from tui.app.app import TweetgenApp
from tui.process.exit import Outcome
from tui.terminal import app as terminal_app
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import LARGEST_SIZE
from tui.terminal.driver import MeteredDriver
from tui.widgets.feed.feed import PanelRule, TweetFeed
from tui.widgets.key_bar import KeyBar
from tui.widgets.plot.plot import LossPlot
from tui.widgets.status.header import Header
from tui.widgets.status.machine import UsageCounters
from tui.widgets.status.machine_reader import MachineReader
from tui.widgets.status.side_panel import SidePanel, StatusLines

HUGE, WIDE, NORMAL, TINY, TOO_SMALL = (200, 60), (120, 35), (80, 24), (40, 12), (30, 8)
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


async def resized(app: TweetgenApp, size: tuple[int, int]) -> None:
    """Wait until the app is laid out for this size."""
    await wait_until(lambda: app.size == size and app.screen.size == size, f"{size}")
    await wait_until(lambda: app.screen.query_one(KeyBar).region.bottom in (0, size[1]), "the layout")


async def draw_at(app: TweetgenApp, pilot: Pilot[Outcome], size: tuple[int, int]) -> None:
    """Draw the screen at a size, the next panel focused; lines have its width, and panels share all of it."""
    await pilot.resize_terminal(*size)
    await resized(app, size)
    await pilot.press("tab")
    assert {cell_len(line) for line in screen_text(app).splitlines()} == {size[0]}
    panels = list(panels_on(app).values())
    assert not any(one.intersection(other).area for one, other in itertools.combinations(panels, 2))
    assert Region.from_union(panels) == Region(0, 0, *size)
    assert sum(panel.area for panel in panels) == size[0] * size[1]


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


async def test_of_sizes_that_arrive_in_the_wrong_order_the_one_that_the_terminal_has_is_laid_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = object.__new__(MeteredDriver)  # without a terminal
    driver._in_band_window_resize = False
    monkeypatch.setattr(MeteredDriver, "_get_terminal_size", lambda _: (110, 32))
    async with stage.running(FakeSession(SCRIPT), WIDE) as (app, _, _):
        with monkeypatch.context() as patched:
            patched.setattr(TerminalApp, "metered_driver", driver)
            patched.setattr(MeteredDriver, "num_waiting_bytes", 0)
            app.post_message(Resize(Size(100, 30), Size(100, 30)))
            await resized(app, (110, 32))


async def test_a_toast_covers_nothing_and_the_newest_tweet_stays_in_view_also_where_it_is_selected(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(SCRIPT), WIDE, draws_toasts=True) as at:
        for size, keys in ((WIDE, "up"), (HUGE, "end"), (NORMAL, "up"), (TINY, "tab"), (TINY, "tab")):
            await at.resize(*size)
            await at.press(keys)
            before = panels_on(at.app)
            at.app.screen.notify("Saved as “happy”.")
            await at.press(shows="Saved as “happy”.")
            await at.settle()
            toast, now = at.app.screen.query_one("Toast").region, panels_on(at.app)
            covered = [name for name in now if now[name].overlaps(toast)]
            assert covered == [name for name in ("TweetFeed",) if name in now]
            assert at.text.splitlines()[toast.y].strip() == "▌ Saved as “happy”."
            assert not covered or "number 8 is said" in at.text
            at.app.clear_notifications()
            await at.press(lacks="Saved as")
            await at.settle()
            assert panels_on(at.app) == before
        for number in range(1, 4):  # more than fit
            at.app.screen.notify(f"Toast {number} has a text that takes two lines here.")
        await at.press(shows=("number 8 is said", "Toast 3 has"), lacks="Toast 1 has")
        at.app.clear_notifications()
        at.app.screen.notify("Saved.")
        await at.press(shows=("number 8 is said", "Saved."), lacks="Toast 3 has")


PLAYS = plays("sizes", globals())


def shown(at: Running) -> str:
    """Return which of plot and feed are shown, the one with the focus first, and whether the mouse is captured."""
    focus = type(at.app.focused).__name__
    seen = [name for name in ("LossPlot", "TweetFeed") if name in panels_on(at.app)]
    seen.sort(key=lambda name: name != focus)
    return f"{' and '.join(seen) or 'neither'}, {'mouse' if at.app.has_mouse else 'no mouse'}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_keys_reach_all_of_a_small_or_large_terminal_as_recorded(
    stage: Stage, claim: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(MachineReader, "read", lambda _: READING)
    monkeypatch.setattr(UsageCounters, "cost_since", lambda *_: COST)
    async with stage.running(FakeSession(SCRIPT), TOO_SMALL if "minimum" in claim else TINY) as at:
        assert await transcript(at, *PLAYS[claim], note=shown) == snapshot


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
        assert set(panels_on(app)) == {"Header", "LossPlot", "SidePanel", "PanelRule", "TweetFeed", "KeyBar"}
        assert screen_text(app).count("number 8 is said") == 1


async def test_a_tick_posts_nothing_to_textuals_own_first_screen_which_would_repaint_the_whole_terminal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        received: list[Message] = []
        with monkeypatch.context() as patch:
            patch.setattr(at.app.screen_stack[0], "post_message", received.append)
            at.app.main.tick()
        assert received == []
