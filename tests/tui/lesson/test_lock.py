"""Two lessons at the same time: the second is refused."""

from __future__ import annotations

import os

import pytest

from engine.errors import StorageError
from tui.lesson.lock import is_lesson_open, lock_lesson


def test_a_lesson_that_is_open_is_refused_until_it_is_closed() -> None:
    assert not is_lesson_open()
    descriptor = lock_lesson()
    assert is_lesson_open()
    with pytest.raises(StorageError, match="open in another terminal"):
        lock_lesson()
    os.close(descriptor)
    assert not is_lesson_open()
    os.close(lock_lesson())
