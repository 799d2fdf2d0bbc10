"""Checkpoints of a data folder: names, samples, trust in files, retention; renamed, pinned, exported, imported."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import catalog, management
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.format import read_info
from engine.checkpoints.management import prune_steps, sample_of
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import CheckpointError
from engine.model.vocab import Vocab
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.sampling.generation import Generator
from engine.session.startup import preflight
from engine.storage.folders import RunFolder, create_run_folder, find_run, folder_of_run, named_checkpoint_path
from engine.storage.journal import Journal
from tests.engine import helpers as h
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.run.new_run import config_of_branch


def save_named(name: str, changed_at: float = 0.0) -> Path:
    path = write_checkpoint(named_checkpoint_path(name), {})
    os.utime(path, (changed_at, changed_at))
    return path


def save_of_run(run: str, *names: str) -> RunFolder:
    """Create a run with these checkpoints, each later than the one before."""
    folder = create_run_folder(run)
    folder.config_path.write_text("{}")
    for seconds, name in enumerate(names, start=3000):
        os.utime(write_checkpoint(folder.checkpoint_path(name)), (seconds, seconds))
    return folder


def test_the_list_has_checkpoints_saved_by_name_before_those_of_runs_the_latest_first_and_is_read_lazily() -> None:
    """The list is sorted before a file is opened; later files may be deleted meanwhile."""
    old = save_named("old", 1000)
    save_named("new", 2000)
    save_of_run("a run", "best", "latest")
    assert [entry.name for entry in catalog.iterate_checkpoints()] == ["new", "old", "a run/latest", "a run/best"]
    entries = catalog.iterate_checkpoints()
    first = next(entries)
    old.unlink()
    rest = next(entries)
    assert (first.name, first.step, first.is_named, first.is_pinned) == ("new", 2, True, False)
    assert (rest.name, rest.info) == ("old", None)
    assert "can't be read" in rest.problem


def test_every_valid_name_is_resolved_and_precedes_a_file_in_the_working_directory(home: Path) -> None:
    for name in ("v1.5", "happy.safetensors", "été 2026", "a+b-c_d"):
        path = save_named(name)
        (home / name).write_bytes(b"not this one")
        with contextlib.chdir(home):
            assert catalog.is_taken(name)
            assert catalog.resolve_checkpoint(name) == path
            assert management.delete_checkpoint(name) == path
            assert not catalog.is_taken(name)


def test_the_name_of_a_run_resolves_to_its_best_or_else_its_latest_and_without_one_the_error_lists_the_others() -> None:
    with_both, with_latest = save_of_run("one", "latest", "best"), save_of_run("two", "latest")
    assert catalog.resolve_checkpoint("one") == with_both.checkpoint_path("best")
    assert catalog.resolve_checkpoint("one/latest") == with_both.checkpoint_path("latest")
    assert catalog.resolve_checkpoint("two") == with_latest.checkpoint_path("latest")
    folder = save_of_run("bare", "best", "step-10", "step-20")
    with pytest.raises(CheckpointError, match="bare has no checkpoint latest") as raised:
        catalog.latest_of(folder)
    assert raised.value.hint == "Choose another one with --checkpoint: bare/best, bare/step-10, bare/step-20."
    folder.checkpoint_path("best").unlink()
    with pytest.raises(CheckpointError, match="bare has no checkpoint best or latest") as raised:
        catalog.resolve_checkpoint("bare")
    assert "bare/step-10" in raised.value.hint


# Samples --------------------------------------------------------------------------------------------------------------
STARTED = run_started(run="a run", corpus="small.txt", vocab_size=len(Vocab(checkpoint_info().vocab)))
LONG = [
    event
    for step in range(100, 60_100, 100)
    for event in (steps_finished(step - 99, [3.25] * 100), tweet_sampled(f"of step {step}", step))
]
OTHER = run_started(run="a run", corpus="other.txt", vocab_size=STARTED.vocab_size)
NOT_ITS_OWN, MISSED = tweet_sampled("not its own", 1), [(2, 1.5, None)]
TORN = [
    *(tweet_sampled("one", 10), tweet_sampled("two", 20)),
    *('{"event":"TweetSampled","step":', '{"event":"TweetSampled","step":"x"}', "", "\x00"),
    *(steps_finished(21, [3.0]), tweet_sampled("three", 30)),
]
LOADED = [
    *(tweet_sampled("first time", 20), tweet_sampled("later", 40)),
    tweet_sampled("second time", 20, elapsed_seconds=5.0),
    tweet_sampled("later again", 40, elapsed_seconds=6.0),
]


@pytest.mark.parametrize(
    ("lines", "samples"),
    [
        pytest.param(
            [STARTED, *TORN],
            [(5, 0.25, None), (20, 1.0, "two"), (25, 1.25, "two"), (99, 99.0, "three")],
            id="the last before the checkpoint, and torn lines are skipped",
        ),
        pytest.param(
            [STARTED, *LONG],
            [(step, step * 0.05, f"of step {step // 100 * 100}") for step in (100, 150, 3_000, 30_050, 59_999, 60_000)],
            id="anywhere in a long journal",
        ),
        pytest.param(
            [STARTED, *LOADED], [(25, 5.2, "second time"), (25, 1.3, "first time")], id="from before a load after it"
        ),
        pytest.param([OTHER, NOT_ITS_OWN], MISSED, id="none of a run of this name on other tweets"),
        pytest.param([run_started(), NOT_ITS_OWN], MISSED, id="none of one with another vocabulary"),
        pytest.param([NOT_ITS_OWN], MISSED, id="none of a journal without a start"),
    ],
)
def test_the_sample_of_a_checkpoint_is_a_tweet_of_its_run(
    lines: list[e.Event | str], samples: list[tuple[int, float, str | None]]
) -> None:
    folder = save_of_run("a run")
    texts = (line if isinstance(line, str) else codec.encode(line) for line in lines)
    folder.journal_path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    for step, elapsed_seconds, expected in samples:
        write_checkpoint(named_checkpoint_path("mine"), {}, step=step, elapsed_seconds=elapsed_seconds, run="a run")
        found = sample_of(next(catalog.iterate_checkpoints()))
        assert (found.text if found else None) == expected


# Checkpoints from elsewhere -------------------------------------------------------------------------------------------
@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the data folder."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture
def secret(home: Path, elsewhere: Path) -> Path:
    """The training file of a checkpoint called mine, and of the run tiny."""
    path = h.write_corpus(elsewhere, name="secret.txt")
    h.run_tiny(path, {3: [c.SaveCheckpoint(name="mine"), c.Stop()]})
    return path


def started_from(checkpoint: str, **changes: Any) -> e.Event:
    """Return the first event of a run from this checkpoint, without --data."""
    config = h.tiny_config(None, run_name="other", max_steps=4)
    return h.run_session(replace(config, checkpoint=checkpoint, **changes))[0]


@pytest.fixture
def foreign(secret: Path) -> str:
    """A copy of the checkpoint outside the data folder, and one that is imported as `theirs`."""
    path = Path(shutil.copy(named_checkpoint_path("mine"), secret.parent / "foreign.safetensors"))
    management.import_checkpoint(path, "theirs", replace=False)
    return str(path)


@pytest.mark.parametrize("is_imported", [False, True])
def test_files_named_by_a_foreign_checkpoint_are_read_only_if_the_user_names_them(
    secret: Path, foreign: str, is_imported: bool
) -> None:
    name = "theirs" if is_imported else foreign
    refused = started_from(name)
    assert isinstance(refused, e.RunFailed)
    assert f".safetensors comes from elsewhere. It was trained on {secret}" in refused.detail
    assert not folder_of_run("other").path.exists()
    assert f"--data {shlex.quote(str(secret))}" in refused.hint
    with pytest.raises(CheckpointError, match="read only if you name it"):
        preflight.check(RunConfig(checkpoint=name))
    with pytest.raises(CheckpointError, match="is from elsewhere") as novelty:
        Generator(catalog.resolve_checkpoint(name), RuntimeConfig()).load_training_tweets()
    assert "--data" not in novelty.value.hint
    confirmed = started_from(name, corpus=CorpusConfig(files=(str(secret),)))
    assert isinstance(confirmed, e.RunStarted)
    assert not read_info(find_run("other").checkpoint_path("latest"))[0].is_imported


@pytest.mark.usefixtures("secret")
def test_the_users_own_checkpoints_are_trusted_also_behind_a_symlink(home: Path, elsewhere: Path) -> None:
    assert isinstance(started_from("mine"), e.RunStarted)
    for linked in (None, "runs/tiny", "runs", "checkpoints"):
        if linked is not None:
            (home / linked).symlink_to(shutil.move(home / linked, elsewhere / Path(linked).name))
        for path in map(catalog.resolve_checkpoint, ("mine", "tiny/latest", "tiny")):
            catalog.require_trusted_corpus(path, read_info(path)[0])


def test_files_are_confirmed_only_by_naming_every_one_in_any_spelling(secret: Path, foreign: str) -> None:
    path = Path(foreign)
    info, _ = read_info(path)
    two = replace(info, corpus=CorpusConfig(files=(str(secret), "/etc/shadow")))
    with contextlib.chdir(secret.parent):
        catalog.require_trusted_corpus(path, info, [secret.name])
    for named in ([], [str(secret)], ["/etc/shadow", "x"]):
        with pytest.raises(CheckpointError, match="read only if you name it"):
            catalog.require_trusted_corpus(path, two, named)
    catalog.require_trusted_corpus(path, replace(info, corpus=CorpusConfig()))  # the embedded tweets


def test_a_branch_of_a_foreign_checkpoint_names_no_files(foreign: str) -> None:
    named_checkpoint_path("linked").symlink_to(foreign)
    by_name = {entry.name: config_of_branch(entry, RunConfig()) for entry in catalog.iterate_checkpoints()}
    assert by_name["theirs"].corpus is by_name["linked"].corpus is None
    assert by_name["mine"].corpus is not None


# Deleting, renaming, pinning, exporting, importing --------------------------------------------------------------------
@pytest.fixture
def mine(home: Path) -> Path:
    """The file of a checkpoint saved as `mine`."""
    return write_checkpoint(named_checkpoint_path("mine"))


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A run `one` with `latest` and `best`."""
    return save_of_run("one", "latest", "best")


