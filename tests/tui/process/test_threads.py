"""Functions on threads of their own, and internal errors as two lines."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from pathlib import Path

import pytest

from engine.errors import CorpusError, InternalError
from tui.cli.commands.screen import leave_process
from tui.process import threads
from tui.process.threads import on_own_thread
from tui.run.error_report import to_tweetgen_error


@pytest.mark.parametrize("error", [CorpusError("It is empty."), RecursionError(), SystemExit(3)])
async def test_an_exception_in_a_thread_is_raised_where_it_is_awaited(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await on_own_thread(fail)
    assert caught.value is error


async def test_a_cancelled_task_is_not_awaited() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def hang() -> None:
        may_end.wait(10)
        has_ended.set()

    task = asyncio.create_task(on_own_thread(hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    assert has_ended.wait(10)


def test_the_program_exits_once_a_thread_that_writes_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    may_write, written, exits = threading.Event(), list[str](), list[tuple[int, list[str]]]()

    def write() -> None:
        may_write.wait(10)
        written.append("the settings")

    async def start_writing() -> None:
        writing = asyncio.create_task(on_own_thread(write, writes=True))
        await asyncio.sleep(0)
        writing.cancel()

    asyncio.run(start_writing())
    monkeypatch.setattr(threads, "MAX_WRITING_SECONDS", 60.0)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    monkeypatch.setattr(os, "_exit", lambda code: exits.append((code, [*written])))
    threading.Timer(0.05, may_write.set).start()
    leave_process(3)
    assert exits == [(3, ["the settings"])]


def test_an_internal_error_names_the_log_with_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    error = to_tweetgen_error(ZeroDivisionError("oh no"), "Looking at tweets")
    assert isinstance(error, InternalError)
    assert "oh no" in error.message
    log = tmp_path / "tweetgen.log"
    assert str(log) in error.hint
    assert "ZeroDivisionError: oh no" in log.read_text()
