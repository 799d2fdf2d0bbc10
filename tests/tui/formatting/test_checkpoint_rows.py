"""The checkpoint list without a screen: order, filter, ages, and the details of one and of two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.catalog import CheckpointEntry
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.storage.folders import named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info
from tests.hostile import obeyed
from tui.formatting.checkpoint_facts import comparison, description, detail_lines, num_parameters
from tui.formatting.checkpoint_rows import UNTRAINED, Order, cells_of, format_age, grouped
from tui.run.branching import Branch


def entry(name: str, saved_at: float = 0.0, *, is_pinned: bool = False, **changes: Any) -> CheckpointEntry:
    return CheckpointEntry(
        name=name,
        path=Path(f"/tmp/{name}"),
        saved_at=saved_at,
        num_bytes=1_800_000,
        info=checkpoint_info(**{"last_eval_step": changes.get("step", 2), **changes}),
        is_pinned=is_pinned,
    )


ENTRIES = [
    entry("step-10", 50, step=10, bits_per_char=2.0),
    entry("step-9", 60, step=9, bits_per_char=None),
    entry("run/best", 99, step=30, bits_per_char=1.5, corpus_name="happy.csv"),
    entry("kept", 1, step=1, bits_per_char=4.0, is_pinned=True),
]


def shown(entries: list[CheckpointEntry], order: Order = "age", typed: str = "", run: str = "run") -> list[str]:
    """Return the names of all groups, in the order of the rows."""
    return [each.name for group in grouped(entries, run, order, typed) for each in group.entries]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("name", ["kept", "step-9", "step-10", "run/best", "then/latest"]),
        ("step", ["kept", "step-10", "step-9", "run/best", "then/latest"]),
        ("loss", ["kept", "step-10", "step-9", "run/best", "then/latest"]),
        ("size", ["kept", "step-9", "step-10", "run/best", "then/latest"]),
        ("age", ["kept", "step-9", "step-10", "run/best", "then/latest"]),
    ],
)
def test_in_each_group_pinned_checkpoints_come_first_then_the_chosen_order(order: Order, names: list[str]) -> None:
    assert shown([*ENTRIES, entry("then/latest", 999, step=99, bits_per_char=0.5)], order) == names


def test_checkpoints_are_grouped_by_who_saved_them_and_empty_groups_are_left_out() -> None:
    entries = [entry("a/step-5"), entry("b/latest"), entry("b [/x]/best"), entry("mine")]
    groups = {group.heading: [each.name for each in group.entries] for group in grouped(entries, "b", "name")}
    assert groups == {"saved by name": ["mine"], "this run, b": ["b/latest"], "other runs": ["a/step-5", "b [/x]/best"]}
    assert [group.run for group in grouped(entries, "b", "name")] == ["", "b", ""]
    assert [group.heading for group in grouped(entries[:1], None, "name")] == ["other runs"]


def test_untrained_checkpoints_of_runs_are_hidden_unless_pinned_and_a_filter_finds_them() -> None:
    entries = [
        entry("run/latest", step=0),
        entry("run/best", step=0, is_pinned=True),
        entry("mine", step=0),
        entry("run/step-1", step=1),
    ]
    assert shown(entries, "name") == ["mine", "run/best", "run/step-1"]
    assert shown(entries, typed=UNTRAINED) == ["run/latest"]
    assert shown(entries, typed="latest") == ["run/latest"]
    assert shown(entries, typed="  ") == ["mine", "run/best", "run/step-1"]


def test_the_filter_searches_name_run_and_corpus_and_of_a_damaged_file_the_name() -> None:
    entries = [*ENTRIES, replace(ENTRIES[0], name="broken", info=None)]
    found = {typed: shown(entries, "age", typed) for typed in ("STEP", "happy", "a run 9", "zzz", "roke")}
    assert found == {
        "STEP": ["step-9", "step-10"],
        "happy": ["run/best"],
        "a run 9": ["step-9"],
        "zzz": [],
        "roke": ["broken"],
    }


def test_ages_are_short_and_a_damaged_file_is_marked() -> None:
    ages = {-5: "now", 1.5: "now", 119: "119 s", 180: "3 min", 7200: "2 h", 40 * 86_400: "40 d", 9.5e7: "3 y"}
    assert {seconds: format_age(seconds) for seconds in ages} == ages
    damaged = replace(entry("bad\x1b[31m"), info=None, problem="cut short")
    assert cells_of(damaged, 200.0, "bits") == ("bad", "damaged", "–", "1.8 MB", "3 min")
    assert cells_of(entry("now/step-7"), 0.0, "bits", run="now")[0] == "step-7"


MODELS = [
    ModelConfig(embedding_size=4, hidden_size=5),
    ModelConfig(embedding_size=4, hidden_size=5, num_layers=3, dropout=0.1),
    ModelConfig(embedding_size=6, hidden_size=6, tied_embeddings=True),
]


@pytest.mark.parametrize("model", MODELS, ids=["one layer", "three layers", "tied"])
def test_the_number_of_parameters_equals_the_models(model: ModelConfig) -> None:
    info = checkpoint_info(model=model)
    expected = TextGenerator.from_config(len(Vocab(info.vocab)), model).num_parameters
    assert num_parameters(info) == expected


def test_a_comparison_marks_values_that_differ_and_none_of_equal_checkpoints() -> None:
    pairs = comparison(checkpoint_info(), checkpoint_info(), "bits")
    assert {pair.name for pair in pairs} >= {
        "step",
        "train (last step) bits/char",
        "validation bits/char",
        "model",
        "corpus",
        "learning rate",
    }
    assert not any(pair.differs for pair in pairs)
    other = checkpoint_info(
        step=90,
        vocab=("a", "ß"),
        training=TrainingConfig(max_steps=12, weight_decay=0.1, batch_size=64),
        sampling=SamplingConfig(temperature=1.1),
    )
    differing = {
        pair.name: (pair.left, pair.right) for pair in comparison(checkpoint_info(), other, "bits") if pair.differs
    }
    assert differing["step"] == ("2", "90")
    assert differing["batch size"] == ("32", "64")
    assert differing["weight decay"] == ("0.0", "0.1")
    assert differing["temperature"] == ("0.7", "1.1")
    assert "ß" in differing["only in its vocabulary"][1]
    assert "corpus" not in differing


def test_a_comparison_shows_a_new_field_of_the_model_by_itself() -> None:
    @dataclass(frozen=True, kw_only=True)
    class NewerModel(ModelConfig):
        has_skips: bool = False

        def __post_init__(self) -> None:
            """Skip the validation, which reads only the fields of its own class."""

    old, new = (checkpoint_info(model=NewerModel(has_skips=has_skips)) for has_skips in (False, True))
    differing = [pair for pair in comparison(old, new, "bits") if pair.differs]
    assert [(pair.name, pair.left, pair.right) for pair in differing] == [("has skips", "False", "True")]


def test_a_branch_has_the_checkpoints_settings_and_the_previous_runs_runtime() -> None:
    corpus = CorpusConfig(files=("/data/a.csv",), lowercase=True)
    before = RunConfig(
        settings={"hidden_size": 64}, run_name="mine", resume=None, checkpoint="x", runtime=RuntimeConfig(threads=1)
    )

    saved = entry("happy", corpus=corpus, training=TrainingConfig(preset="auto"))
    config = Branch(replace(saved, path=named_checkpoint_path("happy"))).config_after(before)
    tutorial = Branch(entry("happy", training=TrainingConfig(preset="tutorial"))).config_after(before)

    assert config == RunConfig(corpus=corpus, checkpoint="happy", runtime=RuntimeConfig(threads=1))
    assert tutorial.preset == "tutorial"


@pytest.mark.parametrize(
    ("budget", "doubled"),
    [
        ({"max_steps": 101}, {}),
        ({"max_steps": 100}, {"max_steps": 200}),
        ({"max_steps": 40}, {"max_steps": 200}),
        ({"epochs": 4.0}, {}),
        ({"epochs": 3.5, "max_seconds": 9.0}, {"epochs": 7.0}),
        ({"max_seconds": 5.0}, {"max_seconds": 10.0}),
    ],
)
def test_a_branch_of_a_run_with_a_spent_budget_gets_as_much_again(
    budget: dict[str, Any], doubled: dict[str, Any]
) -> None:
    used = entry(
        "spent",
        step=100,
        elapsed_seconds=5.0,
        position=Position(epoch=3, batch=0),
        training=TrainingConfig(preset="auto", **budget),
    )
    assert Branch(used).config_after(RunConfig()).settings == doubled


def test_an_evaluation_of_an_earlier_step_is_marked_and_sorted_last() -> None:
    old = entry("old", step=2600, bits_per_char=1.78, val_loss=1.23, last_eval_step=2500)
    fresh = entry("fresh", step=2500, bits_per_char=2.0, val_loss=1.5)
    assert old.info is not None
    assert fresh.info is not None

    assert shown([old, fresh], "loss") == ["fresh", "old"]
    assert [cells_of(each, 0.0, "bits")[2] for each in (old, fresh)] == ["1.78 @2.5k", "2.00"]
    assert cells_of(fresh, 0.0, "bits", at_width=6)[2] == "2.00      "
    assert cells_of(old, 0.0, "nats")[2] == "1.234 @2.5k"
    assert dict(description(old.info))["validation bits/char"] == "1.78 @2,500"
    pairs = {pair.name: (pair.left, pair.right) for pair in comparison(old.info, fresh.info, "bits")}
    assert pairs["validation bits/char"] == ("1.78 @2,500", "2.00")
    assert "nats/char: train (last step) 3.250, validation 1.234 @2,500" in detail_lines(old, "nats")
    assert "bits/char: train (last step) 4.69, validation 1.78 @2,500" in detail_lines(old, "bits")


def test_the_texts_of_a_checkpoint_are_shown_without_control_characters() -> None:
    hostile = "small\x1b[2J.t\ufeffxt"
    changes: dict[str, Any] = {
        "run": hostile,
        "corpus_name": hostile,
        "device": hostile,
        "versions": {"torch": "2.13", hostile: "\x9b31m"},
        "training": replace(TrainingConfig(), preset=hostile),
        "vocab": ("a", "\x1b"),
    }
    info = checkpoint_info(**changes)
    facts = [*description(info), *((each.name, each.left) for each in comparison(info, checkpoint_info(), "bits"))]
    lines = detail_lines(entry("saved", **changes), "bits")
    texts = [text for _, text in facts] + lines
    assert [text for text in texts if obeyed(text)] == []
    assert "small.txt" in dict(facts)["corpus"]
    assert dict(description(info))["versions"].startswith("torch 2.13, small.txt")
