"""A model folder comes back as a checkpoint, and every damage of one is one `CheckpointError` that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.checkpoints.catalog import list_checkpoints
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.management import import_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError
from engine.export.hub import CARD, CODE, GENERATION, MODEL, VOCAB, WEIGHTS
from engine.export.hub.read import MAX_JSON_BYTES, read_folder
from engine.export.hub.settings import ModelSettings
from engine.export.hub.write import write_folder
from engine.protocol import events as e
from engine.sampling.generation import Generator
from engine.storage.folders import find_run, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.export.hub.folders import EMOJI, MANY, SHAPES, write_random_folder
from tests.engine.helpers import CPU, assert_same_tensors, run_session, tiny_config, write_corpus

TRAINING = TrainingConfig(preset="auto", average_lag=0.05, learning_rate=0.003, seed=7)
SAMPLING = SamplingConfig(temperature=0.7, top_k=9, top_p=0.9, min_p=0.01, max_length=77, temperature_last=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a model with all options."""
    write_random_folder(tmp_path / "model", SHAPES["all"], EMOJI, sampling=SAMPLING)
    return tmp_path / "model"


def imported(folder: Path, name: str) -> Path:
    return import_checkpoint(folder, name, replace=False, load=read_folder)


@pytest.mark.parametrize("chars", [EMOJI, MANY], ids=["emoji", "4,000 characters"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_imported_and_exported_again_has_the_same_weights_settings_and_vocabulary(
    tmp_path: Path, shape: str, chars: tuple[str, ...]
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    write_random_folder(first, SHAPES[shape], chars, sampling=SAMPLING, training=TrainingConfig(learning_rate=0.003))

    write_folder(imported(first, "back"), again, "mit", may_replace=False)

    assert_same_tensors(load_file(again / WEIGHTS), load_file(first / WEIGHTS))
    for name in (MODEL, GENERATION, VOCAB, CODE):
        assert (again / name).read_bytes() == (first / name).read_bytes()


def test_every_size_of_a_model_is_in_the_settings() -> None:
    model = ModelConfig(
        embedding_size=8,
        hidden_size=8,
        num_layers=3,
        dropout=0.25,
        tied_embeddings=True,
        ngram_order=3,
        ngram_contexts=5,
    )
    assert all(getattr(model, each.name) != each.default for each in fields(model))
    assert ModelSettings.of(checkpoint_info(model=model)).to_model_config() == model


def test_an_import_is_a_checkpoint_at_step_0_with_the_settings_of_the_folder_and_its_weights_as_averages(
    folder: Path, tmp_path: Path
) -> None:
    settings = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    training = {"preset": "auto", "average_lag": 0.05, "learning_rate": 0.003, "seed": 7}
    (folder / MODEL).write_text(json.dumps({**settings, "training": training, "unknown": [1]}), encoding="utf-8")

    checkpoint = load_checkpoint(imported(folder, "back"))

    info = checkpoint.info
    assert (info.step, info.model, info.training) == (0, SHAPES["all"], TRAINING)
    assert (info.sampling, info.vocab, info.bits_per_char) == (SAMPLING, EMOJI, None)
    assert (info.is_imported, info.knows_corpus) == (True, False)
    weights = load_file(folder / WEIGHTS)
    assert_same_tensors(
        checkpoint.to_model(CPU.device).state_dict(), weights | {"proj.weight": weights["embed.weight"]}
    )
    assert not any(name.startswith("optimizer.") for name in checkpoint.tensors)
    assert torch.equal(checkpoint.tensors["generator.cpu"], torch.Generator().manual_seed(7).get_state())


def test_an_import_writes_tweets_and_starts_runs_on_tweets_that_are_named(folder: Path, tmp_path: Path) -> None:
    path = imported(folder, "back")
    generator = Generator(path, RuntimeConfig(device="cpu", threads=1))
    assert len(list(generator.generate(3, generator.sampling_config({}), seed=1))) == 3
    with pytest.raises(CheckpointError, match="from elsewhere"):
        generator.load_training_tweets()

    config = replace(tiny_config(None, max_steps=3), settings={"max_steps": 3}, checkpoint="back")
    refused = run_session(config)[0]
    assert isinstance(refused, e.RunFailed)
    assert "does not say which tweets" in refused.detail
    assert "--data" in refused.hint
    files = (str(write_corpus(tmp_path)),)
    started = run_session(replace(config, corpus=CorpusConfig(files=files)))
    assert isinstance(started[0], e.RunStarted)
    assert load_checkpoint(find_run("tiny").checkpoint_path("latest")).info.step == 3


def test_an_import_over_a_name_or_under_an_invalid_one_is_refused_as_of_a_file(folder: Path) -> None:
    imported(folder, "back")
    with pytest.raises(CheckpointError, match="already a checkpoint called back"):
        imported(folder, "back")
    assert [entry.name for entry in list_checkpoints()] == ["back"]


def test_a_folder_whose_name_is_not_utf_8_is_imported_under_a_name_and_exported(folder: Path) -> None:
    strange = folder.with_name("a\udcff\x1b[2Jb")
    folder.rename(strange)
    path = imported(strange, "back")
    assert load_checkpoint(path).info.run == "ab"
    write_folder(path, strange.with_name("c\udcff"), "mit", may_replace=False)


# Damage ---------------------------------------------------------------------------------------------------------------


def with_json(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Replace a JSON file by what `change` returns for its content."""
    value = change(json.loads((folder / name).read_text(encoding="utf-8")))
    (folder / name).write_text(json.dumps(value), encoding="utf-8")


def with_weights(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Replace the weights by what `change` returns for them."""
    save_file({name: each.contiguous() for name, each in change(load_file(folder / WEIGHTS)).items()}, folder / WEIGHTS)


def assert_refused(folder: Path, file: str, *words: str) -> None:
    """Assert that the folder is refused with an error that names the file and says these words."""
    with pytest.raises(CheckpointError) as raised:
        imported(folder, "back")
    error = raised.value
    assert f"{folder.name}/{file}" in error.message
    assert error.hint
    assert len(error.message) < 500
    for word in words:
        assert word in error.message
    assert not named_checkpoint_path("back").exists()


@pytest.mark.parametrize("name", [MODEL, GENERATION, VOCAB, WEIGHTS])
def test_a_missing_or_unreadable_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"\xff\xfe{", b"[" * 100_000):
        (folder / name).write_bytes(damaged)
        assert_refused(folder, name, "is damaged")
    (folder / name).unlink()
    assert_refused(folder, name, "No such file")
    (folder / name).mkdir()
    assert_refused(folder, name, "Is a directory")


def test_card_and_code_are_not_needed_and_never_run(folder: Path) -> None:
    (folder / CARD).unlink()
    (folder / CODE).write_text("raise SystemExit('was run')", encoding="utf-8")
    assert imported(folder, "back").is_file()


@pytest.mark.parametrize("kind", ["gpt2", 7, None])
def test_a_model_of_another_kind_is_named(folder: Path, kind: object) -> None:
    with_json(folder, MODEL, lambda old: {**old, "model_type": kind})
    with pytest.raises(CheckpointError, match="another kind: " + repr(kind)) as raised:
        read_folder(folder)
    assert "export hub" in raised.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 9},
        {"hidden_size": "8"},
        {"hidden_size": -1},
        {"num_hidden_layers": 10**30},
        {"vocab_size": 3},
        {"vocab_size": None},
        {"embedding_size": 7},
        {"ngram_contexts": 10**9},
        {"ngram_order": 5},
        {"dropout": float("nan")},
        {"bos_token_id": 7},
        {"torch_dtype": "bfloat16"},
        {"training": {"learning_rate": -1}},
        {"training": {"average_lag": 1e300}},
    ],
    ids=str,
)
def test_settings_that_no_model_has_are_refused(folder: Path, changes: dict[str, Any]) -> None:
    with_json(folder, MODEL, lambda old: {**old, **changes})
    with pytest.raises(CheckpointError, match="model"):
        read_folder(folder)


