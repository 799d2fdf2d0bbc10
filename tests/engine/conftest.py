"""Fixtures of session tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.helpers import write_corpus


@pytest.fixture
def corpus(home: Path) -> Path:
    """Write a file of 60 tweets into the data folder."""
    return write_corpus(home)
