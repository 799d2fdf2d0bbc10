"""The marks of changed sampling settings: temperature and filter."""

from __future__ import annotations

from dataclasses import replace

from engine.config.sampling import SamplingConfig
from engine.protocol import events as e
from tests.fakes import run_started
from tui.run.folding import fold
from tui.run.view import RunView

PLAIN = SamplingConfig()
NEW = SamplingConfig(only_new=True)


def marks_after(*settings: tuple[int, SamplingConfig]) -> list[tuple[int, str]]:
    """Return step and label of the marks after changes of the sampling settings, the first of the run being `PLAIN`."""
    changes = (e.SamplingChanged(step=step, elapsed_seconds=1.0, sampling=sampling) for step, sampling in settings)
    return [(mark.step, mark.label) for mark in fold(RunView(), [run_started(), *changes]).marks]


def test_a_change_of_the_filter_and_its_undoing_are_marked() -> None:
    longer = replace(NEW, avoid=("monday",), min_length=20)
    assert marks_after((10, NEW), (20, longer), (30, NEW), (40, PLAIN)) == [
        (10, "filter: only new on"),
        (20, "filter: avoid 1 text, min length 20"),
        (30, "filter: avoid none, min length 0"),
        (40, "filter off"),
    ]


def test_the_mark_of_long_texts_is_short() -> None:
    long = replace(NEW, avoid=("word",) * 900, must_contain="a long text " * 9)
    [(_, label)] = marks_after((10, long))
    assert label == "filter: only new on, avoid 900 texts, must contain “a long text a long …”"


def test_the_maximum_length_is_marked_as_a_change_of_a_filter_only() -> None:
    assert marks_after((10, replace(PLAIN, max_length=50)), (20, replace(NEW, max_length=50))) == [
        (20, "filter: only new on")
    ]
    assert marks_after((10, NEW), (20, replace(NEW, max_length=50)))[-1] == (20, "filter: max length 50")


def test_other_settings_than_temperature_and_filter_are_not_marked() -> None:
    assert marks_after((10, replace(PLAIN, prime="a", top_k=3, min_p=0.1, temperature_last=True))) == []


def test_at_each_step_the_last_change_of_each_kind_is_marked() -> None:
    warm = replace(PLAIN, temperature=1.5)
    both = replace(NEW, temperature=1.5)
    assert marks_after((10, both)) == [(10, "temperature 1.50"), (10, "filter: only new on")]
    assert marks_after((10, warm), (10, both), (10, NEW), (10, replace(NEW, best_of=4))) == [
        (10, "temperature 0.80"),
        (10, "filter: best of 4"),
    ]
