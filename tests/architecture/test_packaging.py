"""The wheel has all that the program reads, the manual page and the completions; the container has all extras."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.manual_page import shared_files

ROOT = Path(__file__).parents[2]


@pytest.mark.ci
def test_the_wheel_has_all_that_the_program_reads_and_the_manual_page_and_the_completions_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = tmp_path.glob("*.whl")
    wheel = zipfile.ZipFile(path)
    names = set(wheel.namelist())
    code = {str(path.relative_to(ROOT)) for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py")}
    assert code | {"assets/happy.csv", "assets/base.safetensors", "tui/tweetgen.tcss"} <= names
    assert not [name for name in names if name.startswith("assets/share")]
    shared = {name.partition(".data/data/share/")[2]: wheel.read(name).decode() for name in names if ".data/" in name}
    assert shared == shared_files()


def test_the_container_has_every_extra_of_the_program_and_runs_it_as_a_user_with_its_data_in_a_volume() -> None:
    file = (ROOT / "docs" / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extras] = re.findall(r"\.whl\)\[([\w,]+)\]", file)
    assert set(extras.split(",")) == project["optional-dependencies"].keys() - {"test", "dev"}
    instructions = dict(line.partition(" ")[::2] for line in file.splitlines() if re.match("[A-Z]+ ", line))
    assert instructions["USER"] == "1000"
    assert f"TWEETGEN_HOME={instructions['VOLUME']} " in instructions["ENV"]
