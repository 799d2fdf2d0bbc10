"""The lesson without its screen: what does a stop, what is kept in its folder, and its pictures."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig
from engine.errors import StorageError
from engine.model.vocab import UNK
from engine.protocol.events import CharChance, LadderTweet
from engine.storage.folders import create_run_folder, folder_of_run
from engine.storage.journal import Journal
from tests import hostile
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeSession, text_traced
from tui.lesson import run as lesson_run
from tui.lesson.pictures import (
    Measured,
    Place,
    Sizes,
    at_temperature,
    bars_picture,
    chars_picture,
    comparison_picture,
    ladder_picture,
    noise_of,
    note_on_units,
    parts,
    place_of,
    repeated,
    scale_picture,
    sentence_on,
    shapes_picture,
)
from tui.lesson.run import main_config, open_lesson_session, overfit_config
from tui.lesson.stops import (
    STOPS,
    Progress,
    invitation_to_lesson,
    is_lesson_open,
    lock_lesson,
    progress_path,
    read_progress,
    write_progress,
)
from tui.run.marks import baselines_from
from tui.run.view import RunView
from tui.screens.lesson.comparing_stops import BatchesView, SamplingView
from tui.screens.lesson.reading_stops import CharsView, ForcingView, LearnedView, ShapesView
from tui.screens.lesson.stop_view import StopView
from tui.screens.lesson.training_stops import OverfitView, TrainingView
from tui.text.cells import num_cells, plain
from tui.xray.drawing import ASCII, UNICODE, Glyphs, Picture

LEVELS = baselines_from(("uniform", "unigram", "2-gram"), (6.87, 4.6, 3.6))
RUN: Any = SimpleNamespace(main_view=SimpleNamespace(baselines=LEVELS))
TYPED, KNOWN = (structs.replace(text_traced("a~"), token_ids=(1, *ids)) for ids in ((UNK,), (9, 9)))
TRACED = structs.replace(text_traced("a" * 80), stepwise_loss=2.0, sequence_loss=2.0000004)
LADDER = SimpleNamespace(rungs=())


def measured(**num_steps: int) -> dict[int, Any]:
    return {int(size.removeprefix("at_")): SimpleNamespace(num_steps=count) for size, count in num_steps.items()}


DEEDS: dict[type[StopView], tuple[dict[str, Any], ...]] = {
    CharsView: ({"_traced": TYPED}, {"_traced": None}, {"_traced": KNOWN}),
    ShapesView: ({"_num_seen": 4}, {"_num_seen": 3}),
    ForcingView: (
        {"_traced": TRACED, "_places": {*range(12), 80}, "_has_seen_own_draw": True},
        *({"_places": {0, 80}}, {"_places": {*range(40)}}, {"_has_seen_own_draw": False}),
        *({"_traced": structs.replace(TRACED, sequence_loss=2.00002)}, {"_traced": None}),
    ),
    OverfitView: ({"_has_compared": True}, {"_has_compared": False}),
    SamplingView: ({"_ladder": LADDER, "_places": {0, 4, 8}}, {"_ladder": None}, {"_places": {0, 4}}, {"_places": {8}}),
    BatchesView: (
        {"_measuring": measured(at_1=30, at_32=40), "_has_seen_unsorted": True},
        *({"_measuring": measured(at_32=400)}, {"_measuring": measured(at_1=30, at_32=29)}),
        {"_has_seen_unsorted": False},
    ),
    TrainingView: (
        {"_val_bits": 3.5},
        *({"_val_bits": math.inf}, {"_val_bits": 3.6}, {"run": SimpleNamespace(main_view=RunView())}),
    ),
    LearnedView: (
        {"_seen": {"reach", "units", "map"}, "_held": {-1.0, 0.75, 1.0}},
        *({"_seen": {"reach", "units"}}, {"_held": {1.0}}, {"_held": {-1.0, 0.75}}),
    ),
}


@pytest.mark.parametrize("number", range(1, 9))
def test_a_deed_does_its_stop_and_each_part_of_it_is_needed(number: int) -> None:
    assert len(STOPS) == len(DEEDS)
    kind = list(DEEDS)[number - 1]
    deed, *lacks = DEEDS[kind]

    def is_done(**state: Any) -> bool:
        view = kind(STOPS[number - 1], RUN)
        vars(view).update(state)
        return view.is_done

    assert is_done(**deed)
    assert [lack for lack in ({}, *lacks) if is_done(**({**deed, **lack} if lack else {}))] == []
    if kind is ForcingView:  # a tweet shorter than a dozen places
        short = {**deed, "_traced": structs.replace(TRACED, text="aa")}
        assert is_done(**{**short, "_places": {0, 1, 2}})
        assert not is_done(**{**short, "_places": {1, 2}})


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_run, "open_training_session", lambda _config, _on_stage: FakeSession())


def test_the_lesson_continues_at_its_stop(tmp_path: Path) -> None:
    path = tmp_path / "lesson" / "progress.json"
    assert read_progress(path) == Progress()
    progress = Progress(3, frozenset({1, 2, 8}))
    write_progress(path, progress)
    assert read_progress(path) == progress
    assert [Progress(1, frozenset(done)).is_complete for done in ({1, 2, 8}, range(1, 9))] == [False, True]


DAMAGED = (
    *(b"", b"\xff\xfe", b"[]", b"3", b"{}", b"[" * 100_000),
    *(b'{"stop": 3}', b'{"stop": 9, "done": []}', b'{"stop": 0, "done": []}', b'{"stop": true, "done": []}'),
    *(b'{"stop": "3", "done": []}', b'{"stop": 3, "done": 4}'),
)


def test_a_damaged_file_means_the_beginning_and_no_unknown_stop_is_done(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for content in DAMAGED:
        path.write_bytes(content)
        assert read_progress(path) == Progress(), content[:30]
    path.write_text('{"stop": 2, "done": [1, 9, -1, "2", true, 2.0]}', encoding="utf-8")
    assert read_progress(path) == Progress(2, frozenset({1}))


def test_a_user_of_few_runs_who_has_not_opened_the_lesson_is_invited() -> None:
    assert "tweetgen-tui lesson" in invitation_to_lesson()
    write_progress(progress_path(), Progress())
    assert invitation_to_lesson() == ""
    progress_path().unlink()
    for number in range(3):
        assert invitation_to_lesson()
        (create_run_folder(f"run-{number}").path / "config.json").write_text("{}")
    assert invitation_to_lesson() == ""


def test_a_lesson_that_is_open_is_refused_until_it_is_closed() -> None:
    assert not is_lesson_open()
    descriptor = lock_lesson()
    assert is_lesson_open()
    with pytest.raises(StorageError, match="open in another terminal"):
        lock_lesson()
    os.close(descriptor)
    assert not is_lesson_open()
    os.close(lock_lesson())


@pytest.mark.parametrize("config", [main_config, overfit_config])
def test_a_new_run_replaces_the_one_of_its_name_and_no_other(config: Callable[[], RunConfig], home: Path) -> None:
    for name in ("lesson", "overfit", "mine"):
        (create_run_folder(name).path / "config.json").write_text("{}")
    open_lesson_session(config(), lambda _stage: None)
    left = {path.name for path in (home / "runs").iterdir()}
    assert left == {"lesson", "overfit", "mine"} - {config().run_name}


def test_a_saved_model_is_continued_unless_a_new_one_is_wanted_and_the_run_on_one_tweet_is_the_tutorials() -> None:
    assert overfit_config().corpus == CorpusConfig(overfit=200)
    assert overfit_config().settings["learning_rate"] == 0.001
    assert main_config().run_name == "lesson"
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    assert main_config().resume == "lesson"
    assert main_config(is_new=True).run_name == "lesson"
    open_lesson_session(main_config(), lambda _stage: None)
    assert folder_of_run("lesson").checkpoint_path("latest").exists()


def test_a_run_that_is_trained_elsewhere_is_not_replaced() -> None:
    folder = create_run_folder("overfit")
    with contextlib.closing(Journal(folder.journal_path)), pytest.raises(StorageError, match="Another process trains"):
        open_lesson_session(overfit_config(), lambda _stage: None)
    assert folder.journal_path.exists()


Draw: TypeAlias = Callable[[int, int, Glyphs], Picture]
SIZES = Sizes(model=ModelConfig(embedding_size=64, hidden_size=48), vocab_size=117, num_tweets=32, num_columns=72)
CHANCES = tuple(CharChance(char=char, probability=share) for char, share in (("e", 0.5), (" ", 0.25), ("x", 0.2)))
NEXT = text_traced(
    "hi",
    next_log_probs=tuple(math.log(share) for share in (0.5, 0.25, 0.2, *[0.05 / 110] * 110)),
    chars=(structs.replace(text_traced("hi").chars[-1], likeliest=CHANCES),),
)
LOOP = "I love the love the love the"
MEASURED = [
    (1, Measured(num_steps=40, chars_per_second=9_000, noise=0.4)),
    (32, Measured(num_steps=40, chars_per_second=90_000, noise=0.1)),
]


def rungs(text: str, *temperatures: float) -> list[LadderTweet]:
    return [
        LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
        for each in temperatures
    ]


def scale(validation: float) -> Draw:
    places = [*map(place_of, LEVELS), Place(name="validation", bits=validation, kind="good")]
    sentence, note = sentence_on(validation, LEVELS), note_on_units(LEVELS)
    return lambda width, height, glyphs: scale_picture(places, sentence, width, height, glyphs, note)


PICTURES: dict[str, tuple[Draw, str]] = {
    "ids and one-hot rows": (lambda *size: chars_picture("a~", [6, UNK], 117, *size), "60x12"),
    "the end of a long tweet": (lambda *size: chars_picture("b" * 50, [100] * 50, 117, *size), "40x10"),
    "no part seen": (lambda *size: shapes_picture(SIZES, 0, *size), "100x20"),
    "two parts": (lambda *size: shapes_picture(SIZES, 2, *size), "100x20"),
    "all parts": (lambda *size: shapes_picture(SIZES, 4, *size), "100x20"),
    "temperature 1": (lambda *size: bars_picture(NEXT, 1.0, *size), "70x12"),
    "temperature 5": (lambda *size: bars_picture(NEXT, 5.0, *size), "38x6"),
    "a loop at 0": (lambda *size: ladder_picture(rungs(LOOP, 0.0, 1.0), *size), "70x8"),
    "no loop at 1": (lambda *size: ladder_picture(rungs(LOOP, 0.1, 1.0), *size), "70x8"),
    "one batch size": (lambda *size: comparison_picture(MEASURED[:1], 1, *size), "100x9"),
    "two batch sizes": (lambda *size: comparison_picture(MEASURED, 32, *size), "100x9"),
    "losses and levels": (scale(4.0), "100x9"),
    "a low scale without the levels": (scale(2.0), "38x3"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    draw, size = PICTURES[name]
    width, height = map(int, size.split("x"))
    assert plain(draw(width, height, UNICODE)) == snapshot(name=size)
    assert plain(draw(width, height, ASCII)) == snapshot(name=f"{size} in ASCII")


def test_sentences_name_the_passed_levels_and_parameters_are_those_of_the_model(snapshot: SnapshotAssertion) -> None:
    said = [f"{bits}: {sentence_on(bits, LEVELS)}" for bits in (None, 6.9, 4.7, 4.0, 2.0)]
    assert "\n".join([*said, f"before: {sentence_on(2.0, ())}"]) == snapshot
    assert sum(part.num_parameters for part in parts(SIZES)) == SIZES.model.num_parameters(117)


def test_temperature_1_leaves_the_distribution_0_takes_the_likeliest_and_5_flattens_it() -> None:
    shares = (0.5, 0.25, 0.2, 0.05)
    log_probs = tuple(map(math.log, shares))
    assert at_temperature(log_probs, 1.0) == pytest.approx(shares)
    assert at_temperature(log_probs, 0.0) == (1.0, 0.0, 0.0, 0.0)
    roots = [math.sqrt(share) for share in shares]
    assert at_temperature(log_probs, 2.0) == pytest.approx([root / sum(roots) for root in roots])
    assert at_temperature(log_probs, 0.1)[0] > 0.99
    assert max(at_temperature(log_probs, 5.0)) < 0.32
    assert at_temperature((), 1.0) == ()


def test_a_loop_is_a_block_that_is_repeated_three_times_and_noise_ignores_the_trend_of_the_loss() -> None:
    assert repeated("so the the the the end") in {" the", "the "}
    assert repeated("good morning to all of you") == ""
    assert repeated("aaaaaaaa") == ""  # one letter long drawn is no loop
    assert noise_of([]) == noise_of([1.0]) == noise_of([3.0, 3.0, 3.0]) == 0
    assert noise_of([1.0, 2.0, 1.0, 2.0]) == pytest.approx(math.sqrt(0.5))
    assert noise_of([3 - 0.001 * step for step in range(100)]) < 0.001


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 3), (38, 9), (78, 12), (70, 35), (200, 60)])
def test_every_picture_fits_and_is_harmless(width: int, height: int, glyphs: Glyphs) -> None:
    bad = "\x1b[2J\u202e 👨‍👩‍👧 e\u0301" * 9
    drawn = [draw(width, height, glyphs) for draw, _ in PICTURES.values()]
    drawn += [
        chars_picture(bad, [UNK] * len(bad), 117, width, height, glyphs),
        bars_picture(text_traced(bad), 0.5, width, height, glyphs),
        ladder_picture(rungs(bad, 0.0, 1.0, 5.0), width, height, glyphs),
    ]
    for picture in drawn:
        assert len(picture) <= height
        assert all(num_cells(line) <= width for line in picture)
        assert hostile.obeyed(plain(picture).replace("\n", "")) == []
