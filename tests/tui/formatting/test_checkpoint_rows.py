"""The checkpoint list without a screen: order, filter, ages, and the details of one and of two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.catalog import CheckpointEntry
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.storage.folders import named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info
from tui.formatting.checkpoint_facts import comparison, description, detail_lines, num_parameters
from tui.formatting.checkpoint_rows import UNTRAINED, Order, cells_of, format_age, grouped
from tui.formatting.loss_units import LossUnit
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


OTHERS = [
    *ENTRIES,
    entry("then/latest", 999, step=99, bits_per_char=0.5),
    entry("then/empty", step=0),
    entry("then/kept-empty", step=0, is_pinned=True),
    entry("empty", step=0),
    replace(ENTRIES[0], name="broken", info=None, problem="cut short"),
    entry("old", 70, step=2600, bits_per_char=1.78, val_loss=1.23, last_eval_step=2500),
]


def test_checkpoints_are_grouped_sorted_and_filtered(snapshot: SnapshotAssertion) -> None:
    """Pinned ones come first; untrained ones of runs are hidden unless pinned or searched; an old loss counts last."""
    lines = []
    for order in get_args(Order):
        lines.append(f"# by {order}")
        groups = grouped(OTHERS, "run", order, "")
        lines += [f"{group.heading}: {', '.join(each.name for each in group.entries)}" for group in groups]
    searches = ("STEP", "happy", "a run 9", "zzz", "roke", UNTRAINED, "empty", "  ")
    lines += [f"/{typed}: {', '.join(shown(OTHERS, typed=typed)) or 'none'}" for typed in searches]
    assert "\n".join(lines) == snapshot


def test_only_groups_with_entries_have_a_heading() -> None:
    entries = [entry("a/step-5"), entry("b/latest"), entry("mine")]
    headings = [(group.heading, group.run) for group in grouped(entries, "b", "name")]
    assert headings == [("saved by name", ""), ("this run, b", "b"), ("other runs", "")]
    assert [group.heading for group in grouped(entries[:1], None, "name")] == ["other runs"]


def test_the_cells_of_a_row_have_short_ages_and_mark_damage_and_earlier_losses(snapshot: SnapshotAssertion) -> None:
    ages = (-5, 1.5, 119, 180, 7200, 40 * 86_400, 9.5e7)
    lines = [f"{seconds} s: {format_age(seconds)}" for seconds in ages]
    for unit in get_args(LossUnit):
        lines += [" | ".join(cells_of(each, 1000.0, unit, run="run", at_width=6)) for each in OTHERS]
    assert "\n".join(lines) == snapshot


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


def test_a_comparison_and_the_details_show_every_value(snapshot: SnapshotAssertion) -> None:
    old = entry("old", step=2600, bits_per_char=1.78, val_loss=1.23, last_eval_step=2500)
    assert old.info is not None
    other = checkpoint_info(
        step=90,
        vocab=("a", "ß"),
        training=TrainingConfig(max_steps=12, weight_decay=0.1, batch_size=64),
        sampling=SamplingConfig(temperature=1.1),
    )
    assert not any(pair.differs for pair in comparison(checkpoint_info(), checkpoint_info(), "bits"))
    pairs = comparison(old.info, other, "bits")
    lines = ["# compared", *(f"{'=≠'[pair.differs]} {pair.name}: {pair.left} | {pair.right}" for pair in pairs)]
    lines += ["# described", *(f"{name}: {text}" for name, text in description(old.info))]
    for unit in get_args(LossUnit):
        lines += [f"# details in {unit}", *(line for line in detail_lines(old, unit) if not line.startswith("saved "))]
    assert "\n".join(lines) == snapshot


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
