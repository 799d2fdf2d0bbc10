"""`tweetgen-tui checkpoints`: list, show, delete, rename, pin, export, import."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error


@pytest.fixture
def saved(trained: Path) -> Path:
    """A data folder with a checkpoint saved as `mine` besides the run's own."""
    (trained / "checkpoints").mkdir()
    shutil.copy(_own(trained, "best"), trained / "checkpoints" / "mine.safetensors")
    return trained


def _own(home: Path, name: str) -> Path:
    return home / "runs" / "first" / "checkpoints" / f"{name}.safetensors"


def test_the_list_has_named_checkpoints_first_then_those_of_the_runs(cli: Cli, saved: Path) -> None:
    ended = cli("checkpoints", "list")
    assert (ended.code, ended.err) == (0, "")
    [heading, *rows] = ended.lines
    assert heading.split() == ["NAME", "STEP", "BITS/CHAR", "SAVED", "SIZE"]
    [first, *others] = [row.split()[0] for row in rows]
    assert (first, set(others)) == ("mine", {"first/latest", "first/best"})
    entries = cli("checkpoints", "list", "--json").objects
    assert {entry["name"] for entry in entries} == {"mine", "first/latest", "first/best"}
    for entry in entries:
        fields = "name path step bits_per_char evaluated_at_step saved_at num_bytes pinned problem"
        assert list(entry) == fields.split()


