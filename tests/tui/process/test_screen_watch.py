"""The watch over a screen: what counts as its answer, and that the program ends however a takeover goes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.waiting import DEADLINE_SECONDS
from tui.process import screen_watch
from tui.process.screen_watch import ScreenWatch

TERMINATED_CODE = 143


class Exits:
    """Records the exit codes in place of ending the process."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.has_exited = threading.Event()

    def exit(self, code: int) -> None:
        self.codes.append(code)
        self.has_exited.set()
        if threading.current_thread() is threading.main_thread():
            raise SystemExit


@pytest.fixture(name="exits")
def _exits(monkeypatch: pytest.MonkeyPatch, home: Path) -> Exits:
    """Record exits; let no time pass between the polls of a watch."""
    exits = Exits()
    monkeypatch.setattr(os, "_exit", exits.exit)
    monkeypatch.setattr(screen_watch, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(screen_watch, "TAKEOVER_SECONDS", DEADLINE_SECONDS)
    return exits


def watched(watch: ScreenWatch, take_over: Callable[[int | None], object]) -> None:
    """Run the watch on this thread until it ends the process."""
    with pytest.raises(SystemExit):
        watch._watch(take_over)
    watch.has_no_limit.set()  # its thread would end the process of the tests


@pytest.mark.parametrize(("answers", "code"), [(1, TERMINATED_CODE), (0, None)])
def test_the_watch_takes_over_for_what_the_screen_has_not_answered(
    answers: int, code: int | None, exits: Exits
) -> None:
    watch, codes = ScreenWatch(), list[int | None]()
    watch.expect()
    watch.react()
    if not answers:
        watch.expect()  # the reaction to the first ctrl+c does not count for the second
    watch.expect(TERMINATED_CODE)
    watched(watch, codes.append)
    assert codes == [code]
    assert exits.codes == [3 if code is None else code]


def test_a_screen_that_closes_at_the_last_moment_is_not_taken_over(
    exits: Exits, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, codes = ScreenWatch(), list[int | None]()
    watch.expect(TERMINATED_CODE)
    monkeypatch.setattr(screen_watch, "PATIENCE_SECONDS", screen_watch._POLL_SECONDS)
    monkeypatch.setattr(screen_watch, "time", SimpleNamespace(sleep=lambda _: watch.close()))
    watch._watch(codes.append)
    assert (codes, exits.codes) == ([], [])


def test_the_process_ends_although_the_takeover_fails_or_hangs(
    exits: Exits, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int | None) -> None:
        raise RuntimeError("a mistake of ours")

    watch = ScreenWatch()
    watch.expect(TERMINATED_CODE)
    watched(watch, fail)
    assert exits.codes == [TERMINATED_CODE]
    assert "RuntimeError: a mistake of ours" in (home / "tweetgen.log").read_text(encoding="utf-8")
    exits.has_exited.clear()
    monkeypatch.setattr(screen_watch, "TAKEOVER_SECONDS", 0.0)
    watch = ScreenWatch()
    watch.expect(TERMINATED_CODE)
    watched(watch, lambda _: exits.has_exited.wait(DEADLINE_SECONDS))
    assert exits.codes == [TERMINATED_CODE] * 3  # by the time limit, and once the takeover has returned all the same


def test_a_run_that_continues_in_the_background_has_no_time_limit(
    exits: Exits, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ScreenWatch()
    watch.expect(TERMINATED_CODE)

    def continue_run(_: int | None) -> None:
        watch.has_no_limit.set()
        for thread in threading.enumerate():
            if thread.name == "takeover limit":
                thread.join(DEADLINE_SECONDS)
        assert exits.codes == []

    watched(watch, continue_run)
    assert exits.codes == [TERMINATED_CODE]
