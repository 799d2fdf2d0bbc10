"""The config of a new run that repeats the start of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.run import RunConfig
from tests.fakes import run_started
from tui.run.branching import config_at_start


@pytest.mark.parametrize("is_warm_start", [False, True])
def test_a_new_run_after_a_resumed_one_has_its_sizes_unless_they_exclude_a_warm_start(
    home: Path, is_warm_start: bool
) -> None:
    started = run_started(is_warm_start=is_warm_start)
    settings = config_at_start(RunConfig(resume="last"), started).settings
    assert settings["learning_rate"] == started.training.learning_rate
    assert ("hidden_size" in settings) is not is_warm_start