def names() -> dict[str, bool]:
    """Return the listed names, and whether each is pinned."""
    return {entry.name: entry.is_pinned for entry in catalog.iterate_checkpoints()}


def test_renaming_keeps_content_and_pin_and_is_refused_for_an_existing_name(mine: Path) -> None:
    content = mine.read_bytes()
    other = write_checkpoint(named_checkpoint_path("other"), step=7)
    before = other.read_bytes()
    management.set_pinned("mine", is_pinned=True)
    with pytest.raises(CheckpointError, match="already a checkpoint called other"):
        management.rename_checkpoint("mine", "other")
    with pytest.raises(CheckpointError, match="no checkpoint called gone"):
        management.rename_checkpoint("gone", "another")
    assert (mine.read_bytes(), other.read_bytes()) == (content, before)
    assert management.rename_checkpoint("mine", "my best").read_bytes() == content
    assert names() == {"my best": True, "other": False}
    assert sorted(path.suffix for path in mine.parent.glob("my*")) == [".pinned", ".safetensors"]


def test_the_checkpoints_of_an_active_run_are_protected(run: RunFolder) -> None:
    journal, both = Journal(run.journal_path), ("one/latest", "one/best")
    for name in both:
        with pytest.raises(CheckpointError, match="its run is active"):
            management.delete_checkpoint(name)
        with pytest.raises(CheckpointError, match="its run is active"):
            management.set_pinned(name, is_pinned=True)
    journal.close()
    for name in both:
        management.set_pinned(name, is_pinned=True)
        management.set_pinned(name, is_pinned=False)
        management.delete_checkpoint(name)
        assert name not in names()


