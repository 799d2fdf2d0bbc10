"""A checkpoint from elsewhere may name any file of this machine: none is read unless the user names it too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.catalog import list_checkpoints, require_trusted_corpus, resolve_checkpoint
from engine.checkpoints.management import import_checkpoint
from engine.checkpoints.metadata import read_info
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.sampling.generation import Generator
from engine.session.startup import preflight
from engine.storage.folders import find_run, named_checkpoint_path
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tui.run.branching import Branch


@pytest.fixture
def secret(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training file of a checkpoint called mine, and of the run tiny."""
    path = write_corpus(tmp_path_factory.mktemp("elsewhere"), name="secret.txt")
    run_session(tiny_config(path), {3: [c.SaveCheckpoint(name="mine"), c.Stop()]})
    return path


def started_from(checkpoint: str, **changes: Any) -> e.Event:
    """Return the first event of a run from this checkpoint, without --data."""
    return run_session(replace(tiny_config(None, run_name="other", max_steps=4), checkpoint=checkpoint, **changes))[0]


def foreign(secret: Path) -> str:
    """Return a copy of the checkpoint outside the data folder."""
    return str(shutil.copy(named_checkpoint_path("mine"), secret.parent / "foreign.safetensors"))


def imported(secret: Path) -> str:
    """Return the name of a copy that was imported."""
    import_checkpoint(Path(foreign(secret)), "theirs", replace=False)
    return "theirs"


@pytest.mark.parametrize("bring", [foreign, imported])
def test_the_files_named_by_a_foreign_checkpoint_are_read_only_if_the_user_names_them(
    secret: Path, bring: Callable[[Path], str]
) -> None:
    name = bring(secret)

    refused = started_from(name)
    assert isinstance(refused, e.RunFailed)
    assert str(secret) in refused.detail
    assert f"--data {secret}" in refused.hint
    with pytest.raises(CheckpointError, match="read only if you name it"):
        preflight.check(RunConfig(checkpoint=name))
    with pytest.raises(CheckpointError, match="is from elsewhere") as novelty:
        Generator(resolve_checkpoint(name), RuntimeConfig()).load_training_tweets()
    assert "--data" not in novelty.value.hint

    confirmed = started_from(name, corpus=CorpusConfig(files=(str(secret),)))
    assert isinstance(confirmed, e.RunStarted)
    assert not read_info(find_run("other").checkpoint_path("latest"))[0].is_imported


def test_the_users_own_checkpoints_are_trusted_also_behind_a_symlink(
    secret: Path, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert isinstance(started_from("mine"), e.RunStarted)
    for linked in (None, "runs/tiny", "runs", "checkpoints"):
        if linked is not None:
            moved = shutil.move(home / linked, tmp_path_factory.mktemp("disk") / "moved")
            (home / linked).symlink_to(moved)
        for path in map(resolve_checkpoint, ("mine", "tiny/latest", "tiny")):
            require_trusted_corpus(path, read_info(path)[0])


def test_files_are_confirmed_only_by_naming_every_one_in_any_spelling(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(foreign(secret))
    info, _ = read_info(path)
    two = replace(info, corpus=CorpusConfig(files=(str(secret), "/etc/shadow")))
    monkeypatch.chdir(secret.parent)

    require_trusted_corpus(path, info, [secret.name])
    for named in ([], [str(secret)], ["/etc/shadow", "x"]):
        with pytest.raises(CheckpointError, match="read only if you name it"):
            require_trusted_corpus(path, two, named)
    require_trusted_corpus(path, replace(info, corpus=CorpusConfig()))  # the embedded tweets


def test_a_branch_of_a_foreign_checkpoint_names_no_files(secret: Path) -> None:
    imported(secret)
    named_checkpoint_path("linked").symlink_to(foreign(secret))
    by_name = {entry.name: Branch(entry).config_after(RunConfig()) for entry in list_checkpoints()}

    assert by_name["theirs"].corpus is by_name["linked"].corpus is None
    assert by_name["mine"].corpus is not None
    assert isinstance(run_session(replace(by_name["theirs"], run_name="branch"))[0], e.RunFailed)
