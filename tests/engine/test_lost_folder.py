"""A run whose folder goes away underneath it: it goes on, is told once, and can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import commands as c
from engine import events as e
from engine import journal
from engine.checkpoint import load_checkpoint
from engine.commands import Command
from engine.events import Event
from engine.folders import RunFolder, find_run, folder_of_run, list_runs
from engine.journal import Journal, is_in_use, read_journal
from tests.engine.helpers import OnEvent, losses, of_type, resume_config, run_session, tiny_config, write_corpus
from tests.engine.stream_rules import assert_keeps_the_rules
from tests.fakes import BrokenDisk, FakeClock


@pytest.fixture
def corpus(home: Path) -> Path:
    return write_corpus(home)


@pytest.fixture
def undisturbed(corpus: Path) -> dict[int, float]:
    """The losses of the run that nothing happens to."""
    return losses(run_session(tiny_config(corpus, run_name="undisturbed")))


def at_step_three(happens: object) -> OnEvent:
    """Return what calls `happens` once, with the run's folder."""

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            assert callable(happens)
            happens(folder_of_run("tiny"))
        return ()

    return on_event


def deleted(run: RunFolder) -> None:
    shutil.rmtree(run.path)


def moved_away(run: RunFolder) -> None:
    run.path.rename(run.path.with_name("elsewhere"))


def replaced_by_an_empty_one(run: RunFolder) -> None:
    shutil.rmtree(run.path)
    run.path.mkdir()


@pytest.mark.parametrize("happens", [deleted, moved_away, replaced_by_an_empty_one])
def test_a_folder_that_is_gone_is_made_anew_and_the_run_can_be_resumed(
    corpus: Path, undisturbed: dict[int, float], happens: object
) -> None:
    told = run_session(tiny_config(corpus, max_steps=8), on_event=at_step_three(happens))

    assert {**losses(told)} == {step: loss for step, loss in undisturbed.items() if step <= 8}
    [warning] = of_type(told, e.Warned)
    assert "The folder of the run tiny was deleted" in warning.message
    assert_keeps_the_rules(told)
    run = find_run("tiny")
    journalled = list(read_journal(run.journal_path))
    assert isinstance(journalled[0], e.RunStarted)
    assert journalled[0].step == 4
    assert journalled[1:] == told[-len(journalled) + 1 :]
    assert not is_in_use(run.journal_path)

    resumed = run_session(resume_config("tiny", max_steps=12))
    assert losses(resumed) == {step: loss for step, loss in undisturbed.items() if step > 8}


def test_the_folder_is_whole_again_before_the_next_step_is_over(corpus: Path) -> None:
    seen: list[set[str]] = []

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            deleted(folder_of_run("tiny"))
        if isinstance(event, e.StepsFinished) and event.step == 5:
            run = find_run("tiny")
            seen.append({str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()})
            assert load_checkpoint(run.checkpoint_path("latest")).info.step == 4
            assert is_in_use(run.journal_path)
        return ()

    run_session(tiny_config(corpus), on_event=on_event)
    assert seen == [{"config.json", "events.jsonl", "tweetgen.log", "checkpoints/latest.safetensors"}]


def test_a_folder_that_another_run_has_taken_is_left_to_it(corpus: Path, undisturbed: dict[int, float]) -> None:
    holders: list[Journal] = []

    def taken(run: RunFolder) -> None:
        shutil.rmtree(run.path)
        run.path.mkdir()
        run.config_path.write_text("{}")
        holders.append(Journal(run.journal_path))

    told = run_session(tiny_config(corpus, max_steps=8), on_event=at_step_three(taken))

    [warning] = of_type(told, e.Warned)
    assert "another run's now; this one goes on as tiny-2: --resume tiny-2." in warning.message
    other = find_run("tiny")
    assert {path.name for path in other.path.iterdir()} == {"config.json", "events.jsonl"}
    assert other.journal_path.read_bytes() == b""
    holders[0].close()
    assert list(losses(told)) == list(range(1, 9))
    assert load_checkpoint(find_run("tiny-2").checkpoint_path("latest")).info.run == "tiny-2"
    resumed = run_session(resume_config("tiny-2", max_steps=12))
    assert losses(resumed) == {step: loss for step, loss in undisturbed.items() if step > 8}