@pytest.mark.usefixtures("run")
def test_export_and_import_change_nothing_but_the_imported_flag_and_a_folder_gets_a_file_of_its_name(
    mine: Path, elsewhere: Path
) -> None:
    exported = management.export_checkpoint("mine", elsewhere / "copy.safetensors", replace=False)
    back, own = load_checkpoint(management.import_checkpoint(exported, "back", replace=False)), load_checkpoint(mine)
    assert exported.read_bytes() == mine.read_bytes() == management.checked_content(mine)
    assert back.info == replace(own.info, is_imported=True)
    h.assert_same_tensors(back.tensors, own.tensors)
    assert names() == dict.fromkeys(("back", "mine", "one/latest", "one/best"), False)
    (elsewhere / "usual").touch()
    assert stat.S_IMODE(exported.stat().st_mode) == stat.S_IMODE((elsewhere / "usual").stat().st_mode)
    assert management.export_checkpoint("mine", elsewhere, replace=False) == elsewhere / "mine.safetensors"
    assert management.export_checkpoint("one/best", elsewhere, replace=False) == elsewhere / "one-best.safetensors"
    assert management.export_checkpoint("one", elsewhere, replace=True) == elsewhere / "one-best.safetensors"


# Checkpoints by steps -------------------------------------------------------------------------------------------------
def steps_in(run: RunFolder) -> list[int]:
    """Return the steps of the existing checkpoints `step-N`."""
    paths = run.checkpoint_path("latest").parent.glob("step-*.safetensors")
    return sorted(int(path.stem[5:]) for path in paths if path.stem[5:].isdecimal())


@pytest.mark.parametrize(
    ("there", "pinned", "keep", "step", "left"),
    [
        pytest.param((1, 2, 3, 10, 20), (), 2, 20, [10, 20], id="the oldest go"),
        pytest.param((1, 2, 3), (), 3, 3, [1, 2, 3], id="few stay"),
        pytest.param((1, 2, 3), (), 0, 3, [1, 2, 3], id="0 keeps all"),
        pytest.param((1, 2, 3, 4), (1, 4), 1, 4, [1, 3, 4], id="a pinned one neither goes nor counts"),
        pytest.param((100, 200, 800, 900), (), 2, 200, [100, 200], id="steps abandoned by loading go first"),
    ],
)
def test_as_many_step_checkpoints_are_kept_as_configured_and_all_other_files(
    tmp_path: Path, there: tuple[int, ...], pinned: tuple[int, ...], keep: int, step: int, left: list[int]
) -> None:
    run = RunFolder(tmp_path / "run")
    run.checkpoint_path("latest").parent.mkdir(parents=True)
    for name in ("latest", "best", "step-old", *(f"step-{number}" for number in there)):
        run.checkpoint_path(name).write_bytes(b"x")
    for number in pinned:
        catalog.pin_path(run.checkpoint_path(f"step-{number}")).touch()
    prune_steps(run, keep, step)
    assert steps_in(run) == left
    assert {path.stem for path in run.checkpoint_path("latest").parent.iterdir()} >= {"latest", "best", "step-old"}
