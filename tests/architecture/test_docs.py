"""README, docs and CONTRIBUTING are true of the program: its commands, options, keys, events, files and modules."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import pyte
import pytest
import typer.main
from typer.testing import CliRunner

from tests.readme import TABLES, table_in
from tui.cli.app import app

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "assets" / "pictures"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
ALL_PAGES = PAGES | {
    path: path.read_text(encoding="utf-8") for path in (ROOT / "CONTRIBUTING.md", *ROOT.glob("assets/*.md"))
}
SHELL_BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
OTHER_OPTIONS = {"--rows", "--output", "--help", "--check"}
OTHER_OPTIONS |= {"--index-url", "--extra-index-url", "--torch-backend", "--pip-args"}
OTHER_OPTIONS |= {"--nnodes", "--standalone", "--max-restarts", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-conf"}
OTHER_OPTIONS |= {"--jobid", "--overlap", "--nodelist", "--pty"}
OTHER_OPTIONS |= {"--rm", "--gpus", "--ipc", "--pid", "--shm-size", "--ulimit", "--user", "--network"}
OTHER_OPTIONS |= {"--build-arg", "--detach-keys", "--install"}
OTHER_OPTIONS |= {"--logdir", "--load", "--project"}
"""Options of `assets/grammar/make.py`, ruff, pip, uv, pipx, torchrun, srun, docker, wsl, tensorboard and trackio."""
each_page = pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: path.name)


def options_of(command: object) -> set[str]:
    """Return the long options of a command and of all commands below it."""
    parameters = getattr(command, "params", ())
    own = {option for each in parameters for option in (*each.opts, *each.secondary_opts)}
    return own.union(*(options_of(below) for below in getattr(command, "commands", {}).values()))


def test_installing_and_testing_take_one_line_each_and_linux_comes_first() -> None:
    first, second, *_ = SHELL_BLOCKS
    [*_, last] = SHELL_BLOCKS
    for block, end in ((first, "/whl/cpu"), (second, ".venv/bin/tweetgen-tui"), (last, ".venv/bin/python -m pytest")):
        assert block.count("\n") == 1
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert block.rstrip().endswith(end)


def test_the_first_line_of_the_readme_that_runs_pytest_is_the_test_command() -> None:
    line = next(line for line in README.splitlines() if "-m pytest" in line)  # what `.ci/run` executes
    assert line == "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest"


@each_page
def test_every_option_named_is_one_of_the_program(path: Path) -> None:
    text = re.sub(r"python -m tests\.[^`\n]*", "", ALL_PAGES[path])
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named - OTHER_OPTIONS <= options_of(typer.main.get_command(app))


@each_page
def test_every_command_named_is_one_of_the_program(path: Path) -> None:
    for words in re.findall(r"`tweetgen-tui ([a-z]+(?: [a-z]+)?)", ALL_PAGES[path]):
        assert CliRunner().invoke(app, [*shlex.split(words), "--help"]).exit_code == 0, words


@each_page
def test_every_file_and_module_named_exists(path: Path) -> None:
    text = ALL_PAGES[path]
    named = set(re.findall(r"`((?:engine|tui|tests|assets|docs|\.ci)/[\w./-]*)`", text))
    assert [name for name in named if not (ROOT / name).exists()] == []
    modules = set(re.findall(r"python -m ((?:tests|assets)[\w.]*)", text))
    assert [name for name in modules if find_spec(name) is None] == []


@each_page
def test_every_link_leads_to_a_file(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", ALL_PAGES[path])
    assert [target for target in targets if ":" not in target and not (path.parent / target).exists()] == []


def test_the_readme_links_every_page_of_the_docs() -> None:
    pages = {f"docs/{path.name}" for path in PAGES if path.parent != ROOT}
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", README))


@pytest.mark.parametrize("file_name", TABLES)
def test_the_generated_tables_are_up_to_date(file_name: str) -> None:
    _, make_table = TABLES[file_name]
    assert table_in(file_name) == make_table(), "run: python -m tests.readme"


def test_the_recording_of_the_first_minute_is_small_and_ends_with_a_loss() -> None:
    recording = (PICTURES / "training.cast").read_text(encoding="utf-8")
    assert len(recording.encode()) < 300_000
    header, *events = map(json.loads, recording.splitlines())
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    for seconds, kind, output in events:
        assert (kind, 0 <= seconds < 30) == ("o", True)
        stream.feed(output)
    assert_shows_a_loss("\n".join(screen.display))


def test_the_animation_is_small_and_ends_with_a_loss_also_where_it_is_not_animated() -> None:
    text = (PICTURES / "training.svg").read_text(encoding="utf-8")
    assert len(text.encode()) < 750_000
    lines = ET.fromstring(text).find("{http://www.w3.org/2000/svg}g")  # noqa: S314 - our own text
    assert lines is not None
    shown = [line for line in lines if line.get("class") is None or "last" in line.get("class", "").split()]
    assert_shows_a_loss("\n".join(" ".join(line.itertext()) for line in shown))


def assert_shows_a_loss(text: str) -> None:
    """Assert that a screen shows a training run that has learnt something."""
    assert "training" in text
    [loss] = re.findall(r"train +(\d\.\d\d)", text)[:1]
    assert float(loss) < 3


def test_every_picture_is_shown_or_linked_by_a_page() -> None:
    linked = "\n".join(PAGES.values())
    assert [path.name for path in sorted(PICTURES.iterdir()) if f"pictures/{path.name})" not in linked] == []


def test_the_architecture_page_lists_the_folders_of_both_packages_in_the_order_of_the_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    page = PAGES[ROOT / "docs" / "architecture.md"]
    table = [line.split("|")[1::2] for line in page.splitlines() if line.startswith("| `") and line.count("|") == 5]
    for column, package in enumerate(("engine", "tui")):
        [layers] = [each["layers"] for each in contracts if each["type"] == "layers" and package in each["layers"][0]]
        folders = [name for layer in layers for name in re.findall(rf"{package}\.(\w+)", layer)]
        listed = [name for row in table for name in re.findall(r"`(\w+)`", row[column])]
        assert listed == [name for name in folders if (ROOT / package / name).is_dir()]