def test_a_save_in_a_pause_finds_the_folder_gone_and_makes_it_anew_at_once(corpus: Path) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.Paused):
            deleted(folder_of_run("tiny"))
            return [c.SaveLatest(), c.Resume()]
        return ()

    told = run_session(tiny_config(corpus), {3: [c.Pause()]}, on_event)

    assert [warning.kind for warning in of_type(told, e.Warned)] == [""]
    place = told.index(of_type(told, e.Warned)[0])
    assert isinstance(told[place + 1], e.CheckpointSaved)
    assert told[place + 1].step == 3


def test_a_journal_that_alone_is_deleted_goes_on_in_a_new_one(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), on_event=at_step_three(lambda run: run.journal_path.unlink()))

    [warning] = of_type(told, e.Warned)
    assert "The journal of the run tiny was deleted or replaced" in warning.message
    assert [event.step for event in of_type(read_journal(find_run("tiny").journal_path), e.StepsFinished)] == list(
        range(4, 13)
    )


def test_checkpoints_that_alone_are_deleted_are_saved_again_at_the_next_occasion(corpus: Path) -> None:
    told = run_session(
        tiny_config(corpus), on_event=at_step_three(lambda run: shutil.rmtree(run.checkpoint_path("latest").parent))
    )

    assert not of_type(told, e.Warned)
    assert load_checkpoint(find_run("tiny").checkpoint_path("latest")).info.step == 12


def test_the_log_goes_with_the_folder(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            deleted(folder_of_run("tiny"))
        if isinstance(event, e.StepsFinished) and event.step == 6:
            raise ZeroDivisionError("a listener's own mistake")
        return ()

    run_session(tiny_config(corpus), on_event=on_event)
    assert "a listener's own mistake" in find_run("tiny").log_path.read_text()


@pytest.mark.parametrize("num_calls", range(4))  # two opened, the first line written
def test_a_run_that_has_to_move_while_the_disk_fails_writes_nothing_into_the_others_folder(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, num_calls: int
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("engine.saver.time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr("engine.session.time", SimpleNamespace(monotonic=clock))
    disk = BrokenDisk()
    monkeypatch.setattr(journal, "os", disk)
    holders: list[Journal] = []

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(61.0)
            disk.breaks_at = None if event.step > 6 else disk.breaks_at
        if isinstance(event, e.StepsFinished) and event.step == 3:
            run = folder_of_run("tiny")
            shutil.rmtree(run.path)
            run.path.mkdir()
            run.config_path.write_text("{}")
            holders.append(Journal(run.journal_path))
            disk.breaks_at = len(disk.calls) + num_calls
        return ()

    told = run_session(tiny_config(corpus), on_event=on_event)

    holders.pop().close()
    other = find_run("tiny")
    assert {path.name for path in other.path.iterdir()} == {"config.json", "events.jsonl"}
    assert sorted(path.name for path in (corpus.parent / "runs").iterdir()) == ["tiny", "tiny-2"]
    run = find_run("tiny-2")
    assert load_checkpoint(run.checkpoint_path("latest")).info.step == 12
    journalled = list(read_journal(run.journal_path))
    assert isinstance(journalled[0], e.RunStarted)
    assert journalled[0].run == "tiny-2"
    assert any("goes on as tiny-2" in warning.message for warning in of_type(told, e.Warned))


def test_the_longest_name_still_is_one_once_a_number_was_put_after_it(corpus: Path) -> None:
    name = "n" * 100
    holders: list[Journal] = []

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            run = folder_of_run(name)
            shutil.rmtree(run.path)
            run.path.mkdir()
            holders.append(Journal(run.journal_path))
        return ()

    run_session(tiny_config(corpus, run_name=name), on_event=on_event)
    holders.pop().close()
    [moved] = list_runs()
    assert folder_of_run(moved.name) == moved
    assert moved.name.endswith("n-2")
