"""The wheel has all that the program reads, the manual page and the completions; the container has all extras."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.manual.share import SHARE

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built with the backend of pyproject.toml."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_the_manual_page_and_the_completion_scripts_once_below_share(wheel: zipfile.ZipFile) -> None:
    installed = {name.partition(".data/data/")[2]: name for name in wheel.namelist() if ".data/data/" in name}
    assert installed.keys() == {
        "share/man/man1/tweetgen-tui.1",
        "share/bash-completion/completions/tweetgen-tui",
        "share/zsh/site-functions/_tweetgen-tui",
        "share/fish/vendor_completions.d/tweetgen-tui.fish",
    }
    for name, member in installed.items():
        assert wheel.read(member) == (SHARE.parent / name).read_bytes()
    assert not [name for name in wheel.namelist() if name.startswith("assets/share")]


def test_the_wheel_has_every_module_and_file_that_the_program_reads(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    code = {str(path.relative_to(ROOT)) for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py")}
    assert code | {"assets/happy.csv", "assets/base.safetensors", "tui/tweetgen.tcss"} <= names


def test_the_container_has_every_extra_of_the_program_and_runs_it_as_a_user_with_its_data_in_a_volume() -> None:
    file = (ROOT / "docs" / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extras] = re.findall(r"\.whl\)\[([\w,]+)\]", file)
    assert set(extras.split(",")) == project["optional-dependencies"].keys() - {"test", "dev"}
    instructions = dict(line.partition(" ")[::2] for line in file.splitlines() if re.match("[A-Z]+ ", line))
    assert instructions["USER"] == "1000"
    assert f"TWEETGEN_HOME={instructions['VOLUME']} " in instructions["ENV"]
