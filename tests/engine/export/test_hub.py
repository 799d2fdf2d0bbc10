"""A model folder gives nothing away of tweets and machine, comes back as a checkpoint, and is refused if damaged."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard, metadata_load
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.management import import_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import load_corpus
from engine.errors import CheckpointError, StorageError
from engine.export.copies import Copies, Measured
from engine.export.hub import (
    CARD,
    CODE,
    GENERATION,
    MAX_JSON_BYTES,
    MODEL,
    VOCAB,
    WEIGHTS,
    GenerationSettings,
    ModelSettings,
    read_folder,
    write_folder,
)
from engine.export.model_card import model_card
from engine.storage import files
from engine.storage.folders import find_run, named_checkpoint_path
from engine.training.evaluation import evaluate
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.export.models import EMOJI, MODELS, SHAPES, write_random_folder
from tests.engine.helpers import CPU, assert_same_tensors, run_session, small_tweets, tiny_config, write_corpus
from tests.fakes import BrokenDisk

FILES = {WEIGHTS, MODEL, GENERATION, VOCAB, CARD, CODE}
SAMPLING = SamplingConfig(temperature=0.7, top_k=9, top_p=0.9, min_p=0.1, max_length=77, prime="a secret")
TRAINING = TrainingConfig(preset="auto", preset_reason="of secret tweets", learning_rate=0.003)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a model with all options."""
    write_random_folder(tmp_path / "model", SHAPES["all"], EMOJI, sampling=SAMPLING, training=TRAINING)
    return tmp_path / "model"


# Written --------------------------------------------------------------------------------------------------------------


def test_weights_and_settings_have_the_names_of_the_field(folder: Path, snapshot: SnapshotAssertion) -> None:
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert {"embed.weight", "proj.weight"} & set(file.keys()) == {"embed.weight"}  # tied ones are there once
    settings, generation = (json.loads((folder / name).read_text("utf-8")) for name in (MODEL, GENERATION))
    training = settings.pop("training")
    assert (training["learning_rate"], training["preset_reason"]) == (0.003, "")
    assert {MODEL: settings, GENERATION: generation} == snapshot


def test_every_size_of_a_model_is_in_the_settings_and_a_temperature_of_0_is_no_sampling() -> None:
    greedy = GenerationSettings.of(SamplingConfig(temperature=0))
    assert (greedy.do_sample, greedy.temperature) == (False, 1.0)
    assert greedy.to_sampling_config().temperature == 0
    sizes = {"embedding_size": 8, "hidden_size": 8, "num_layers": 3, "ngram_order": 3, "ngram_contexts": 5}
    model = ModelConfig(**sizes, dropout=0.25, tied_embeddings=True)
    assert all(getattr(model, each.name) != each.default for each in fields(model))
    assert ModelSettings.of(checkpoint_info(model=model)).to_model_config() == model


def test_a_trained_model_is_measured_and_written_with_its_averages_and_nothing_that_is_private(tmp_path: Path) -> None:
    corpus_path = write_corpus(tmp_path, small_tweets(), "secret-archive.txt")
    run_session(tiny_config(corpus_path, run_name="secret-run", prime="a", eval_every=6, average_lag=0.2))
    path = find_run("secret-run").checkpoint_path("latest")
    reported: list[tuple[float | None, str]] = []

    def on_progress(share: float | None, doing: str) -> None:
        reported.append((share, doing))

    target = tmp_path / "model"
    measured = write_folder(path, target, "mit", may_replace=False, on_progress=on_progress).measured
    assert [share for share, doing in reported if doing == "evaluating"] == [0.3]

    checkpoint = load_checkpoint(path)
    weights = load_file(tmp_path / "model" / WEIGHTS)
    assert torch.equal(weights["proj.bias"], checkpoint.tensors["average.proj.bias"])
    assert not torch.equal(weights["proj.bias"], checkpoint.tensors["model.proj.bias"])
    private = ["secret", str(tmp_path), "/tmp", "/home", os.path.expanduser("~"), *small_tweets()]
    for name in FILES:
        content = (tmp_path / "model" / name).read_bytes()
        assert [text for text in private if text.encode() in content] == [], name

    assert measured is not None
    corpus = load_corpus(checkpoint.info.corpus)
    text = "".join(corpus.train)
    assert (measured.num_train_tweets, measured.num_val_tweets) == (len(corpus.train), len(corpus.validation))
    assert (measured.num_train_chars, measured.alphabet_size) == (len(text), len(set(text)))
    held_out = EncodedTweets.from_flat(corpus.validation, checkpoint.vocab)
    assert measured.bits_per_char == evaluate(checkpoint.to_model(CPU.device), held_out).bits_per_char
    assert measured.uniform_bits == pytest.approx(torch.log2(torch.tensor(len(checkpoint.vocab))))
    assert f"| this model | {measured.bits_per_char:.3f} |" in (tmp_path / "model" / CARD).read_text("utf-8")