@pytest.mark.parametrize(
    "changes", [{"hidden_size": 8192, "embedding_size": 8192}, {"num_hidden_layers": 16}, {"ngram_contexts": 16_384}]
)
def test_large_sizes_are_compared_with_the_weights_before_memory_is_allocated(
    folder: Path, changes: dict[str, Any]
) -> None:
    with_json(folder, MODEL, lambda old: {**old, **changes})
    assert_refused(folder, WEIGHTS, "do not fit config.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.001},
        {"temperature": "hot"},
        {"top_p": 7},
        {"top_k": -1},
        {"max_length": 1},
        {"max_length": 10**7},
        {"do_sample": None},
        {"eos_token_id": 3},
    ],
    ids=str,
)
def test_generation_settings_out_of_range_are_refused(folder: Path, changes: dict[str, Any]) -> None:
    with_json(folder, GENERATION, lambda old: {**old, **changes})
    assert_refused(folder, GENERATION, "is damaged")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda old: {**old, "z": len(old)}, "each id", id="one symbol too many"),
        pytest.param(lambda old: {**old, "a": old["b"]}, "each id", id="an id twice"),
        pytest.param(lambda old: {**old, "a": len(old)}, "each id", id="a hole"),
        pytest.param(lambda old: {**old, "a": -1}, "each id", id="a negative id"),
        pytest.param(lambda old: {**old, "a": 5.5}, "int", id="a fraction"),
        pytest.param(lambda old: renamed(old, "a", "ab"), "single, distinct", id="two characters"),
        pytest.param(lambda old: renamed(old, "a", ""), "single, distinct", id="no character"),
        pytest.param(lambda old: renamed(old, "<BOS>", "<s>"), "first symbols", id="another special symbol"),
        pytest.param(lambda old: {**old, "<EOS>": 3, "<UNK>": 2}, "first symbols", id="special symbols swapped"),
        pytest.param(list, "object", id="a list"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(folder: Path, change: Callable[[Any], Any], problem: str) -> None:
    with_json(folder, VOCAB, change)
    assert_refused(folder, VOCAB, "is damaged", problem)


def renamed(ids: dict[str, int], old: str, new: str) -> dict[str, int]:
    """Return the ids with another symbol in place of `old`."""
    return {new if symbol == old else symbol: token_id for symbol, token_id in ids.items()}


@pytest.mark.parametrize("second", ["4", "5", "99"])
def test_a_symbol_that_occurs_twice_with_two_ids_is_refused(folder: Path, second: str) -> None:
    text = (folder / VOCAB).read_text(encoding="utf-8")
    (folder / VOCAB).write_text(text.replace("{", f'{{"a": {second},', 1), encoding="utf-8")
    with_json(folder, MODEL, lambda old: {**old, "vocab_size": old["vocab_size"] + 1})
    assert_refused(folder, VOCAB, "each id")


def test_a_json_file_of_many_megabytes_is_not_parsed(folder: Path) -> None:
    with (folder / VOCAB).open("ab") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    assert_refused(folder, VOCAB, "more than")


def first_row(value: float) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """Return the change of a number in the embedding."""

    def change(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        weights["embed.weight"][0, 0] = value
        return weights

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda old: old | {"proj.bias": old["proj.bias"][1:]}, "do not fit", id="a row too few"),
        pytest.param(lambda old: old | {"extra": torch.zeros(3)}, "do not fit", id="one too many"),
        pytest.param(lambda old: {**old, "proj.weight": torch.zeros(15, 8)}, "do not fit", id="tied ones twice"),
        pytest.param(lambda old: {"proj.bias": old["proj.bias"]}, "do not fit", id="most are missing"),
        pytest.param(lambda old: {name: each.double() for name, each in old.items()}, "type", id="float64"),
        pytest.param(first_row(float("nan")), "non-finite", id="NaN"),
        pytest.param(first_row(float("inf")), "non-finite", id="infinity"),
        pytest.param(
            lambda old: old | {"ngram_input.contexts": old["ngram_input.contexts"].flip(0)}, "ascending", id="contexts"
        ),
    ],
)
def test_weights_that_no_training_produces_are_refused(
    folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], problem: str
) -> None:
    with_weights(folder, change)
    assert_refused(folder, WEIGHTS, "is damaged", problem)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "nothing", ignore_errors=True)
    assert_refused(tmp_path / "nothing", MODEL, "No such file")
