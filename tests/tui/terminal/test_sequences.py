"""The title of the terminal, the bell and notices: what of them is written to which terminal."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.fold import fold
from tui.run.summary import title_of
from tui.run.view import RunView
from tui.terminal.sequences import Notifications

STARTED = run_started(run="first", training=TrainingConfig(max_steps=20))
TRAINING = (STARTED, steps_finished(1, [2.0] * 19), eval_finished(12_300, 2.412))


def view_after(*events: e.Event, is_replay: bool = False) -> RunView:
    return fold(RunView(is_replay=is_replay), events)


def test_the_title_shows_run_bits_and_step(snapshot: SnapshotAssertion) -> None:
    views = (
        view_after(),
        view_after(*TRAINING),
        view_after(STARTED, steps_finished(1, [0.6931] * 3)),
        view_after(*TRAINING, e.Paused(step=9, elapsed_seconds=1.0)),
        view_after(*TRAINING, e.Paused(step=20, elapsed_seconds=1.0)),
        view_after(STARTED, is_replay=True),
    )
    assert "\n".join([*map(title_of, views), title_of(views[1], "nats")]) == snapshot


def test_the_previous_title_is_saved_and_restored_and_each_title_written_once() -> None:
    written: list[str] = []
    notifications = Notifications(written.append, {"TERM": "xterm-256color"})
    for title in ("", "first", "second", "second", "", "", "first"):
        notifications.show_title(title)
    saved, restored = "\x1b[22;0t\x1b]0;first\x07", "\x1b]0;\x07\x1b[23;0t"
    assert written == [saved, "\x1b]0;second\x07", restored, saved]


def test_neither_the_name_of_a_run_nor_a_notification_can_end_its_escape_sequence() -> None:
    view = view_after(run_started(run="a\x07\x1b]9;gotcha\x1b\\b"))
    assert not {"\x07", "\x1b"} & set(title_of(view))
    assert len(title_of(view_after(run_started(run="x" * 5000)))) <= 120
    sent: list[str] = []
    notify = Notifications(sent.append, {"TERM": "xterm-256color"}).notify
    notify("a\x1b]0;gotcha\x07b", with_bell=False, on_desktop=True)
    (written,) = sent
    assert (written.count("\x1b"), written.count("\x07")) == (1, 1)


def test_a_linux_console_which_would_print_other_sequences_gets_the_bell_only() -> None:
    for term, expected in (("xterm", ["\x1b[22;0t\x1b]0;first\x07", "\x1b]9;over\x07", "\x07"]), ("linux", ["\x07"])):
        written: list[str] = []
        notifications = Notifications(written.append, {"TERM": term})
        notifications.show_title("first")
        notifications.notify("over", with_bell=True, on_desktop=True)
        assert written == expected
