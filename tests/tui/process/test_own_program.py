"""The program that starts itself runs no code of the working directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tui.process.own_program import own_module


@pytest.mark.ci
def test_a_folder_tui_and_a_module_random_in_the_working_directory_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "tui").mkdir()
    for name in ("tui/__init__.py", "tui/__main__.py", "random.py", "typer.py"):
        (tmp_path / name).write_text('raise SystemExit("foreign code")')
    ended = subprocess.run([*own_module("tui"), "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("tweetgen-tui ")
