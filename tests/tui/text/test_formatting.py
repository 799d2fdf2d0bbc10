"""What the screen shows as text, without a screen: numbers, losses, checkpoints and their branches, a corpus."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.catalog import CheckpointEntry
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.report import CorpusPreview, SourceReport
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.protocol.progress import BatchCursor
from engine.storage.folders import named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info
from tests.tui.dialogs.test_checkpoints import entry as listed
from tui.run.new_run import config_of_branch
from tui.text import numbers
from tui.text.cells import shortened
from tui.text.checkpoints import (
    UNTRAINED,
    Order,
    comparison,
    description,
    detail_lines,
    format_age,
    grouped,
    num_parameters,
    rows_of,
)
from tui.text.numbers import LossUnit, format_bits, format_loss, unit_label
from tui.text.tweets import fact_line, sample_line

NUMBERS: dict[Callable[[Any], str], tuple[float, ...]] = {
    numbers.format_short: (0, 7.4, 999, 999.6, 4520, 999_400, 999_600, 2.5e9),
    numbers.format_duration: (0, 7.9, 123, 3599.9, 3723, 360_000),
    numbers.format_wait: (0, 12, 55, 100, 3569, 3570, 7500, 172_799, 273_600),
    numbers.format_learning_rate: (0.004, 0.00021349, 1e-5, 0.0, 1.0),
    numbers.format_steps_tick: (0, 25, 1000, 1250, 2_500_000),
    numbers.format_size: (0, 999, 1000, 62_213, 100_000, 999_400_000, 999_500_000),
    numbers.format_rate: (45_123,),
    format_age: (-5, 1.5, 119, 180, 7200, 40 * 86_400, 9.5e7),
    format_bits: (2.4567,),
}


def test_numbers_are_formatted_for_people(snapshot: SnapshotAssertion) -> None:
    lines = []
    for format_it, values in NUMBERS.items():
        lines += [f"# {format_it.__name__}", *(f"{value}: {format_it(value)}" for value in values)]
    assert "\n".join(lines) == snapshot


@given(st.text(max_size=40), st.integers(0, 30))
def test_shortened_text_fits(text: str, max_cells: int) -> None:
    shown = shortened(text, max_cells)
    assert cell_len(shown) <= max_cells
    assert shown == text or cell_len(text) > max_cells
    assert shortened("日本語", 4) == "日…"  # a wide character is never halved


@pytest.mark.parametrize(("unit", "label", "shown"), [("bits", "bits/char", "2.46"), ("nats", "nats/char", "1.702")])
@given(st.floats(0, 30))
def test_losses_in_bits_and_nats_agree_to_the_last_decimal(unit: LossUnit, label: str, shown: str, nats: float) -> None:
    found, other = format_loss(nats, unit), format_bits(nats / math.log(2), unit)
    assert abs(float(found) - float(other)) <= (0.0101 if unit == "bits" else 0.00101)
    assert (unit_label(unit), format_loss(1.70249, unit)) == (label, shown)


def entry(name: str, saved_at: float = 0.0, *, is_pinned: bool = False, **changes: Any) -> CheckpointEntry:
    return replace(listed(name, **changes), saved_at=saved_at, is_pinned=is_pinned)


STEP_10, OLD = (
    entry("step-10", 50, step=10, bits_per_char=2.0),
    entry("old", 70, step=2600, bits_per_char=1.78, val_loss=1.23, last_eval_step=2500),
)
ENTRIES = [
    STEP_10,
    entry("step-9", 60, step=9, bits_per_char=None),
    entry("run/best", 99, step=30, bits_per_char=1.5, corpus_name="happy.csv"),
    entry("kept", 1, step=1, bits_per_char=4.0, is_pinned=True),
    entry("then/latest", 999, step=99, bits_per_char=0.5),
    entry("then/empty", step=0),
    entry("then/kept-empty", step=0, is_pinned=True),
    entry("empty", step=0),
    replace(STEP_10, name="broken", info=None, problem="cut short"),
    OLD,
]


def test_checkpoints_are_grouped_sorted_and_filtered_and_damage_is_marked(snapshot: SnapshotAssertion) -> None:
    """Pinned ones come first; untrained ones of runs are hidden unless pinned or searched; an old loss counts last."""
    lines = []
    for order in get_args(Order):
        lines.append(f"# by {order}")
        groups = grouped(ENTRIES, "run", order, "")
        lines += [f"{heading}: {', '.join(each.name for each in group)}" for heading, group in groups.items()]
    for typed in ("STEP", "happy", "a run 9", "zzz", "roke", UNTRAINED, "empty", "  "):
        names = [each.name for group in grouped(ENTRIES, "run", "age", typed).values() for each in group]
        lines.append(f"/{typed}: {', '.join(names) or 'none'}")
    units = get_args(LossUnit)
    lines += [" | ".join(row) for unit in units for row in rows_of(ENTRIES, "run", 1000.0, unit)]
    assert "\n".join(lines) == snapshot
    assert [*grouped(ENTRIES[2:3], "", "name")] == ["other runs"]


MODELS = [
    ModelConfig(embedding_size=4, hidden_size=5),
    ModelConfig(embedding_size=4, hidden_size=5, num_layers=3, dropout=0.1),
    ModelConfig(embedding_size=6, hidden_size=6, tied_embeddings=True),
]


def test_the_number_of_parameters_equals_the_models() -> None:
    for model in MODELS:
        info = checkpoint_info(model=model)
        assert num_parameters(info) == TextGenerator.from_config(len(Vocab(info.vocab)), model).num_parameters


@dataclass(frozen=True, kw_only=True)
class NewerModel(ModelConfig):
    """A model with a field that the list does not know."""

    has_skips: bool = False

    def __post_init__(self) -> None:
        """Skip the validation, which reads only the fields of its own class."""


def test_a_comparison_and_the_details_show_every_value_also_of_a_new_field(snapshot: SnapshotAssertion) -> None:
    assert OLD.info is not None
    other = checkpoint_info(
        step=90,
        vocab=("a", "ß"),
        training=TrainingConfig(max_steps=12, weight_decay=0.1, batch_size=64),
        sampling=SamplingConfig(temperature=1.1, only_new=True, avoid=("moon", "wool hat"), temperature_last=True),
    )
    assert not any(pair.differs for pair in comparison(checkpoint_info(), checkpoint_info(), "bits"))
    pairs = comparison(OLD.info, other, "bits")
    lines = ["# compared", *(f"{'=≠'[pair.differs]} {pair.name}: {pair.left} | {pair.right}" for pair in pairs)]
    older, newer = (checkpoint_info(model=NewerModel(has_skips=has)) for has in (False, True))
    lines += [f"{pair.name}: {pair.left} | {pair.right}" for pair in comparison(older, newer, "bits") if pair.differs]
    lines += ["# described", *(f"{name}: {text}" for name, text in description(OLD.info))]
    for unit in get_args(LossUnit):
        lines += [f"# details in {unit}", *(line for line in detail_lines(OLD, unit) if not line.startswith("saved "))]
    assert "\n".join(lines) == snapshot


def test_a_branch_has_the_checkpoints_settings_and_the_previous_runs_runtime() -> None:
    corpus = CorpusConfig(files=("/data/a.csv",), lowercase=True)
    runtime = RuntimeConfig(threads=1)
    before = RunConfig(settings={"hidden_size": 64}, run_name="mine", resume=None, checkpoint="x", runtime=runtime)
    saved = entry("happy", corpus=corpus, training=TrainingConfig(preset="auto"))
    config = config_of_branch(replace(saved, path=named_checkpoint_path("happy")), before)
    assert config == RunConfig(corpus=corpus, checkpoint="happy", runtime=runtime)
    tutorial = entry("happy", training=TrainingConfig(preset="tutorial"))
    assert config_of_branch(tutorial, before).preset == "tutorial"


def test_a_branch_of_a_run_whose_budget_is_spent_gets_it_again() -> None:
    budgets: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"max_steps": 101}, {}),
        ({"max_steps": 100}, {"max_steps": 200}),
        ({"max_steps": 40}, {"max_steps": 200}),
        ({"epochs": 4.0}, {}),
        ({"epochs": 3.5, "max_seconds": 9.0}, {"epochs": 7.0}),
        ({"max_seconds": 5.0}, {"max_seconds": 10.0}),
    )
    for budget, doubled in budgets:
        training = TrainingConfig(preset="auto", **budget)
        used = entry("spent", step=100, elapsed_seconds=5.0, position=BatchCursor(epoch=3, batch=0), training=training)
        assert config_of_branch(used, RunConfig()).settings == doubled


def preview(*notes: str, names: tuple[str, ...] = ("a.csv",), num_kept: int = 196, is_whole: bool = False) -> str:
    """Return the line on sources of 200 rows, in the folder `in` or the file `a.csv`."""
    sources = tuple(
        SourceReport(name=name, format="csv", notes=notes, num_rows=200, num_kept=num_kept, dropped={}, examples={})
        for name in names
    )
    name = "in" if names and names[0].startswith("in: ") else "a.csv"
    return fact_line(CorpusPreview(sources=sources, is_whole=is_whole), name)


def test_format_column_labels_and_the_share_of_rows_that_are_tweets_are_shown(snapshot: SnapshotAssertion) -> None:
    labels = "labels in column 1 (target): kept"
    lines = {
        "a column that was set": preview("header row found", "text in column 2 (text)"),
        "a column that was found": preview("text in column 3 (body): by its name"),
        "all labels": preview(f"{labels} all"),
        "one label": preview(f"{labels} happy (4); --label all keeps all"),
        "a whole file": preview(num_kept=200, is_whole=True),
        "one file of a folder": preview(names=("in: a.csv",)),
        "two files of a folder": preview(names=("in: a.csv", "in: b.csv"), is_whole=True),
        "nothing": preview(names=()),
        "its first tweet": sample_line(CorpusPreview(first_tweet="good morning")),
        "no first tweet": sample_line(CorpusPreview()),
    }
    assert "\n".join(f"{name}: {line}" for name, line in lines.items()) == snapshot
