"""The key table, the key bar, the palette and the help agree; keys steer the run, or show why they can not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast, get_args

from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol.events import Warned
from tests.fakes import FakeSession, change, run_finished, run_started, steps_finished
from tests.tui.conftest import CHARACTERS, Running, Stage, cropped, drawn, toasted, wait_until
from tests.tui.transcripts import transcript
from tui.app.command_palette import CommandPalette, commands_of, found
from tui.app.main_screen import MainScreen
from tui.dialogs.help import HelpDialog
from tui.dialogs.tweets import TweetDialog
from tui.process.exit import Outcome
from tui.run.alerts import Alerts
from tui.run.fold import fold
from tui.run.model import Need, RunModel, first_reason, unmet_needs
from tui.run.pending import Pending
from tui.run.series import Series
from tui.run.view import RunView
from tui.settings.key_table import BAR_KEYS, KEY_TABLE, MAIN_ACTIONS, MAIN_KEYS, NEEDS, PANEL_ACTIONS, Key, keys_of
from tui.settings.keys import SETTABLE_KEYS, without_clashes
from tui.text.cells import num_cells, plain
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.key_bar import PAUSE_LABELS, KeyBar
from tui.widgets.plot.plot import LossPlot
from tui.widgets.prompt_line import PromptLine

if TYPE_CHECKING:
    from tui.run.connection import RunConnection

TABLE = KEY_TABLE | {"In the lesson": tuple(keys_of("lesson"))}
ROWS = tuple(chain(*TABLE.values()))


def characters(keys: str) -> Iterator[str]:
    """Yield the printable characters among Textual's names of keys."""
    yield from (CHARACTERS[name] for name in keys.split(",") if name in CHARACTERS)


def test_the_key_table_is_as_recorded(snapshot: SnapshotAssertion) -> None:
    """The names are those of `config.toml`: they stay. A character with several actions should mean one thing."""
    lines = []
    for heading, keys in TABLE.items():
        lines.append(f"# {heading}")
        for key in keys:
            facts = [*key.needs, *["opens"] * key.opens, *[f"bar: {key.label}"] * bool(key.label)]
            lines.append(f"{key.shown:16} {key.name:22} {key.title:42} {', '.join(facts)}".rstrip())
    actions = defaultdict(set)
    for key in ROWS:
        for character in characters(key.keys):
            actions[character].add(key.name)
    lines.append("# Characters with several actions")
    lines += [f"{char} {', '.join(sorted(names))}" for char, names in sorted(actions.items()) if len(names) > 1]
    assert "\n".join(lines) == snapshot


def test_one_action_needs_one_thing_wherever_it_has_a_key() -> None:
    assert [key for key in ROWS if NEEDS[key.action] != key.needs] == []


def test_no_default_key_is_taken_by_tmux_screen_or_flow_control_and_all_are_valid_as_settings() -> None:
    written = {name: key.keys for name, key in SETTABLE_KEYS.items()}
    assert without_clashes(written) == (written, [])
    taken = {"ctrl+a", "ctrl+b", "ctrl+q", "ctrl+s", "ctrl+c", "ctrl+z"}
    assert [key.title for key in chain(*KEY_TABLE.values()) if taken & set(key.keys.split(","))] == []


