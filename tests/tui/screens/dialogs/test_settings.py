"""The settings: entries by keyboard, applied at once and saved; keys of `config.toml` act everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.command import CommandPalette, DiscoveryHit

from engine.config.run import TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import SCRIPT, Running, Stage, screen_text, toasted, toasts, wait_until
from tests.tui.transcripts import Entry, Step, Typed, transcript
from tui.app.notifications import Notifications
from tui.run.view import RunView
from tui.screens.command_palette import KeyCommands
from tui.screens.dialogs.help import HelpScreen
from tui.screens.main.screen import MainScreen
from tui.settings.store import PreferencesStore
from tui.widgets.key_bar import KeyBar


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file in the working directory: the dialog shows it."""
    monkeypatch.chdir(tmp_path)
    return Path("config.toml")


def choose_a_theme_as_the_palette_does(running: Running) -> None:
    running.app.theme = "tweetgen-colour-blind"


def chosen(running: Running) -> str:
    """Return what is in the file, and what applies."""
    app, file = running.app, Path("config.toml")
    written = file.read_text() if file.exists() else "no file"
    return f"{app.theme}, {'mouse' if app.has_mouse else 'no mouse'}, {app.loss_unit}; {written!r}"


PLAYS: dict[str, tuple[str, tuple[Step, ...]]] = {
    "a switch and a theme apply at once and are saved": (
        "",
        (
            *(",", "down", "space", "delete"),
            *(Entry("theme"), "right", "right", "left", "escape", choose_a_theme_as_the_palette_does),
        ),
    ),
    "the unit of losses is set at the start and changes at once": (
        '[screen]\nloss_unit = "nats"\n',
        (",", Entry("loss_unit"), "space", "escape"),
    ),
    "a setting that can't be saved applies and is reported": ("theme = \n", (",", Entry("mouse"), "space")),
    "an interval is validated, saved, and set in this run if labelled so": (
        "",
        (
            *(",", Entry("sample_every"), "enter", "a b c", "enter", "ctrl+u"),
            *("- 3", "enter", "home delete", "enter", "enter", "backspace", "enter"),
            *(Entry("autosave_seconds"), "enter", Typed("7.5"), "enter"),
        ),
    ),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_settings_are_changed_by_keys_as_recorded(
    stage: Stage, path: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    text, steps = PLAYS[claim]
    if text:
        path.write_text(text, encoding="utf-8")
    async with stage.running(size=(60, 20), store=PreferencesStore(path)) as running:
        recorded = await transcript(running, *steps, note=chosen)
        assert recorded.replace(f"{Path.cwd()}/", "") == snapshot


async def test_a_saved_theme_is_applied_and_not_written_again_and_invalid_entries_are_reported_in_a_few_toasts(
    stage: Stage, path: Path
) -> None:
    wrong = "\n".join(f"a{number} = 1" for number in range(50))
    path.write_text(f'theme = "tweetgen-light"\n{wrong}\n[screen]\nmouse = 3\n[keys]\nsave = "z"\n', encoding="utf-8")
    before = path.stat().st_mtime_ns
    async with stage.running(store=PreferencesStore(path)) as running:
        assert running.app.theme == "tweetgen-light"
        await toasted(running.app, "48 more in the same file.")
        assert toasts(running.app)[0].startswith("config.toml: screen.mouse: it is 3; it must be true or false")
        assert len(toasts(running.app)) == 4
        await running.press(shows="z save")
    assert path.stat().st_mtime_ns == before


async def test_a_key_of_the_file_acts_and_is_shown_in_bar_x_ray_palette_and_help(stage: Stage, path: Path) -> None:
    path.write_text('[keys]\npause = "f5"\ncommand_palette = "f10"\n', encoding="utf-8")
    async with stage.running(store=PreferencesStore(path)) as running:
        await running.press(shows="f5 pause", lacks="space pause")
        await running.press("space", "f5", sends=c.Pause())
        await running.pilot.click(KeyBar, offset=(screen_text(running.app).splitlines()[-1].index("f5 "), 0))
        await wait_until(lambda: running.session.received == [c.Pause(), c.Resume()], "a command")
        await running.press("x", shows=("f5 pause", "esc close"))
        await running.press("space", "f5")
        assert running.session.received.count(c.Pause()) == 2
        await running.press("escape", opens=MainScreen)
        commands = KeyCommands(running.app.screen).discover()
        hits = [str(hit.display) async for hit in commands if isinstance(hit, DiscoveryHit)]
        assert "Pause or resume (f5)" in hits
        await running.press("?", opens=HelpScreen)
        await running.press("f", "5", shows=("2 found", "f5            Pause or resume the training"))
        await running.press("f10", opens=CommandPalette)
        await running.type_into("pause or", shows="Pause or resume")
        await running.press("enter", opens=MainScreen, sends=c.Resume())


async def test_the_end_of_a_run_is_a_desktop_notification_and_quitting_is_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    notified: list[str] = []
    monkeypatch.setattr(Notifications, "notify", lambda _, text: notified.append(text))
    session = FakeSession(SCRIPT, run_started(training=TrainingConfig(max_steps=3)))
    async with stage.running(session) as running:
        await running.emit(e.Paused(step=3, elapsed_seconds=1.0))
        await wait_until(lambda: notified, "a notice")
        await running.press("q")
    assert notified == ["tweetgen-tui: run 2026-11-25-101112 finished after 3 steps."]


async def test_a_replay_is_labelled_and_shows_refusals_as_toasts(stage: Stage, snapshot: SnapshotAssertion) -> None:
    async with stage.running(history=RunView(is_replay=True)) as running:
        assert await transcript(running, "g", "space") == snapshot
