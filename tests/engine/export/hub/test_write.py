"""A checkpoint's model is written as a folder that the hub's own library reads, and that gives nothing away."""

from __future__ import annotations

import json
import os
import stat
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData, metadata_load
from safetensors import safe_open
from safetensors.torch import load_file

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import RuntimeConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.loading import load_corpus
from engine.errors import StorageError
from engine.export.copies import NUM_SAMPLES
from engine.export.hub import CARD, CODE, GENERATION, MODEL, VOCAB, WEIGHTS
from engine.export.hub.write import WrittenFolder, require_free, write_folder
from engine.sampling.generation import Generator
from engine.storage import atomic_write
from engine.storage.folders import find_run
from engine.training.evaluation import evaluate
from tests.engine.export.hub.folders import EMOJI, SHAPES, write_random_checkpoint, write_random_folder
from tests.engine.helpers import run_session, small_tweets, tiny_config, write_corpus
from tests.fakes import BrokenDisk

FILES = {WEIGHTS, MODEL, GENERATION, VOCAB, CARD, CODE}
HOSTILE_NAMES = (
    'a"b: c\n---\nlicense: gpl\n',
    "*x &y !z %TAG | > - # {[",
    "</h1><script>alert(1)</script>",
    "[x](javascript:alert(1)) `c` $e$ <!--",
    "\x1b[31mred\u202e\u2028 \\ \x85 '",
    "😀 日本語 שלום ﷽",
    "true",
    "1e3",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run on tweets of two characters, many of which even a new model writes."""
    folder = tmp_path_factory.mktemp("private-place")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TWEETGEN_HOME", str(folder / "home"))
        tweets = ["".join(pair) for pair in product("abcdef", "uvwxyz")]
        corpus = write_corpus(folder, tweets, "secret-archive.txt")
        run_session(tiny_config(corpus, run_name="secret-run", prime="a", eval_every=6))
        return find_run("secret-run").checkpoint_path("latest")


@pytest.fixture
def _home_of_trained(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(trained.parents[3]))


def written(path: Path, folder: Path, license_id: str = "mit", **options: Any) -> WrittenFolder:
    return write_folder(path, folder, license_id, **{"may_replace": False, **options})


def only_result(card: ModelCardData) -> EvalResult:
    assert card.eval_results is not None
    [result] = card.eval_results
    assert isinstance(result, EvalResult)
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_the_weights_are_those_of_the_state_dict_in_the_usual_format_and_tied_ones_are_there_once(
    tmp_path: Path, shape: str
) -> None:
    model = write_random_folder(tmp_path / "model", SHAPES[shape], EMOJI)
    expected = model.state_dict()
    if SHAPES[shape].tied_embeddings:
        del expected["proj.weight"]
    weights = load_file(tmp_path / "model" / WEIGHTS)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], each) for name, each in expected.items())
    with safe_open(tmp_path / "model" / WEIGHTS, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    sizes = json.loads((tmp_path / "model" / MODEL).read_text(encoding="utf-8"))
    assert (sizes["model_type"], sizes["architectures"]) == ("tweetgen-gru", ["TextGenerator"])
    assert (sizes["vocab_size"], sizes["num_hidden_layers"]) == (len(EMOJI) + 4, SHAPES[shape].num_layers)


def test_averaged_weights_are_exported_where_there_are_any(tmp_path: Path) -> None:
    run_session(tiny_config(write_corpus(tmp_path), average_lag=0.2))
    path = find_run("tiny").checkpoint_path("latest")
    written(path, tmp_path / "model")
    tensors, weights = load_checkpoint(path).tensors, load_file(tmp_path / "model" / WEIGHTS)
    assert torch.equal(weights["proj.bias"], tensors["average.proj.bias"])
    assert not torch.equal(weights["proj.bias"], tensors["model.proj.bias"])


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_the_generation_settings_are_those_of_the_run_in_the_names_of_the_field(
    tmp_path: Path, temperature: float
) -> None:
    sampling = SamplingConfig(temperature=temperature, top_k=9, top_p=0.9, min_p=0.1, max_length=77, prime="a secret")
    write_random_folder(tmp_path / "model", SHAPES["tied"], EMOJI, sampling=sampling)
    found = json.loads((tmp_path / "model" / GENERATION).read_text(encoding="utf-8"))
    assert (found["do_sample"], found["temperature"]) == (temperature > 0, temperature or 1.0)
    assert (found["top_k"], found["top_p"], found["min_p"], found["max_length"]) == (9, 0.9, 0.1, 78)
    assert [found[f"{name}_token_id"] for name in ("pad", "bos", "eos")] == [0, 1, 2]
    assert found["suppress_tokens"] == [0, 1, 3]
    assert "secret" not in str(found)


# The card -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_home_of_trained")
def test_the_hubs_library_reads_license_tags_and_the_figure_that_evaluate_measures(
    tmp_path: Path, trained: Path
) -> None:
    written(trained, tmp_path / "my model", "cc-by-4.0")
    card = ModelCard.load(tmp_path / "my model" / CARD)

    assert (card.data.license, card.data.library_name) == ("cc-by-4.0", "tweetgen-tui")
    assert (card.data.pipeline_tag, card.data.model_name) == ("text-generation", "my model")
    assert "gru" in card.data.tags
    result = only_result(card.data)
    assert (result.task_type, result.metric_type) == ("text-generation", "bits_per_character")
    assert (result.dataset_type, result.dataset_split) == ("private", "validation")
    checkpoint = load_checkpoint(trained)
    held_out = EncodedTweets.from_flat(load_corpus(checkpoint.info.corpus).validation, checkpoint.vocab)
    bits = evaluate(checkpoint.to_model(torch.device("cpu")), held_out).bits_per_char
    assert result.metric_value == pytest.approx(bits, abs=1e-4)
    assert f"| this model | {bits:.3f} |" in card.text
    assert f"| uniform | {torch.log2(torch.tensor(len(checkpoint.vocab))):.3f} |" in card.text


@pytest.mark.usefixtures("_home_of_trained")
def test_the_card_counts_the_tweets_and_the_copies_among_1000_samples(tmp_path: Path, trained: Path) -> None:
    measured = written(trained, tmp_path / "model").measured
    assert measured is not None
    generator = Generator(trained, RuntimeConfig(device="cpu"))
    generator.load_training_tweets()
    samples = generator.generate(NUM_SAMPLES, generator.sampling_config({"prime": ""}), seed=0)
    novelty = [tweet.novelty for tweet in samples]
    corpus = load_corpus(generator.info.corpus)

    assert measured.copies.num_copies == novelty.count("copy") > 10
    text = (tmp_path / "model" / CARD).read_text(encoding="utf-8")
    assert f"copies of a training tweet: **{measured.copies.num_copies}**" in text
    assert (
        f"near-copies, of which at least half is long parts of training tweets: **{measured.copies.num_near_copies}**"
        in text
    )
    assert f"| training tweets | {len(corpus.train)} |" in text
    assert f"| validation tweets | {len(corpus.validation)} |" in text
    assert f"| their characters | {2 * len(corpus.train)} |" in text
    assert "| their alphabet | 12 characters |" in text


@pytest.mark.usefixtures("_home_of_trained")
def test_no_file_names_the_training_file_a_folder_or_the_run(tmp_path: Path, trained: Path) -> None:
    written(trained, tmp_path / "model")
    texts = {name: (tmp_path / "model" / name).read_bytes() for name in FILES}
    private = ["secret", "private-place", str(tmp_path), "/tmp", "/home", os.path.expanduser("~")]
    for name, text in texts.items():
        assert [word for word in private if word.encode() in text] == [], name


def test_no_tweet_is_quoted(tmp_path: Path) -> None:
    run_session(tiny_config(write_corpus(tmp_path), max_length=40))
    written(find_run("tiny").checkpoint_path("latest"), tmp_path / "model")
    text = "".join((tmp_path / "model" / name).read_text(encoding="utf-8") for name in FILES - {WEIGHTS})
    assert [tweet for tweet in small_tweets() if tweet in text] == []


@pytest.mark.parametrize(
    ("evaluation", "bits"),
    [
        pytest.param({"bits_per_char": 2.5, "last_eval_step": 0}, 2.5, id="evaluated"),
        pytest.param({}, None, id="never evaluated"),
        pytest.param({"bits_per_char": 2.5, "last_eval_step": 0, "is_eval_early": True}, None, id="on some tweets"),
        pytest.param({"bits_per_char": 2.5, "last_eval_step": 9}, None, id="at another step"),
    ],
)
def test_without_the_training_tweets_the_card_has_the_runs_own_figure_of_these_weights_if_any_and_says_so(
    tmp_path: Path, evaluation: dict[str, Any], bits: float | None
) -> None:
    write_random_checkpoint(tmp_path / "one.safetensors", SHAPES["tied"], EMOJI, **evaluation)
    outcome = written(tmp_path / "one.safetensors", tmp_path / "model")
    assert outcome.measured is None
    assert "is from elsewhere" in outcome.finding
    card = ModelCard.load(tmp_path / "model" / CARD)
    assert "copies was not measured: the training tweets could not be read" in card.text
    if bits is None:
        assert card.data.eval_results is None
        assert "not evaluated" in card.text
    else:
        assert only_result(card.data).metric_value == bits
        assert "| this model | 2.500 |" in card.text


@pytest.mark.usefixtures("_home_of_trained")
def test_training_tweets_that_changed_are_not_counted(tmp_path: Path, trained: Path) -> None:
    corpus = Path(load_checkpoint(trained).info.corpus.files[0])
    content = corpus.read_bytes()
    try:
        for change, why in ((content * 2 + b"more\n", "is no longer what"), (None, "")):
            corpus.unlink() if change is None else corpus.write_bytes(change)
            outcome = written(trained, tmp_path / f"model {why}")
            assert outcome.measured is None
            assert why in outcome.problem
            assert str(corpus).encode() not in (tmp_path / f"model {why}" / CARD).read_bytes()
    finally:
        corpus.write_bytes(content)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_breaks_out_of_neither_head_nor_heading(tmp_path: Path, name: str) -> None:
    path = tmp_path / "one.safetensors"
    write_random_checkpoint(path, SHAPES["tied"], EMOJI, bits_per_char=2.5, run=name)
    folder = tmp_path / name.replace("/", "∕")
    written(path, folder)

    head = metadata_load(folder / CARD)
    assert head is not None
    assert list(head) == ["license", "library_name", "pipeline_tag", "tags", "model-index"]
    assert head["license"] == "mit"
    card = ModelCard.load(folder / CARD)
    shown = card.data.model_name
    assert isinstance(shown, str)
    assert shown.isprintable()
    assert "\n" not in shown
    assert only_result(card.data).metric_value == 2.5
    [heading] = [line for line in card.text.splitlines() if line.startswith("# ")]
    plain = heading.removeprefix("# ")
    assert plain.replace("\\" * 2, "").replace("\\", "") == shown.replace("\\", "")
    assert not any(mark in plain.replace(f"\\{mark}", "") for mark in "<>[]`*_$&#!")


def test_another_license_has_a_name_and_a_link_to_its_text(tmp_path: Path) -> None:
    write_random_checkpoint(tmp_path / "one.safetensors", SHAPES["tied"], EMOJI)
    written(tmp_path / "one.safetensors", tmp_path / "model", "other")
    data = ModelCard.load(tmp_path / "model" / CARD).data
    assert (data.license, data.license_name, data.license_link) == ("other", "custom", "LICENSE")


def test_the_figure_of_an_overfit_run_is_said_to_be_of_its_training_tweet(tmp_path: Path) -> None:
    corpus = CorpusConfig(files=("a.txt",), overfit=3)
    path = tmp_path / "one.safetensors"
    write_random_checkpoint(path, SHAPES["tied"], EMOJI, bits_per_char=0.1, corpus=corpus)
    written(path, tmp_path / "model")
    card = ModelCard.load(tmp_path / "model" / CARD)
    assert only_result(card.data).dataset_split == "train"
    assert "| during training, on the training tweet |" in card.text
    assert "validation tweets" not in card.text


# The folder -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint."""
    write_random_checkpoint(tmp_path / "one.safetensors", SHAPES["tied"], EMOJI)
    return tmp_path / "one.safetensors"


def test_the_folder_has_six_files_with_the_usual_permissions(tmp_path: Path, path: Path) -> None:
    (tmp_path / "usual").touch()
    outcome = written(path, tmp_path / "model")
    files = list((tmp_path / "model").iterdir())
    assert {file.name for file in files} == FILES
    assert sum(file.stat().st_size for file in files) == outcome.num_bytes
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {stat.S_IMODE((tmp_path / "usual").stat().st_mode)}


def test_a_folder_with_files_is_replaced_only_by_force_and_only_the_six_files(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "LICENSE").write_text("mine")
    (folder / CARD).write_text("mine, too")
    with pytest.raises(StorageError, match="is not empty") as raised:
        written(path, folder)
    assert "--force" in raised.value.hint
    assert (folder / CARD).read_text() == "mine, too"

    written(path, folder, may_replace=True)
    assert {file.name for file in folder.iterdir()} == {*FILES, "LICENSE"}
    assert (folder / "LICENSE").read_text() == "mine"
    assert ModelCard.load(folder / CARD).data.license == "mit"


def test_a_file_and_a_missing_parent_are_refused(tmp_path: Path, path: Path) -> None:
    for target, problem in ((path, "is not a folder"), (tmp_path / "no" / "model", "There is no folder")):
        with pytest.raises(StorageError, match=problem):
            require_free(target, may_replace=True)
        with pytest.raises(StorageError, match=problem):
            written(path, target, may_replace=True)
    assert not (tmp_path / "no").exists()


def test_a_disk_that_fails_before_all_files_are_written_leaves_what_was_there(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, disk = tmp_path / "model", BrokenDisk()
    written(path, folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    monkeypatch.setattr(atomic_write, "os", disk)
    written(path, folder, may_replace=True)
    num_calls = len(disk.calls)
    assert num_calls > 5 * len(FILES)

    for breaks_at in range(0, num_calls - 2, 3):  # the last two make the moves survive a power loss
        disk.calls.clear()
        disk.breaks_at = breaks_at
        with pytest.raises(StorageError, match="No space left"):
            written(path, folder, "gpl-3.0", may_replace=True)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
