"""`tweetgen-tui checkpoints`: list, show, delete, rename, pin, export, import."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli, assert_two_line_error, transcript

SESSIONS = {
    "list and show": ("list", "show mine", "show nothing"),
    "rename": ("rename mine finest", "rename finest ../up", "rename first/best other", "list"),
    "pin": (
        *("pin mine", "list", "delete mine --yes", "import OWN/latest.safetensors --name mine --force"),
        *("unpin mine", "delete mine --yes", "list"),
    ),
    "export": ("export first OUT/copy.safetensors", "export first OUT/notes.txt", "export first OUT/notes.txt --force"),
    "import": (
        *("import OUT/copy.safetensors", "import OUT/copy.safetensors --name again", "import OWN/best.safetensors"),
        *("import OUT/copy.safetensors --name mine", "import OUT/copy.safetensors --name mine --force"),
        *("import OUT/notes.txt", "list"),
    ),
    "delete a path": ("delete first/../../../secret --yes", "delete HOME/secret.safetensors --yes"),
    "a truncated file": ("list", "show torn", "delete torn --yes", "list"),
}
"""Commands one after the other; what they print is recorded."""


@pytest.fixture
def saved(trained: Path) -> Path:
    """A data folder with a checkpoint saved as `mine` besides the run's own."""
    (trained / "checkpoints").mkdir()
    shutil.copy(_own(trained, "best"), trained / "checkpoints" / "mine.safetensors")
    return trained


def _own(home: Path, name: str) -> Path:
    return home / "runs" / "first" / "checkpoints" / f"{name}.safetensors"


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_prints(
    cli: Cli, saved: Path, tmp_path_factory: pytest.TempPathFactory, snapshot: SnapshotAssertion, session: str
) -> None:
    out = tmp_path_factory.mktemp("out")
    (out / "notes.txt").write_text("mine")
    if session == "import":
        shutil.copy(_own(saved, "best"), out / "copy.safetensors")
    (saved / "secret.safetensors").touch()
    if session == "a truncated file":
        (saved / "checkpoints" / "torn.safetensors").write_bytes(_own(saved, "best").read_bytes()[:1000])
    lines = [f"checkpoints {line}" for line in SESSIONS[session]]
    assert transcript(cli, *lines, OWN=_own(saved, "best").parent, OUT=out, HOME=saved) == snapshot
    assert (saved / "secret.safetensors").exists()
    if session == "export":
        assert (out / "copy.safetensors").read_bytes() == _own(saved, "best").read_bytes()
        assert (out / "notes.txt").read_bytes() == _own(saved, "best").read_bytes()


def test_an_empty_list_names_on_stderr_the_command_that_fills_it(cli: Cli) -> None:
    ended = cli("checkpoints", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "tweetgen-tui train" in ended.err
    assert cli("checkpoints", "list", "--json").out == ""


def test_json_has_an_object_per_checkpoint(cli: Cli, saved: Path) -> None:
    entries = cli("checkpoints", "list", "--json").objects
    assert {entry["name"] for entry in entries} == {"mine", "first/latest", "first/best"}
    fields = "name path step bits_per_char evaluated_at_step saved_at num_bytes pinned problem"
    assert all(list(entry) == fields.split() for entry in entries)
    assert all((entry["step"], entry["evaluated_at_step"], entry["problem"]) == (40, 40, "") for entry in entries)
    info = cli("checkpoints", "show", "mine", "--json").object
    assert (info["run"], info["step"], info["model"]["hidden_size"], len(info["sha256"])) == ("first", 40, 16, 64)


@pytest.mark.parametrize("answer", ["\n", ""])
def test_delete_without_confirmation_deletes_nothing(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli("checkpoints", "delete", "mine").code == 1
    assert (saved / "checkpoints" / "mine.safetensors").is_file()


class _Bytes:
    """Standard input or output that holds bytes."""

    def __init__(self, content: bytes = b"", *, is_terminal: bool = True) -> None:
        self.buffer = io.BytesIO(content)
        self.isatty = lambda: is_terminal
        self.flush = lambda: None


def test_an_export_to_stdout_is_the_file_alone_and_refused_on_a_terminal(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, terminal = _Bytes(is_terminal=False), _Bytes()
    monkeypatch.setattr("sys.stdout", pipe)
    assert cli("checkpoints", "export", "mine", "-").code == 0
    assert pipe.buffer.getvalue() == (saved / "checkpoints" / "mine.safetensors").read_bytes()
    monkeypatch.setattr("sys.stdout", terminal)
    ended = cli("checkpoints", "export", "mine", "-")
    assert (ended.code, terminal.buffer.getvalue()) == (1, b"")
    assert "is binary" in ended.err


def test_an_import_reads_standard_input_under_a_name_and_is_verified(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Bytes(_own(saved, "best").read_bytes()))
    assert cli("checkpoints", "import", "-", "--name", "piped").code == 0
    piped, best = (cli("checkpoints", "show", name, "--json").object for name in ("piped", "first/best"))
    assert (piped["run"], piped["step"], piped["sha256"]) == (best["run"], best["step"], best["sha256"])
    monkeypatch.setattr("sys.stdin", _Bytes(b"good morning"))
    assert_two_line_error(cli("checkpoints", "import", "-"), "needs a name", "--name")
    ended = cli("checkpoints", "import", "-", "--name", "damaged")
    assert_two_line_error(ended, "tweetgen-tui: standard input is damaged")
    assert not (saved / "checkpoints" / "damaged.safetensors").exists()
