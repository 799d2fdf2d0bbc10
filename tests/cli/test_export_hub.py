"""`tweetgen-tui export hub`, and `checkpoints import` of the folder that it writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.cli.program import Cli, assert_two_line_error


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that does not exist yet, outside the data folder."""
    return tmp_path_factory.mktemp("elsewhere") / "my-model"


class _Terminal(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_run_is_exported_and_what_its_samples_copy_is_reported(cli: Cli, trained: Path, folder: Path) -> None:
    ended = cli("export", "hub", "first", folder, "--license", "Apache-2.0")
    assert (ended.code, ended.out) == (0, "")
    assert f"wrote {folder}" in ended.err
    assert " bits per character. Of 1,000 tweets that it wrote at temperature 0.8, " in ended.err
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.model_name) == ("apache-2.0", "my-model")


def test_a_folder_comes_back_under_its_name_and_writes_the_same_tweets(cli: Cli, trained: Path, folder: Path) -> None:
    assert cli("export", "hub", "first/best", folder, "--license", "mit").code == 0
    ended = cli("checkpoints", "import", f"{folder}/")
    assert (ended.code, ended.err.strip()) == (0, "imported as my-model")
    own, imported = (
        cli("generate", "--checkpoint", name, "-n", "3", "--seed", "1").out for name in ("first/best", "my-model")
    )
    assert imported == own
    assert_two_line_error(cli("checkpoints", "import", folder), "already a checkpoint called my-model", "--force")
    assert cli("checkpoints", "import", folder, "--name", "again").code == 0
    shown = cli("checkpoints", "show", "again", "--json").object
    assert (shown["step"], shown["is_imported"], shown["corpus"]["files"]) == (0, True, [])


def test_an_import_is_evaluated_and_trained_further_on_tweets_that_are_named(
    cli: Cli, trained: Path, folder: Path, tweets: Path
) -> None:
    cli("export", "hub", "first", folder, "--license", "mit")
    cli("checkpoints", "import", folder)
    assert_two_line_error_at_end(cli, "evaluate", "--checkpoint", "my-model", hint="--data FILE")
    data = ("--checkpoint", "my-model", "--data", str(tweets))
    assert cli("evaluate", *data, "--json").object["bits_per_char"] > 0
    assert_two_line_error_at_end(cli, "evaluate", *data, "--quality", hint="Omit --baselines and --quality")
    assert_two_line_error_at_end(cli, "train", "--checkpoint", "my-model", hint="--data FILE")
    assert_two_line_error_at_end(
        cli, "generate", "--checkpoint", "my-model", "--only-new", hint="whose training tweets are still there"
    )
    assert cli("train", *data, "--max-steps", "3", "--run-name", "second").code == 0
    assert cli("checkpoints", "show", "second/latest", "--json").object["step"] == 3


def assert_two_line_error_at_end(cli: Cli, *words: str, hint: str) -> None:
    """Assert that a command fails with an error whose hint has these words."""
    ended = cli(*words)
    assert (ended.code, ended.out) == (1, "")
    assert hint in ended.error_lines[-1]


def test_the_license_is_asked_for_on_a_terminal_and_required_elsewhere(
    cli: Cli, trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("mit\n"))
    assert_two_line_error(cli("export", "hub", "first", folder), "needs a license", "--license ID")
    monkeypatch.setattr("sys.stdin", _Terminal("mit\n"))
    ended = cli("export", "hub", "first", folder)
    assert (ended.code, ended.out.strip()) == (0, "")
    assert "License of the model" in ended.err
    assert ModelCard.load(folder / "README.md").data.license == "mit"


@pytest.mark.parametrize(
    ("license_id", "hint"),
    [("cc-by", "cc-by-4.0"), ("mit license", "mit"), ("me", "huggingface.co"), ("", "huggingface.co"), ("a\nb: c", "")],
)
def test_a_license_that_the_hub_does_not_know_is_refused(
    cli: Cli, trained: Path, folder: Path, license_id: str, hint: str
) -> None:
    assert_two_line_error(
        cli("export", "hub", "first", folder, "--license", license_id), "The hub has no license", hint
    )
    assert not folder.exists()


def test_another_license_comes_with_what_is_left_to_do(cli: Cli, trained: Path, folder: Path) -> None:
    ended = cli("export", "hub", "first", folder, "--license", "other")
    assert "Add the text of your license as LICENSE" in ended.err


def test_a_folder_with_files_needs_force(cli: Cli, trained: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    words = ("export", "hub", "first", folder, "--license", "mit")
    assert_two_line_error(cli(*words), "is not empty", "--force")
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    assert cli(*words, "--force").code == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert_two_line_error(cli("export", "hub", "first", folder / "notes.txt", "--license", "mit"), "is not a folder")
    assert_two_line_error(cli("export", "hub", "nothing", folder, "--license", "mit"), "no checkpoint called nothing")


def test_a_damaged_or_foreign_folder_is_refused(cli: Cli, trained: Path, folder: Path) -> None:
    cli("export", "hub", "first", folder, "--license", "mit")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**settings, "hidden_size": 17}), encoding="utf-8")
    assert_two_line_error(cli("checkpoints", "import", folder), "model.safetensors is damaged", "do not fit")
    (folder / "config.json").write_text(json.dumps({**settings, "model_type": "gpt2"}), encoding="utf-8")
    assert_two_line_error(cli("checkpoints", "import", folder), "another kind: 'gpt2'", "export hub")
    (folder / "config.json").unlink()
    assert_two_line_error(cli("checkpoints", "import", folder), "config.json can't be read", "No such file")
