"""What a module drags in with it, seen in a fresh interpreter: heavy libraries are only where they are needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCREEN = {"textual", "rich", "typer"}
WITHOUT_TORCH = [
    "engine.errors",
    "engine.config.run",
    "engine.protocol.events",
    "engine.protocol.commands",
    "engine.text",
    "engine.model.vocab",
    "engine.protocol.codec",
    "engine.storage.folders",
    "engine.config.presets",
    "engine.storage.journal",
    "engine.compute.clocks",
    "engine.corpus.loading",
    "engine.corpus.inspection",
    "engine.corpus.download.catalog",
    "engine.corpus.download.download",
    "engine.checkpoints.metadata",
    "engine.checkpoints.catalog",
    "engine.session.preflight",
]
OF_THE_ENGINE = [
    "engine.session.session",
    "engine.session.loop",
    "engine.checkpoints.checkpoint",
    "engine.sampling.sampler",
    "engine.training.evaluation",
]


def packages_loaded_by(*modules: str) -> set[str]:
    """Return the top-level packages in `sys.modules` after importing `modules` in a fresh interpreter."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_what_the_screen_needs_at_its_start_loads_no_torch() -> None:
    assert "torch" not in packages_loaded_by(*WITHOUT_TORCH)


def test_the_engine_loads_nothing_of_the_screen() -> None:
    loaded = packages_loaded_by(*OF_THE_ENGINE)
    assert {"engine", "torch"} <= loaded  # what is imported is seen
    assert not loaded & (SCREEN | {"tui"})


def test_the_reducer_and_its_series_load_no_framework() -> None:
    assert not packages_loaded_by("tui.run.reducer", "tui.run.series") & (SCREEN | {"torch"})


def test_the_screen_loads_no_torch_before_it_is_open() -> None:
    assert "torch" not in packages_loaded_by("tui.app.app", "tui.screens.main.screen", "tui.run.bridge")


def test_the_command_line_loads_no_torch_and_no_reader_before_it_knows_what_is_wanted() -> None:
    assert not packages_loaded_by("tui.cli.app") & {"torch", "pyarrow", "libipld", "httpx", "textual"}
