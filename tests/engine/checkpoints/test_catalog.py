"""Checkpoints of a data folder: their names, samples, and trust in the files that one from elsewhere names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.catalog import (
    is_taken,
    iterate_checkpoints,
    latest_of,
    list_checkpoints,
    require_trusted_corpus,
    resolve_checkpoint,
)
from engine.checkpoints.management import delete_checkpoint, import_checkpoint
from engine.checkpoints.metadata import read_info
from engine.checkpoints.preview import sample_of
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import CheckpointError
from engine.model.vocab import Vocab
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.sampling.generation import Generator
from engine.session.startup import preflight
from engine.storage.folders import RunFolder, create_run_folder, find_run, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.run.branching import Branch


def save_named(name: str, changed_at: float = 0.0) -> Path:
    path = write_checkpoint(named_checkpoint_path(name), {})
    os.utime(path, (changed_at, changed_at))
    return path


def save_of_run(run: str, *names: str) -> RunFolder:
    """Create a run with these checkpoints, each later than the one before."""
    folder = create_run_folder(run)
    folder.config_path.write_text("{}")
    for seconds, name in enumerate(names, start=3000):
        os.utime(write_checkpoint(folder.checkpoint_path(name), {}), (seconds, seconds))
    return folder


def test_the_list_has_checkpoints_saved_by_name_before_those_of_runs_the_latest_first_and_is_read_lazily() -> None:
    """The list is sorted before a file is opened; later files may be deleted meanwhile."""
    old = save_named("old", 1000)
    save_named("new", 2000)
    save_of_run("a run", "best", "latest")
    assert [entry.name for entry in list_checkpoints()] == ["new", "old", "a run/latest", "a run/best"]
    entries = iterate_checkpoints()
    first = next(entries)
    old.unlink()
    rest = next(entries)
    assert (first.name, first.step, first.is_named, first.is_pinned) == ("new", 2, True, False)
    assert (rest.name, rest.info) == ("old", None)
    assert "can't be read" in rest.problem


@pytest.mark.parametrize("name", ["v1.5", "happy.safetensors", "été 2026", "a+b-c_d"])
def test_every_valid_name_is_resolved_and_precedes_a_file_in_the_working_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = save_named(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    Path(name).write_bytes(b"not this one")
    assert is_taken(name)
    assert resolve_checkpoint(name) == path
    assert delete_checkpoint(name) == path
    assert not is_taken(name)


def test_the_name_of_a_run_resolves_to_its_best_or_else_its_latest_and_without_one_the_error_lists_the_others() -> None:
    with_both, with_latest = save_of_run("one", "latest", "best"), save_of_run("two", "latest")
    assert resolve_checkpoint("one") == with_both.checkpoint_path("best")
    assert resolve_checkpoint("one/latest") == with_both.checkpoint_path("latest")
    assert resolve_checkpoint("two") == with_latest.checkpoint_path("latest")
    folder = save_of_run("bare", "best", "step-10", "step-20")
    with pytest.raises(CheckpointError, match="bare has no checkpoint latest") as raised:
        latest_of(folder)
    assert raised.value.hint == "Choose another one with --checkpoint: bare/best, bare/step-10, bare/step-20."
    folder.checkpoint_path("best").unlink()
    with pytest.raises(CheckpointError, match="bare has no checkpoint best or latest") as raised:
        resolve_checkpoint("bare")
    assert "bare/step-10" in raised.value.hint


# Samples --------------------------------------------------------------------------------------------------------------


STARTED = run_started(run="a run", corpus="small.txt", vocab_size=len(Vocab(checkpoint_info().vocab)))


def write_run(*lines: e.Event | str) -> None:
    """Create the run with a journal of these lines."""
    folder = save_of_run("a run")
    texts = (line if isinstance(line, str) else e.to_json(line) for line in lines)
    folder.journal_path.write_text("\n".join(texts) + "\n", encoding="utf-8")


def sample_at(step: int, elapsed_seconds: float) -> str | None:
    """Return the text of the sample of a checkpoint saved at this step and time."""
    write_checkpoint(named_checkpoint_path("mine"), {}, step=step, elapsed_seconds=elapsed_seconds, run="a run")
    found = sample_of(list_checkpoints()[0])
    return found.text if found else None


def test_the_last_tweet_before_the_checkpoint_is_found_and_torn_lines_are_skipped() -> None:
    write_run(
        STARTED,
        *(tweet_sampled("first", 10), tweet_sampled("second", 20)),
        *('{"event":"TweetSampled","step":', '{"event":"TweetSampled","step":"x"}', "", "\x00"),
        *(steps_finished(21, [3.0]), tweet_sampled("third", 30)),
    )
    at = [(5, 0.25), (20, 1.0), (25, 1.25), (99, 99.0)]
    assert [sample_at(*each) for each in at] == [None, "second", "second", "third"]


def test_a_tweet_is_found_anywhere_in_a_long_journal() -> None:
    reports: list[e.Event] = []
    for step in range(100, 60_100, 100):
        reports += [steps_finished(step - 99, [3.25] * 100), tweet_sampled(f"of step {step}", step)]
    write_run(STARTED, *reports)
    steps = [100, 150, 3_000, 30_050, 59_999, 60_000]
    assert [sample_at(step, step * 0.05) for step in steps] == [f"of step {step // 100 * 100}" for step in steps]


def test_after_a_load_the_sample_is_a_tweet_from_before_it() -> None:
    write_run(
        STARTED,
        *(tweet_sampled("first time", 20), tweet_sampled("later", 40)),
        tweet_sampled("second time", 20, elapsed_seconds=5.0),
        tweet_sampled("later again", 40, elapsed_seconds=6.0),
    )
    assert [sample_at(25, 5.2), sample_at(25, 1.3)] == ["second time", "first time"]


OTHERS = {
    "other tweets": run_started(run="a run", corpus="other.txt", vocab_size=STARTED.vocab_size),
    "other vocabulary": run_started(),
    "no start": tweet_sampled("no start"),
}


@pytest.mark.parametrize("started", OTHERS.values(), ids=OTHERS)
def test_the_journal_of_another_run_of_the_same_name_is_not_used(started: e.Event) -> None:
    write_run(started, tweet_sampled("not its own", 1))
    assert sample_at(2, 1.5) is None


# Checkpoints from elsewhere -------------------------------------------------------------------------------------------


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