def test_an_empty_list_names_on_stderr_the_command_that_fills_it(cli: Cli) -> None:
    ended = cli("checkpoints", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "tweetgen-tui train" in ended.err
    assert cli("checkpoints", "list", "--json").out == ""


def test_a_truncated_file_is_listed_as_damaged_and_the_others_still_work(cli: Cli, saved: Path) -> None:
    path = saved / "checkpoints" / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    [damaged, *_] = cli("checkpoints", "list").lines[1:]
    assert damaged.split()[0] == "mine"
    assert damaged.endswith("damaged")
    assert_two_line_error(cli("checkpoints", "show", "mine"), str(path), "damaged")
    assert_two_line_error(cli("generate", "--checkpoint", "mine"), str(path), "damaged")
    assert cli("generate", "--checkpoint", "first/best").code == 0


def test_show_prints_the_metadata(cli: Cli, saved: Path) -> None:
    info = cli("checkpoints", "show", "mine", "--json").object
    assert (info["run"], info["step"], info["model"]["hidden_size"]) == ("first", 40, 16)
    assert len(info["sha256"]) == 64
    told = cli("checkpoints", "show", "mine").out
    assert re.search(r"preset +auto: .* on cpu", told)
    for words in ("run                   first", "corpus                tweets.txt", "GRU 1 x 16", "sha256"):
        assert words in told


@pytest.mark.parametrize("answer", ["\n", ""])
def test_delete_without_confirmation_deletes_nothing(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli("checkpoints", "delete", "mine").code == 1
    assert (saved / "checkpoints" / "mine.safetensors").is_file()


def test_an_unknown_name_is_quoted(cli: Cli, saved: Path) -> None:
    assert_two_line_error(cli("checkpoints", "show", "nothing"), "nothing", "checkpoints list")


def test_delete_refuses_a_path(cli: Cli, saved: Path) -> None:
    secret = saved / "secret.safetensors"
    secret.touch()
    for name in ("first/../../../secret", secret):
        assert_two_line_error(cli("checkpoints", "delete", name, "--yes"))
        assert secret.exists()


def _names(cli: Cli) -> dict[str, bool]:
    return {entry["name"]: entry["pinned"] for entry in cli("checkpoints", "list", "--json").objects}


def test_rename_renames(cli: Cli, saved: Path) -> None:
    ended = cli("checkpoints", "rename", "mine", "my best")
    assert (ended.code, ended.out) == (0, "")
    assert "my best.safetensors" in ended.err
    assert set(_names(cli)) == {"my best", "first/latest", "first/best"}
    assert_two_line_error(cli("checkpoints", "rename", "my best", "../up"), "can't be called")
    assert_two_line_error(cli("checkpoints", "rename", "first/best", "other"), "belongs to its run")


def test_a_pinned_checkpoint_is_marked_and_not_deleted(cli: Cli, saved: Path) -> None:
    assert cli("checkpoints", "pin", "mine").code == 0
    assert _names(cli)["mine"] is True
    assert cli("checkpoints", "list").lines[1].endswith("pinned")
    assert_two_line_error(cli("checkpoints", "delete", "mine", "--yes"), "mine is pinned", "unpin")
    assert cli("checkpoints", "unpin", "mine").code == 0
    assert cli("checkpoints", "delete", "mine", "--yes").code == 0
    assert set(_names(cli)) == {"first/latest", "first/best"}


def test_an_exported_file_works_in_place_and_can_be_imported(
    cli: Cli, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("elsewhere") / "copy.safetensors"
    ended = cli("checkpoints", "export", "first", file)
    assert (ended.code, ended.out) == (0, "")
    assert file.read_bytes() == _own(saved, "best").read_bytes()
    assert cli("generate", "--checkpoint", file, "-n", "1").code == 0

    assert cli("checkpoints", "import", file).code == 0
    assert cli("checkpoints", "import", file, "--name", "again").code == 0
    assert {"copy", "again"} < set(_names(cli))


def test_an_export_over_a_file_and_an_import_over_a_name_need_force(
    cli: Cli, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("elsewhere") / "notes.txt"
    file.write_text("mine")
    assert_two_line_error(cli("checkpoints", "export", "mine", file), "already exists", "--force")
    assert file.read_text() == "mine"
    assert cli("checkpoints", "export", "mine", file, "--force").code == 0
    assert file.stat().st_size > 1000
    source = _own(saved, "latest")
    assert_two_line_error(cli("checkpoints", "import", source, "--name", "mine"), "already", "--force")
    assert cli("checkpoints", "import", source, "--name", "mine", "--force").code == 0
    cli("checkpoints", "pin", "mine")
    assert_two_line_error(cli("checkpoints", "import", source, "--name", "mine", "--force"), "mine is pinned")


def test_an_export_to_stdout_is_the_file_alone_and_refused_on_a_terminal(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, terminal = _Bytes(is_terminal=False), _Bytes()
    monkeypatch.setattr("sys.stdout", pipe)
    assert cli("checkpoints", "export", "mine", "-").code == 0
    assert pipe.buffer.getvalue() == (saved / "checkpoints" / "mine.safetensors").read_bytes()
    monkeypatch.setattr("sys.stdout", terminal)
    ended = cli("checkpoints", "export", "mine", "-")
    assert ended.code == 1
    assert "is binary" in ended.err
    assert terminal.buffer.getvalue() == b""


class _Bytes:
    """Standard input or output that holds bytes."""

    def __init__(self, content: bytes = b"", *, is_terminal: bool = True) -> None:
        self.buffer = io.BytesIO(content)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def flush(self) -> None:
        pass


def test_an_import_reads_standard_input(cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _own(saved, "best").read_bytes()
    monkeypatch.setattr("sys.stdin", _Bytes(content))
    assert cli("checkpoints", "import", "-", "--name", "piped").code == 0
    piped, best = (cli("checkpoints", "show", name, "--json").object for name in ("piped", "first/best"))
    assert (piped["run"], piped["step"], piped["sha256"]) == (best["run"], best["step"], best["sha256"])


def test_an_import_from_stdin_requires_a_name_and_is_verified(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Bytes(b"good morning"))
    assert_two_line_error(cli("checkpoints", "import", "-"), "needs a name", "--name")
    ended = cli("checkpoints", "import", "-", "--name", "piped")
    assert_two_line_error(ended, "tweetgen-tui: standard input is damaged")
    assert not (saved / "checkpoints" / "piped.safetensors").exists()
