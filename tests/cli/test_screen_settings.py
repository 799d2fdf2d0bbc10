"""Settings of a run on the screen that a run without one does not have."""

from __future__ import annotations

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, Setting
from tui.cli.commands.screen import with_screen_settings

OVERFIT = CorpusConfig(overfit=200)


@pytest.mark.parametrize(
    ("corpus", "given", "expected"),
    [
        pytest.param(OVERFIT, {}, 7.0, id="slow enough to watch a single tweet"),
        pytest.param(OVERFIT, {"steps_per_second": 0.0}, 0.0, id="as set by the user"),
        pytest.param(CorpusConfig(), {}, None, id="no limit for a whole corpus"),
        pytest.param(None, {}, None, id="no limit for the embedded corpus"),
    ],
)
def test_the_pace_on_the_screen_is(
    corpus: CorpusConfig | None, given: dict[str, Setting], expected: float | None
) -> None:
    config = with_screen_settings(RunConfig(corpus=corpus, settings=given), {"sample_every": 9})

    assert config.settings.get("steps_per_second") == expected
    assert config.settings["sample_every"] == 9
