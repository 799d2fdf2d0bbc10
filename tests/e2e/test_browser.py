"""`serve` with a real run and a real Chromium: what the browser shows, and what its keys may do."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession

from engine.protocol import events as e
from tests.cli.conftest import Launch
from tests.cli.program import Process, processes_in
from tests.e2e.browser_tab import browser_tab
from tests.e2e.conftest import QUIET
from tests.e2e.journals import events_of, wait_for_end, wait_for_steps
from tests.waiting import wait_until


@pytest.fixture
def run(launch: Launch, home: Path, tweets: Path) -> None:
    """The run `watched`, which trains without a screen."""
    launch("train", "--data", tweets, *QUIET, "--steps-per-second", "50", "--run-name", "watched")
    wait_for_steps(home, 1)


def screens_in(home: Path) -> list[psutil.Process]:
    """Return the processes behind tabs."""
    return [process for process in processes_in(home) if "attach" in process.cmdline()]


def start(launch: Launch, *options: str) -> tuple[Process, str]:
    """Start a server on a free port; return it and its address."""
    server = launch("serve", "--port", "0", *options)
    return server, next(server.lines()).strip()


def files_in(home: Path) -> set[Path]:
    """Return the files of the data folder, but those that the training process writes."""
    return {path for path in home.rglob("*") if path.is_file() and not {"checkpoints", "cache"} & {*path.parts}}


@pytest.mark.usefixtures("run")
def test_a_browser_shows_the_run_and_without_control_changes_neither_the_run_nor_a_file(
    launch: Launch, home: Path
) -> None:
    files = files_in(home)
    server, url = start(launch)
    with browser_tab(url) as tab:
        tab.wait_for(r"▶ training +read-only(.|\n)*step +[1-9]")
        tab.wait_until_painted()
        tab.press("?")
        tab.wait_for("How much the next character surprises the model")
        tab.press("Escape")
        tab.wait_for("▶ training")
        tab.press("m")
        tab.wait_for("Mouse released")
        assert b"\x1b[?1003l" in tab.received
        tab.press("b")  # a setting that every other screen saves
        tab.wait_for("nats per character")
        tab.press(",")
        tab.wait_for("Changes are not saved")
        tab.press("Escape")
        tab.wait_until_gone("Changes are not saved")
        tab.press("Control+p")
        tab.wait_for("Search for")
        with tab.page.expect_popup() as popup:  # a download, while every other screen writes a file
            tab.press(*"screenshot")
            tab.wait_until_gone("Pause or resume")
            tab.wait_for("Save an SVG")
            tab.press("Enter")
        assert "<svg" in popup.value.content()
        for key in ("Space", "e", "o"):
            tab.press(key)
            tab.wait_for(r"Read-only: this needs tweetgen-tui serve --control\.")
        assert {str(connection.laddr.ip) for each in processes_in(home) for connection in each.net_connections()} == {
            "127.0.0.1"
        }
        assert tab.hosts == {"127.0.0.1"}
        assert tab.errors == []
    wait_until(lambda: not screens_in(home), "the end of the closed tab's process")
    assert files_in(home) == files
    assert not any(isinstance(event, e.Paused) for event in events_of(home))
    server.send(signal.SIGINT)
    assert server.wait().code == 130
    wait_for_steps(home, 1)


@pytest.mark.usefixtures("run")
def test_with_control_a_browser_pauses_and_ends_the_run_and_then_says_how_it_ended(launch: Launch, home: Path) -> None:
    server, url = start(launch, "watched", "--control")
    with browser_tab(url) as tab:
        tab.wait_for("▶ training +attached")
        tab.press("Space")
        tab.wait_for("‖ paused")
        wait_until(lambda: isinstance(events_of(home)[-1], e.Paused), "the pause in the journal")
        tab.press("q")
        tab.wait_for("y stop the run")
        tab.press("y")
        assert wait_for_end(home).reason == "stopped by the user"
        tab.wait_for("tweetgen-tui --resume watched")
        tab.page.get_by_text("Open it again").click()
        tab.page.wait_for_selector("body.-first-byte")
        tab.wait_for("tweetgen-tui --resume watched")
        tab.page.wait_for_selector("text=This screen is closed")
        server.send(signal.SIGTERM)
        assert server.wait().code == 143


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_the_server_ends_the_screens_of_its_tabs_and_the_run_continues(
    launch: Launch, home: Path, number: signal.Signals
) -> None:
    server, url = start(launch)

    async def open_tab_and_end_server() -> None:
        socket_url, origin = url.replace("?token=", "ws/"), url.partition("/?")[0]
        async with ClientSession() as client, client.ws_connect(socket_url, headers={"Origin": origin}) as socket:
            while "read-only" not in (await socket.receive_bytes()).decode(errors="replace"):
                pass
            server.send(number)
            async for _ in socket:
                pass

    asyncio.run(open_tab_and_end_server())
    assert server.wait().code == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: not screens_in(home), "the end of the screen")
    wait_for_steps(home, 1)
