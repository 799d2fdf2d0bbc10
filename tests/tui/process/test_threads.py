"""Functions on threads of their own, and internal errors as two lines."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from engine.errors import CorpusError, InternalError
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


def test_an_internal_error_names_the_log_with_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    error = to_tweetgen_error(ZeroDivisionError("oh no"), "Looking at tweets")
    assert isinstance(error, InternalError)
    assert "oh no" in error.message
    log = tmp_path / "tweetgen.log"
    assert str(log) in error.hint
    assert "ZeroDivisionError: oh no" in log.read_text()
