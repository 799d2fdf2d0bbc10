"""Keys that `config.toml` changes act in place of the key table's, and are shown in key bar, palette and help."""

from __future__ import annotations

from pathlib import Path

from textual.command import DiscoveryHit

from engine.config.run import RunConfig
from engine.protocol import commands as c
from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, opened, press, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.run.engine_bridge import EngineBridge
from tui.screens.command_palette import KeyCommands
from tui.screens.dialogs.help import HelpScreen
from tui.screens.main.screen import MainScreen
from tui.screens.xray.screen import XrayScreen
from tui.settings.store import PreferencesStore
from tui.widgets.key_bar import KeyBar


async def test_a_changed_key_acts_on_the_screen_and_in_the_x_ray_and_is_shown_in_bar_palette_and_help(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[keys]\npause = "f5"\n', encoding="utf-8")
    session = FakeSession((steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3)))
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session)
    app = TweetgenApp(RunConfig(), bridge, store=PreferencesStore(path))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MainScreen)
        await shows(app, "hello there", "f5 pause")
        assert "space pause" not in screen_text(app)
        await pilot.press("space")
        await press(pilot, session, "f5")
        await pilot.click(KeyBar, offset=(screen_text(app).splitlines()[-1].index("f5 "), 0))
        await wait_until(lambda: session.received == [c.Pause(), c.Resume()], "a command")
        hits = [str(hit.display) async for hit in KeyCommands(app.screen).discover() if isinstance(hit, DiscoveryHit)]
        assert "Pause or resume (f5)" in hits
        await pilot.press("?")
        await opened(app, HelpScreen)
        await pilot.press("f", "5")
        await shows(app, "2 found", "f5            Pause or resume the training")
        await pilot.press("escape", "escape")
        await opened(app, MainScreen)
        await pilot.press("x")
        await opened(app, XrayScreen)
        await shows(app, "f5 pause", "esc close")
        await pilot.press("space", "f5")
        await wait_until(lambda: session.received.count(c.Pause()) == 2, "the key in the X-ray")
    bridge.stop("end of the test")
    assert bridge.join(DEADLINE_SECONDS)
    assert [each for each in session.received if each in (c.Pause(), c.Resume())] == [c.Pause(), c.Resume(), c.Pause()]