def test_the_folder_has_six_files_with_the_usual_permissions_and_keeps_those_of_others(folder: Path) -> None:
    path, usual = folder.with_suffix(".safetensors"), folder.with_name("usual")
    usual.touch()
    (folder / "LICENSE").write_text("mine")
    (folder / CARD).write_text("mine, too")
    with pytest.raises(StorageError, match="is not empty"):
        write_folder(path, folder, "mit", may_replace=False)
    assert (folder / CARD).read_text() == "mine, too"

    outcome = write_folder(path, folder, "mit", may_replace=True)
    assert {file.name for file in folder.iterdir()} == {*FILES, "LICENSE"}
    assert (folder / "LICENSE").read_text() == "mine"
    assert (folder / CARD).read_text("utf-8").startswith("---\nlicense: mit\n")
    files = [folder / name for name in FILES]
    assert sum(file.stat().st_size for file in files) == outcome.num_bytes
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {stat.S_IMODE(usual.stat().st_mode)}


def contents_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_disk_that_fails_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, disk, before = folder.with_suffix(".safetensors"), BrokenDisk(), contents_of(folder)
    monkeypatch.setattr(files, "os", disk)
    write_folder(path, folder, "mit", may_replace=True)
    num_calls = len(disk.calls)
    assert num_calls > 5 * len(FILES)

    for breaks_at in range(0, num_calls - 2, 3):  # the last two make the moves survive a power loss
        disk.calls.clear()
        disk.breaks_at = breaks_at
        with pytest.raises(StorageError, match="No space left"):
            write_folder(path, folder, "gpl-3.0", may_replace=True)
        assert contents_of(folder) == before


# The card -------------------------------------------------------------------------------------------------------------

MEASURED = Measured(
    num_train_tweets=5400,
    num_val_tweets=600,
    num_train_chars=123_456,
    alphabet_size=77,
    bits_per_char=2.34567,
    uniform_bits=6.43,
    unigram_bits=4.5,
    copies=Copies(temperature=0.7, num_copies=3, num_near_copies=1012),
)
OVERFIT = {
    "model": SHAPES["all"],
    "training": TrainingConfig(average_lag=0.05, max_grad_norm=1.0),
    "corpus": CorpusConfig(overfit=3),
}
CARDS: dict[str, tuple[str, Measured | None, dict[str, Any]]] = {
    "measured": ("mit", MEASURED, {}),
    "measured on the only training tweet of the embedded ones": ("other", MEASURED, OVERFIT),
    "not measured": ("cc-by-4.0", None, {"model": SHAPES["four layers"], "bits_per_char": 2.5, "last_eval_step": 2}),
    "imported": ("mit", None, {"corpus_digest": "", "step": 0}),
}
HOSTILE_NAMES = (
    'a"b: c\n---\nlicense: gpl\n',
    "*x &y !z %TAG | > - # {[",
    "</h1><script>alert(1)</script>",
    "[x](javascript:alert(1)) `c` $e$ <!--",
    "\x1b[31mred\u202e\u2028 \\ \x85 '",
    "😀 日本語 שלום ﷽",
    *("true", "1e3"),
)


def card_of(name: str, license_id: str, measured: Measured | None, **changes: Any) -> str:
    return model_card(name, license_id, checkpoint_info(**{"vocab": EMOJI, **changes}), measured)


