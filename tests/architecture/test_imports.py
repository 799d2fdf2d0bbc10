"""Heavy libraries are imported late: `sys.modules` of a fresh interpreter after importing a module."""

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
    "engine.peak_memory",
    "engine.corpus.download.catalog",
    "engine.corpus.download.download",
    "engine.checkpoints.metadata",
    "engine.checkpoints.catalog",
    "engine.session.startup.preflight",
]
ENGINE = [
    "engine.session.session",
    "engine.session.loop",
    "engine.checkpoints.checkpoint",
    "engine.sampling.sampler",
    "engine.training.evaluation",
]


def packages_loaded_by(*modules: str) -> set[str]:
    """Return the top-level packages in `sys.modules` after importing `modules` in a fresh interpreter."""
    return {name.partition(".")[0] for name in modules_loaded_by(*modules)}


def modules_loaded_by(*modules: str) -> set[str]:
    """Return `sys.modules` after importing `modules` in a fresh interpreter."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_modules_of_the_start_of_the_screen_load_no_torch() -> None:
    assert "torch" not in packages_loaded_by(*WITHOUT_TORCH)


def test_the_engine_loads_nothing_of_the_screen() -> None:
    loaded = packages_loaded_by(*ENGINE)
    assert {"engine", "torch"} <= loaded  # what is imported is seen
    assert not loaded & (SCREEN | {"tui"})


def test_the_reducer_and_its_series_load_no_framework() -> None:
    assert not packages_loaded_by("tui.run.folding", "tui.run.reducer", "tui.run.series.series") & (SCREEN | {"torch"})


def test_job_control_loads_nothing_that_starts_threads_before_it_forks() -> None:
    assert not packages_loaded_by("tui.process.job_control") & (SCREEN | {"numpy", "torch"})


def test_the_screen_loads_no_torch_before_it_is_open() -> None:
    assert "torch" not in packages_loaded_by(
        "tui.app.app", "tui.app.lesson_app", "tui.screens.main.screen", "tui.run.engine_bridge"
    )


def test_the_screen_loads_neither_x_ray_nor_lesson_before_they_are_opened() -> None:
    loaded = modules_loaded_by("tui.app.app", "tui.run.engine_bridge", "tui.lesson.progress")
    late = ("tui.screens.xray.", "tui.widgets.xray.", "tui.screens.lesson", "tui.app.lesson_app", "engine.insight")
    assert "tui.screens.main.xray" in loaded  # what is imported is seen
    assert not [name for name in loaded if name.startswith(late)]


def test_the_command_line_loads_no_torch_and_no_reader_before_a_command_runs() -> None:
    assert not packages_loaded_by("tui.cli.app") & {"torch", "pyarrow", "libipld", "httpx", "textual"}
