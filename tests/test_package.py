"""What is installed: the wheel, the source distribution, the container, and that the program needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import OpenTerminal, open_terminal  # noqa: F401 - a fixture
from tests.e2e.terminal import environment, events_of
from tests.readme import ROOT, SHARE, shared_files


def built(project: Path, folder: Path, *kinds: str) -> Path:
    """Build with the installed tools, without a download; return the wheel."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(folder), str(project)]
    subprocess.run(command, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    built(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    """The wheel."""
    [path] = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.ci
def test_the_wheel_has_all_that_the_program_reads_and_the_manual_page_and_the_completions_once(
    wheel: zipfile.ZipFile,
) -> None:
    names = set(wheel.namelist())
    code = {str(path.relative_to(ROOT)) for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py")}
    assert code | {"assets/happy.csv", "assets/base.safetensors", "tui/terminal/style.tcss"} <= names
    assert not [name for name in names if name.startswith("assets/share")]
    shared = {
        SHARE / name.partition(".data/data/share/")[2]: wheel.read(name).decode() for name in names if ".data/" in name
    }
    assert shared == shared_files()


@pytest.mark.ci
def test_the_wheel_is_the_same_from_the_tree_and_from_the_source_distribution_which_has_all_tests_and_docs(
    dist: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    of_tree = zipfile.ZipFile(built(ROOT, tmp_path, "--wheel"))
    assert {name: of_tree.read(name) for name in of_tree.namelist()} == {
        name: wheel.read(name) for name in wheel.namelist()
    }
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as source:
        packed = {name.partition("/")[2] for name in source.getnames()}
    folders = ("assets", "docs", "tests", "tools", ".ci")
    files = {path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    needed = {str(path.relative_to(ROOT)) for path in (*files, *ROOT.glob("*.md")) if path.parent.name != "__pycache__"}
    assert needed <= packed


@pytest.mark.ci
def test_nothing_that_ships_evaluates_text_unpickles_or_starts_a_shell_but_for_numbas_checked_cache(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)  # noqa: S202 - our own
    rules = "S102,S301,S302,S307,S602,S604,S605,TID251"  # exec, pickle, marshal, eval, shells, what is banned:
    banned = 'lint.flake8-tidy-imports.banned-api = {"torch.load" = {msg = "unpickles"}}'
    command = ("ruff", "check", "--isolated", "--no-cache", "--ignore-noqa", "--select", rules, "--config", banned)
    found = subprocess.run(
        [sys.executable, "-m", *command, "--output-format", "concise"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    findings = re.findall(r"^([\w/]+\.py):\S+ ([A-Z]+\d+) ", found.stdout, re.MULTILINE)
    assert findings == [("engine/compute/cpu/kernels.py", "S301")], found.stdout + found.stderr


@pytest.mark.ci
def test_the_description_is_the_readme_without_pictures_what_is_said_of_them_and_links_to_files(
    wheel: zipfile.ZipFile,
) -> None:
    [name] = [each for each in wheel.namelist() if each.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
    text = metadata.get_payload(decode=True).decode()  # type: ignore[union-attr] # one part
    tokens = [token for block in MarkdownIt("gfm-like").parse(text) for token in (block, *(block.children or ()))]
    assert [token for token in tokens if token.type in {"image", "html_block", "html_inline"}] == []
    links = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
    assert [link for link in links if not link.startswith(("https://", "http://"))] == []
    assert "picture" not in text.lower()
    headings = re.compile("^#+ .*", re.MULTILINE)
    assert headings.findall(text) == headings.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_container_has_every_extra_of_the_program_and_runs_it_as_a_user_with_its_data_in_a_volume() -> None:
    file = (ROOT / "docs" / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extras] = re.findall(r"\.whl\)\[([\w,]+)\]", file)
    assert set(extras.split(",")) == project["optional-dependencies"].keys() - {"test", "dev"}
    instructions = dict(line.partition(" ")[::2] for line in file.splitlines() if re.match("[A-Z]+ ", line))
    assert instructions["USER"] == "1000"
    assert f"TWEETGEN_HOME={instructions['VOLUME']} " in instructions["ENV"]


# No network -----------------------------------------------------------------------------------------------------------

REFUSE_NETWORK = """
import os, socket, sys

def refuse(event, arguments):
    names = {"connect", "bind", "sendto", "getaddrinfo", "gethostbyname"}
    of_socket, _, name = event.rpartition(".")
    if of_socket == "socket" and name in names and getattr(arguments[0], "family", None) != socket.AF_UNIX:
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {arguments}\\n")
        raise OSError("no network in this test")

sys.addaudithook(refuse)
"""
"""Run by every Python process before its program. Connections of libraries in C are not seen."""


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that lists what processes tried to do with the network; every attempt fails."""
    (tmp_path / "sitecustomize.py").write_text(REFUSE_NETWORK, encoding="utf-8")
    path = tmp_path / "attempts"
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setenv("ATTEMPTS", str(path))
    return path


@pytest.mark.ci
def test_no_command_that_trains_samples_or_reports_uses_the_network(home: Path, attempts: Path) -> None:
    for arguments in (
        ("--version", "--json"),
        ("doctor",),
        ("train", "--max-steps", "2", *SMALL_MODEL),
        ("generate", "-n", "2"),
    ):
        command = (sys.executable, "-m", "tui", *arguments)
        subprocess.run(command, env=environment(home), check=True, capture_output=True, timeout=100)
    assert not attempts.exists(), attempts.read_text(encoding="utf-8")
    command = (sys.executable, "-c", "import socket; socket.create_connection(('localhost', 9))")
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    assert attempts.read_text(encoding="utf-8").startswith("socket.getaddrinfo ('localhost', 9")


@pytest.mark.ci
def test_the_screen_uses_no_network_while_it_opens_trains_and_ends(
    home: Path,
    attempts: Path,
    open_terminal: OpenTerminal,  # noqa: F811 - the fixture
) -> None:
    terminal = open_terminal(*SMALL_MODEL, "--run-name", "watched")
    terminal.wait_for(r"▶ training(.|\n)*step +[1-9]")
    terminal.press("q")
    terminal.assert_ends(0)
    assert events_of(home)
    assert not attempts.exists(), attempts.read_text(encoding="utf-8")
