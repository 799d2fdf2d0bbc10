"""What README, docs and CONTRIBUTING name exists, and what is generated for them is up to date."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.installed import require
from tests.manual_page import MANUAL_PAGE, SHARE, shared_files
from tests.readme import DOCS, PICTURES, ROOT, TABLES, table_in

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("assets/*.md"))]
PAGE = SHARE / MANUAL_PAGE


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_file_module_and_picture_that_a_page_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [path.parent / target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if ":" not in target]
    files = [ROOT / name for name in re.findall(r"`((?:engine|tui|tests|assets|docs|\.ci)/[\w./-]*)`", text)]
    assert [str(file) for file in (*links, *files) if not file.exists()] == []
    modules = re.findall(r"python -m ((?:tests|assets)[\w.]*)", text)
    assert [name for name in modules if find_spec(name) is None] == []


def test_every_page_of_the_docs_and_every_picture_is_linked() -> None:
    linked = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    files = [*DOCS.glob("*.md"), *PICTURES.iterdir()]
    assert [path.name for path in files if f"{path.name})" not in linked] == []


@pytest.mark.parametrize("file_name", TABLES)
def test_the_generated_tables_are_up_to_date(file_name: str) -> None:
    _, make_table = TABLES[file_name]
    assert table_in(file_name) == make_table(), "run: python -m tests.readme"


def test_the_manual_page_and_the_completion_scripts_are_up_to_date() -> None:
    files = {str(path.relative_to(SHARE)): path.read_text("utf-8") for path in SHARE.rglob("*") if path.is_file()}
    assert files == shared_files(), "run: python -m tests.readme"


@pytest.mark.ci
def test_mandoc_groff_and_man_accept_the_manual_page() -> None:
    require("mandoc", "groff", "man", "lexgrog")
    for command in (("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-z")):
        ended = subprocess.run([*command, PAGE], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout + ended.stderr) == (0, ""), command
    found = subprocess.run(
        ["man", "-M", SHARE / "man", "-w", "tweetgen-tui"], capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == PAGE
    name = subprocess.run(["lexgrog", PAGE], capture_output=True, text=True, check=True).stdout
    assert '"tweetgen-tui - watch and steer a character-level GRU' in name