@pytest.mark.parametrize("name", CARDS)
def test_the_card_has_the_known_figures_and_says_of_which_tweets(name: str, snapshot: SnapshotAssertion) -> None:
    license_id, measured, changes = CARDS[name]
    assert card_of("my model", license_id, measured, **changes) == snapshot


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_the_hubs_library_reads_the_head_and_no_hostile_name_breaks_out_of_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / CARD
    path.write_text(card_of(name, "mit", MEASURED), encoding="utf-8")
    head = metadata_load(path)
    assert head is not None
    assert list(head) == ["license", "library_name", "pipeline_tag", "tags", "model-index"]
    card = ModelCard.load(path)
    data, shown = card.data, card.data.model_name
    assert (data.license, data.library_name, data.pipeline_tag) == ("mit", "tweetgen-tui", "text-generation")
    assert "gru" in data.tags
    [result] = data.eval_results or []
    assert isinstance(result, EvalResult)
    assert (result.metric_type, result.metric_value) == ("bits_per_character", 2.3457)
    assert result.dataset_split == "validation"
    assert isinstance(shown, str)
    assert shown.isprintable()
    [heading] = [line for line in card.text.splitlines() if line.startswith("# ")]
    plain = heading.removeprefix("# ")
    assert plain.replace("\\" * 2, "").replace("\\", "") == shown.replace("\\", "")
    assert not any(mark in plain.replace(f"\\{mark}", "") for mark in "<>[]`*_$&#!")


# Read -----------------------------------------------------------------------------------------------------------------


def imported(folder: Path) -> Path:
    return import_checkpoint(folder, "back", replace=False, load=read_folder)


@pytest.mark.parametrize("name", [*SHAPES, "4,000 characters"])
def test_a_folder_imported_and_exported_again_has_the_same_content(tmp_path: Path, name: str) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    write_random_folder(first, *MODELS[name], sampling=SAMPLING, training=TRAINING)

    write_folder(imported(first), again, "mit", may_replace=False)

    assert_same_tensors(load_file(again / WEIGHTS), load_file(first / WEIGHTS))
    for file in (MODEL, GENERATION, VOCAB, CODE):
        assert (again / file).read_bytes() == (first / file).read_bytes()


def test_an_import_is_a_checkpoint_at_step_0_with_the_settings_and_weights_of_the_folder(folder: Path) -> None:
    training = {"preset": "auto", "average_lag": 0.05, "learning_rate": 0.003, "seed": 7}
    in_json(MODEL, training=training, unknown=[1])(folder)

    checkpoint = load_checkpoint(imported(folder))

    info = checkpoint.info
    assert (info.step, info.model, info.training) == (0, SHAPES["all"], TrainingConfig(**training))  # type: ignore[arg-type] # its fields
    assert (info.sampling, info.vocab, info.progress.bits_per_char) == (replace(SAMPLING, prime=""), EMOJI, None)
    assert (info.is_imported, info.knows_corpus) == (True, False)
    weights = load_file(folder / WEIGHTS)
    assert_same_tensors(
        checkpoint.to_model(CPU.device).state_dict(), weights | {"proj.weight": weights["embed.weight"]}
    )
    assert not any(name.startswith("optimizer.") for name in checkpoint.tensors)
    assert torch.equal(checkpoint.tensors["generator.cpu"], torch.Generator().manual_seed(7).get_state())


def test_a_folder_whose_name_is_not_utf_8_is_imported_and_exported_and_its_code_never_run(folder: Path) -> None:
    (folder / CARD).unlink()  # not needed
    (folder / CODE).write_text("raise SystemExit('was run')", encoding="utf-8")
    strange = folder.with_name("a\udcff\x1b[2Jb")
    folder.rename(strange)
    path = imported(strange)
    assert load_checkpoint(path).info.run == "ab"
    write_folder(path, strange.with_name("c\udcff"), "mit", may_replace=False)


# Damage ---------------------------------------------------------------------------------------------------------------

Damage = Callable[[Path], object]
"""Damages the files of a folder."""


