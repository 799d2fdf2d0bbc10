"""The levels that a model has to beat: which of the measured baselines they are, and when each is crossed."""

from __future__ import annotations

from dataclasses import replace

from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.folding import fold
from tui.run.levels import Level, has_all, level_marks, levels_from, newly_crossed
from tui.run.view import RunView

NAMES = ("uniform", "unigram", "2-gram", "3-gram", "4-gram", "5-gram")
BITS = (6.6, 4.6, 3.7, 3.0, 2.6, 2.7)


def measured(num: int = len(NAMES), step: int = 1) -> e.BaselinesMeasured:
    return e.BaselinesMeasured(step=step, elapsed_seconds=1.0, request=0, names=NAMES[:num], bits_per_char=BITS[:num])


def crossings(view: RunView) -> dict[str, int | None]:
    return {level.name: level.crossed_at for level in view.levels}


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=1.0, name="calm", path="/calm", bits_per_char=None, epochs=0.0)


def test_the_levels_are_uniform_unigram_bigram_and_the_best_n_gram() -> None:
    assert levels_from(NAMES, BITS) == (
        Level(name="uniform", bits_per_char=6.6),
        Level(name="unigram", bits_per_char=4.6),
        Level(name="bigram", bits_per_char=3.7),
        Level(name="4-gram", bits_per_char=2.6),
    )


def test_a_first_answer_without_the_higher_orders_gives_three_levels_and_unknown_names_give_none() -> None:
    assert [level.name for level in levels_from(NAMES[:3], BITS)] == ["uniform", "unigram", "bigram"]
    assert levels_from(("\x1b[31m", "99-gram", "-gram"), (1.0, 2.0, 3.0)) == ()


def test_a_level_is_crossed_at_the_first_evaluation_below_it() -> None:
    view = fold(RunView(), [run_started(), measured()])
    assert set(crossings(view).values()) == {None}
    view = fold(view, [eval_finished(10, 4.6), eval_finished(20, 3.6), eval_finished(30, 3.9), eval_finished(40, 3.5)])
    assert crossings(view) == {"uniform": 10, "unigram": 20, "bigram": 20, "4-gram": None}


def test_levels_measured_late_are_crossed_where_the_evaluations_were() -> None:
    view = fold(RunView(), [run_started(), eval_finished(10, 5.0), eval_finished(20, 2.0), measured(3, step=21)])
    assert crossings(view) == {"uniform": 10, "unigram": 20, "bigram": 20}
    assert crossings(fold(view, [measured(step=30)])) == crossings(view) | {"4-gram": 20}


def test_levels_that_are_measured_again_were_crossed_where_they_were_before() -> None:
    view = fold(RunView(), [run_started(), measured(), eval_finished(10, 3.0), eval_finished(20, 3.0)])
    thinned = replace(view, val_points=view.val_points[1:])
    assert fold(thinned, [measured(step=30)]).levels == view.levels


def test_going_back_to_a_step_undoes_the_crossings_after_it() -> None:
    view = fold(RunView(), [run_started(), measured(), eval_finished(10, 5.0), eval_finished(20, 3.0), loaded(15)])
    assert crossings(view) == {"uniform": 10, "unigram": None, "bigram": None, "4-gram": None}
    assert crossings(fold(view, [eval_finished(25, 2.0)]))["4-gram"] == 25


def test_a_new_session_starts_without_levels_as_its_validation_tweets_may_be_others() -> None:
    view = fold(RunView(), [run_started(), measured(), steps_finished(1, [2.0] * 20)])
    resumed = run_started(step=20, resumed_from="latest")
    assert fold(view, [resumed]).levels == ()


def test_each_step_at_which_levels_are_crossed_has_one_mark_for_the_hardest() -> None:
    view = fold(RunView(), [run_started(), measured(), eval_finished(10, 5.0), eval_finished(20, 3.0)])
    marks = level_marks(view.levels)
    assert [(mark.step, mark.kind, mark.label) for mark in marks] == [
        (10, "level", "better than a uniform guess"),
        (20, "level", "better than counting pairs of characters"),
    ]


def test_a_crossed_level_is_reported_in_one_sentence() -> None:
    levels = levels_from(NAMES, BITS)
    assert [level.sentence for level in levels] == [
        "Now better than a uniform guess.",
        "Now better than counting single characters.",
        "Now better than counting pairs of characters.",
        "Now better than counting four characters.",
    ]
    assert replace(levels[-1], name="6-gram").sentence == "Now better than counting six characters."


def test_of_several_levels_crossed_since_the_hardest_is_reported_unless_the_crossing_is_old() -> None:
    begun = fold(RunView(), [run_started(), measured(), eval_finished(10, 5.0)])
    view = fold(begun, [eval_finished(20, 3.0)])
    uniform, _, bigram, _ = view.levels
    assert newly_crossed((), begun.levels, 0) == uniform
    assert newly_crossed(begun.levels, view.levels, 0) == bigram
    assert newly_crossed((), view.levels, 10) == bigram
    assert newly_crossed((), view.levels, 20) is None
    assert newly_crossed(view.levels, view.levels, 0) is None


def test_all_levels_are_there_once_the_n_grams_of_higher_order_are_measured() -> None:
    assert [has_all(fold(RunView(), [run_started(), measured(num)]).levels) for num in (0, 3, 4, 6)] == [
        *(False, False, True, True)
    ]