async def test_the_key_bar_cuts_no_key_and_names_the_most_important_and_those_of_the_focused_panel(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running() as at:
        bar, lines = at.app.screen.query_one(KeyBar), []
        for width in (180, 160, 120, 80, 47, 40):
            await at.resize(width, 24)
            for label in ("pause", *PAUSE_LABELS.values()):
                bar.pause_label = label
                lines.append(f"{width:3} {plain(bar.lines)}")
                assert num_cells(bar.lines[0]) <= width
        bar.pause_label = "pause"
        at.app.screen.query_one(LossPlot).focus()
        for width in (120, 80):
            await at.resize(width, 24)
            lines.append(f"{width:3} {plain(bar.lines)}, in the plot")
        assert "\n".join(lines) == snapshot


def main(at: Running) -> MainScreen:
    assert isinstance(at.app.screen, MainScreen)
    return at.app.screen


def pause_twice_at_once(at: Running) -> None:
    at.app.steering.action_pause()
    at.app.steering.action_pause()


async def raise_the_temperature_100_times(at: Running, direction: int = 1) -> None:
    for _ in range(100):
        at.app.steering.action_temperature(direction)
    await at.settle()
    at.session.received.clear()


async def lower_it_100_times(at: Running) -> None:
    await raise_the_temperature_100_times(at, -1)


async def test_keys_steer_the_run_and_the_screen_shows_it(stage: Stage, snapshot: SnapshotAssertion) -> None:
    async with stage.running() as at:
        keys = ("space", "g", "space", pause_twice_at_once, "f", "f", "b", "b", "+", "=", "-", "_")
        assert await transcript(at, *keys, raise_the_temperature_100_times, lower_it_100_times) == snapshot


async def test_a_click_on_a_key_in_the_bar_presses_it_on_a_notice_nothing_and_q_stops_the_run(stage: Stage) -> None:
    async with stage.running() as at:
        column = at.text.splitlines()[23].index("g tweet") + 2
        await at.pilot.click(KeyBar, offset=(column, 0))
        await at.press(sends=c.SampleNow())
        await at.pilot.click(KeyBar, offset=(at.text.splitlines()[23].index("enter read"), 0))
        await at.press(opens=TweetDialog)
        await at.press("escape", "tab", opens=MainScreen, shows="← → cursor")
        await at.pilot.click(KeyBar, offset=(at.text.splitlines()[23].index("← → cursor"), 0))
        await at.press(shows="step 3 at")
        column = at.text.splitlines()[23].index("g tweet") + 2
        at.app.screen.query_one(KeyBar).notice = "saving…"
        await at.press(shows="saving…")
        await at.pilot.click(KeyBar, offset=(column, 0))
        await at.press("ctrl+q", "f", sends=c.Finish())
        await at.press("q")
        await wait_until(lambda: not at.app.is_running, "the end")
    assert [type(command) for command in at.session.received] == [*(c.SampleNow, c.ReadTweet, c.Finish, c.Stop)]
    assert (at.app.return_code, at.app.return_value) == (0, Outcome(is_ending=True))
    assert (at.app.summary_view.phase, at.app.connection.is_alive) == ("finished", False)


async def test_a_click_on_a_key_of_the_prompt_acts_on_its_line_also_without_the_focus(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("p", "h", "i")
        at.app.screen.set_focus(None)
        bar = at.app.screen.query_one(PromptLine).query_one(KeyBar)
        column = cropped(drawn(at.app), bar.region).index("enter sample")
        await at.pilot.click(bar, offset=(column, 0))
        await wait_until(lambda: c.SampleNow(prime="hi", draw=0) in at.session.received)


async def test_every_action_is_one_of_its_controller_and_those_that_open_something_are_marked(stage: Stage) -> None:
    async with stage.running() as at:
        screen = main(at)
        owners = {"": screen, "LossPlot": LossPlot(), "TweetFeed": TweetFeed()}
        for panel, keys in PANEL_ACTIONS.items():
            for key in keys:
                owner, _, name = key.action.partition("(")[0].rpartition(".")
                acting = at.app if owner == "app" else getattr(at.app, owner) if owner else owners[panel]
                assert callable(getattr(acting, f"action_{name}")), key.action
        opening = set()
        for key in (key for key in MAIN_KEYS if key.name not in {"leave", "detach"}):
            await at.app.run_action(key.action, screen)
            if at.app.screen is not screen or screen.query_one(PromptLine).is_open:
                opening.add(key.name)
            if at.app.screen is not screen:
                await wait_until(lambda: at.app.screen.focused is not None, key.title)
                await at.app.pop_screen()
            screen.query_one(PromptLine).action_close_line()
        assert opening == {key.name for key in MAIN_KEYS if key.opens}


async def test_palette_and_help_list_every_action_with_key_and_sentence_and_the_palette_runs_it(stage: Stage) -> None:
    def entries(keys: tuple[Key, ...]) -> list[tuple[str, str]]:
        return [(key.shown, key.sentence) for key in keys]

    async with stage.running() as at:
        screen = main(at)
        commands = tuple(commands_of(screen))
        keys = [key for key in chain(*PANEL_ACTIONS.values()) if key.action != "app.command_palette"]
        expected = [(key.title, key.shown if key.keys else "", key.sentence) for key in keys]
        assert sorted((each.title, each.keys, each.sentence) for each in commands) == sorted(expected)
        ((by_sentence, _),) = found(commands, "more random")
        assert by_sentence.title == "Raise the temperature"
        await at.press("ctrl+p", opens=CommandPalette)
        await at.type_into("the plot's cursor", "enter", opens=MainScreen)
        await wait_until(lambda: isinstance(screen.focused, LossPlot), "the focus on the plot")
        await at.press("ctrl+p", opens=CommandPalette)
        words = ("Sample a tweet now", "Sample one more tweet, also while paused.")
        await at.type_into("tweet now", shows=words, lacks="Temperature ladder")
        await at.press("enter", sends=c.SampleNow(), opens=MainScreen)
        await at.press("?", opens=HelpDialog)
        text = at.app.screen
        assert isinstance(text, HelpDialog)
        shown = {heading: [tuple(entry[:2]) for entry in each] for heading, each in text.keys.items()}
        assert shown == {heading: entries(keys) for heading, keys in KEY_TABLE.items()}
        assert {"● new", "◐ near-copy", "○ copy"} <= {entry.term for entry in text.words["A line of the feed"]}
        await at.press("end", shows="In the other dialogs")


STARTED = run_started(run="mine", training=TrainingConfig(max_steps=9), sampling=SamplingConfig(prime="the "))
TRAINING = fold(
    RunView(), [STARTED, steps_finished(1, [2.0]), Warned(step=1, elapsed_seconds=1.0, message="", kind="disk")]
)
STATES: dict[str, dict[str, Any]] = {
    "starting": {"phase": "starting"},
    "finished": {"phase": "finished", "started": None},
    "finished, with a name": {"phase": "finished"},
    "failed": {"phase": "failed"},
    "replay": {"is_replay": True},
    "read-only": {"refusal": "Read-only."},
    "restarting": {"interruption": "Restarting."},
    "ending": {"is_ending": True},
    "at the end of its budget": {"phase": "paused", "step": 9},
    "in a browser": {"is_in_browser": True},
    "read-only in a browser": {"is_in_browser": True, "refusal": "Read-only."},
    "nothing to act on": {
        "has_tweet": False,
        "alerts": Alerts(),
        "pending": Pending(),
        "train_losses": Series.empty(),
        "sampling": SamplingConfig(),
    },
}


def unmet_in(**state: Any) -> dict[Need, str]:
    """Return the needs that a training run does not meet once fields of its view, model or connection are changed."""
    options = {name: state.pop(name) for name in ("has_tweet", "is_in_browser") if name in state}
    link = {"refusal": "", "interruption": "", "is_remote": True, "config": RunConfig()}
    of_link = {name: state.pop(name) for name in link if name in state}
    of_run = {name: state.pop(name) for name in ("is_ending", "alerts", "pending") if name in state}
    run = RunModel(cast("RunConnection", SimpleNamespace(**link | of_link)), TRAINING)
    run.pending = run.pending.sent(change(temperature=1.0), TRAINING)
    run.view = replace(TRAINING, **state)
    for name, value in of_run.items():
        setattr(run, name, value)
    return unmet_needs(run, **options)


def test_keys_that_can_not_act_in_a_state_of_the_run_have_the_recorded_reasons(snapshot: SnapshotAssertion) -> None:
    lines = []
    for name, state in STATES.items():
        reasons = defaultdict(list)
        for key in MAIN_ACTIONS:
            reasons[first_reason(key.needs, unmet_in(**state))].append(key.name)
        lines += [f"# {name}", *(f"{reason} {', '.join(keys)}" for reason, keys in reasons.items() if reason)]
    assert "\n".join(lines) == snapshot
    assert unmet_in() == {}
    assert {need for state in STATES.values() for need in unmet_in(**state)} == set(get_args(Need))


def grey(bar: KeyBar) -> set[str]:
    """Return the dimmed words of a bar."""
    return {span.text.strip() for line in bar.lines for span in line if span.style == "off"}


async def test_a_key_that_a_bar_dims_shows_its_reason_and_does_nothing(stage: Stage) -> None:
    async with stage.running(size=(160, 40)) as at:
        screen = main(at)
        before, bar = screen.run.view, screen.query_one(KeyBar)
        for changes in ({"phase": "starting"}, {"phase": "finished"}, {"is_replay": True}):
            screen.run.view = replace(before, **changes)
            await at.settle()
            assert bar.unmet == screen.unmet
            reasons = {key: first_reason(key.needs, bar.unmet) for key in MAIN_ACTIONS}
            for key, reason in reasons.items():
                if reason:
                    await at.app.run_action(key.action, screen)
                    await toasted(at.app, reason)
                    assert at.app.screen is screen, key.title
            assert {key.shown for key in BAR_KEYS if reasons[key]} <= grey(bar)
            assert not {key.shown for key in BAR_KEYS if not reasons[key]} & grey(bar)
        assert at.session.received == []
        screen.run.view = before
        await at.press("enter", opens=TweetDialog)
        assert grey(at.app.screen.query_one(KeyBar)) == set()
        await at.emit(run_finished(3))
        assert grey(at.app.screen.query_one(KeyBar)) == {"n", "new end", "P", "prime"}


async def test_a_key_for_a_run_whose_screen_is_not_laid_out_yet_shows_that_it_is_starting(stage: Stage) -> None:
    async with stage.running(further=(FakeSession(),)) as at:
        at.app.start_run(RunConfig())
        assert await at.app.run_action("main.sample")
        await toasted(at.app, "The run is still starting.")
        assert at.app.screen is at.app.main