def edited(name: str, edit: Callable[[Any], Any]) -> Damage:
    """Replace the content of a JSON file by what `edit` returns for it."""
    return lambda folder: (folder / name).write_text(json.dumps(edit(json.loads((folder / name).read_bytes()))))


def in_json(name: str, **changes: Any) -> Damage:
    """Replace values of a JSON file."""
    return edited(name, lambda old: old | changes)


def renamed(old: str, new: str) -> Damage:
    """Replace a symbol of the vocabulary."""
    return edited(VOCAB, lambda ids: {new if symbol == old else symbol: token_id for symbol, token_id in ids.items()})


def with_a_symbol_twice(folder: Path) -> None:
    """Insert the symbol `a` of the vocabulary a second time, with another id."""
    text = (folder / VOCAB).read_text("utf-8")
    (folder / VOCAB).write_text(text.replace("{", '{"a": 15,', 1), "utf-8")
    in_json(MODEL, vocab_size=16)(folder)


def in_weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Damage:
    """Replace the weights by what `change` returns for them."""
    return lambda folder: save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)


def at(name: str, change: Callable[[Path], object]) -> Damage:
    """Change a file."""
    return lambda folder: change(folder / name)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


READ = (MODEL, GENERATION, VOCAB, WEIGHTS)
CHANGED = Path(__file__).with_name("damaged_settings.txt").read_text("utf-8").splitlines()
"""A file, sometimes what is wrong with it, and its changed values; valid sizes are not those of the weights."""
DAMAGES: dict[str, Damage] = {
    "no folder": shutil.rmtree,
    **{f"{name} missing": at(name, Path.unlink) for name in READ},
    **{f"{name} is a folder": at(name, as_folder) for name in READ},
    **{f"{name} without its end": at(name, lambda path: os.truncate(path, path.stat().st_size - 8)) for name in READ},
    **{f"{name} empty": at(name, lambda path: path.write_bytes(b"")) for name in READ},
    **{f"{name} not in UTF-8": at(name, lambda path: path.write_bytes(b"\xff\xfe{")) for name in READ},
    **{f"{name} of brackets": at(name, lambda path: path.write_bytes(b"[" * 100_000)) for name in READ},
    **{line: in_json(line.split()[0].rstrip(":"), **json.loads(line.partition(": ")[2])) for line in CHANGED},
    "vocabulary with two characters as one": renamed("a", "ab"),
    "vocabulary with an empty symbol": renamed("a", ""),
    "vocabulary with another special symbol": renamed("<BOS>", "<s>"),
    "vocabulary that is a list": edited(VOCAB, list),
    "vocabulary of many megabytes": at(VOCAB, lambda path: path.write_bytes(b" " * (MAX_JSON_BYTES + 1))),
    "vocabulary with a symbol twice": with_a_symbol_twice,
    "weights with a row too few": in_weights(lambda old: old | {"proj.bias": old["proj.bias"][1:]}),
    "weights with one too many": in_weights(lambda old: old | {"extra": torch.zeros(3)}),
    "weights with tied ones twice": in_weights(lambda old: old | {"proj.weight": torch.zeros(15, 18)}),
    "weights of which most are missing": in_weights(lambda old: {"proj.bias": old["proj.bias"]}),
    "weights in float64": in_weights(lambda old: {name: each.double() for name, each in old.items()}),
    "weights that are nan": in_weights(lambda old: old | {"proj.bias": torch.full((15,), float("nan"))}),
    "weights that are inf": in_weights(lambda old: old | {"proj.bias": torch.full((15,), float("inf"))}),
    "contexts in descending order": in_weights(
        lambda old: old | {"ngram_input.contexts": old["ngram_input.contexts"].flip(0)}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_folder_is_refused(folder: Path, damage: str, snapshot: SnapshotAssertion) -> None:
    DAMAGES[damage](folder)
    with pytest.raises(CheckpointError) as caught:
        imported(folder)
    assert f"{caught.value.message}\n{caught.value.hint}".replace(str(folder), "MODEL") == snapshot
    assert not named_checkpoint_path("back").exists()
