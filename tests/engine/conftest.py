"""Fixtures of session tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.helpers import write_corpus


@pytest.fixture
def corpus(home: Path) -> Path:
    """Write a file of 60 tweets; runs and checkpoints are in the folder beside it."""
    return write_corpus(home)
