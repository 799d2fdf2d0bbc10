"""`export` of models and of runs, and `train --tensorboard`."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from huggingface_hub import ModelCard

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.export.copies import Copies
from engine.export.onnx import onnx_file
from engine.model.vocab import BOS, EOS, PAD, UNK
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end, assert_two_line_error
from tests.engine.helpers import run_session, tiny_config
from tests.event_files import LOSS, scalars_in
from tui.cli.options import config_to_train

EXPORTS_PAGE, CHECKPOINTS_PAGE = (
    Path(__file__).parents[2] / "docs" / name for name in ("exports.md", "checkpoints.md")
)


def test_page_and_card_count_the_copies_of_generate_and_int8_weights_are_smaller(cli: Cli, elsewhere: Path) -> None:
    tweets, file = elsewhere / "tweets.txt", elsewhere / "page.html"
    tweets.write_text("\n".join(map("".join, itertools.product("abcdef", "uvwxyz"))))  # even a new model copies these
    run = ("--format", "text", "--run-name", "parrot", "--max-steps", "12", "--prime", "a", *SMALL_MODEL)
    assert cli("train", "--data", tweets, *run).code == 0

    def counts(*options: str) -> Counter[str]:
        found = cli("generate", "--checkpoint", "parrot", "-n", "1000", "--seed", "0", "--json", *options).objects
        return Counter(tweet["novelty"] for tweet in found)

    expected = counts()
    assert expected["copy"] > 10
    ended = cli("export", "html", "parrot", file)
    assert (ended.code, ended.out) == (0, "")
    used, copies, wrote = ended.error_lines
    assert used == "checkpoint: parrot/best, step 12"
    assert copies == str(Copies(temperature=0.8, num_copies=expected["copy"], num_near_copies=expected["near-copy"]))
    num_bytes = file.stat().st_size
    assert wrote == f"wrote {file}, {num_bytes / 1e3:.1f} kB"
    page = file.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert copies in page
    assert cli("export", "html", "parrot", file, "--weights", "int8", "--force").code == 0
    assert file.stat().st_size < num_bytes

    expected = counts("--prime", "")  # a model folder has no prime
    assert expected["copy"] > 10
    assert cli("export", "hub", "parrot", elsewhere / "model", "--license", "mit").code == 0
    card = (elsewhere / "model" / "README.md").read_text("utf-8")
    assert f"copies of a training tweet: **{expected['copy']:,}**" in card
    assert f"make up at least half: **{expected['near-copy']:,}**" in card


def metadata_of(file: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file."""
    return {each.key: each.value for each in onnx.load(file).metadata_props}


def test_page_card_and_onnx_file_have_the_bits_per_char_of_evaluate_on_all_validation_tweets(
    cli: Cli, tweets: Path, elsewhere: Path
) -> None:
    run_session(tiny_config(tweets, run_name="hasty", eval_every=6, eval_tweets=1))
    bits = cli("evaluate", "--checkpoint", "hasty/latest", "--json").object["bits_per_char"]
    assert abs(bits - cli("checkpoints", "show", "hasty/latest", "--json").object["bits_per_char"]) > 0.01
    for form, options in (("html", ()), ("onnx", ()), ("hub", ("--license", "mit"))):
        assert cli("export", form, "hasty/latest", elsewhere / form, *options).code == 0
    assert float(metadata_of(elsewhere / "onnx")["bits_per_char"]) == bits
    assert f"{bits:.2f} on all held-out tweets" in (elsewhere / "html").read_text("utf-8")
    assert f"| this model | {bits:.3f} |" in (elsewhere / "hub" / "README.md").read_text("utf-8")


def test_unreadable_tweets_are_reported_and_their_file_not_named(cli: Cli, tweets: Path, elsewhere: Path) -> None:
    assert cli("train", "--data", tweets, "--max-steps", "2", "--run-name", "changed", *SMALL_MODEL).code == 0
    assert cli("checkpoints", "export", "changed", elsewhere / "model.safetensors").code == 0
    assert cli("checkpoints", "import", elsewhere / "model.safetensors", "--name", "foreign").code == 0
    tweets.write_text(tweets.read_text("utf-8") + "one more\n")
    for name, why in (("changed", "is no longer what"), ("foreign", "is from elsewhere")):
        page = cli("export", "html", name, elsewhere / "page.html", "--force")
        model = cli("export", "hub", name, elsewhere / "model", "--license", "mit", "--force")
        graph = cli("export", "onnx", name, elsewhere / "model.onnx", "--force")
        assert (page.code, model.code, graph.code) == (0, 0, 0)
        assert page.error_lines[-2].startswith("Copies were not counted, and the page says so: ")
        assert model.error_lines[-2].startswith("Copies of training tweets were not counted: ")
        assert re.search(f"^The file has no bits_per_char: .*{why}", graph.err, re.MULTILINE)
        for ended, file in ((page, elsewhere / "page.html"), (model, elsewhere / "model" / "README.md")):
            assert why in ended.err
            text = file.read_text("utf-8")
            assert "was not measured" in text
            assert "bits_per_char" not in metadata_of(elsewhere / "model.onnx")
            assert str(tweets.parent) not in text


def test_a_model_folder_asks_for_its_license_comes_back_under_its_name_and_trains_on_tweets_that_are_named(
    cli: Cli, trained: Path, elsewhere: Path, tweets: Path
) -> None:
    model = elsewhere / "my-model"
    cli.reads(b"cc-by\nApache-2.0\n", is_terminal=True)
    ended = cli("export", "hub", "first/best", model)
    assert (ended.code, ended.out.strip()) == (0, "")
    assert ended.err.count("License of the model") == 2
    assert "Did you mean odc-by, cc-by-4.0" in ended.err
    assert f"wrote {model}" in ended.err
    assert " bits per character. Of 1,000 tweets that it wrote at temperature 0.8, " in ended.err
    assert ModelCard.load(model / "README.md").data.license == "apache-2.0"
    ended = cli("export", "hub", "first/best", model, "--license", "other", "--force")
    assert "Add the text of your license as LICENSE" in ended.err

    ended = cli("checkpoints", "import", f"{model}/")
    assert (ended.code, ended.err.strip()) == (0, "imported as my-model")
    own, imported = (
        cli("generate", "--checkpoint", name, "-n", "3", "--seed", "1").out for name in ("first/best", "my-model")
    )
    assert imported == own
    assert_two_line_error(cli("checkpoints", "import", model), "already a checkpoint called my-model", "--force")
    assert cli("checkpoints", "import", model, "--name", "again").code == 0
    shown = cli("checkpoints", "show", "again", "--json").object
    assert (shown["step"], shown["is_imported"], shown["corpus"]["files"]) == (0, True, [])

    foreign, named = ("--checkpoint", "my-model"), ("--checkpoint", "my-model", "--data", str(tweets))
    assert_error_at_the_end(cli("evaluate", *foreign), "--data FILE")
    assert cli("evaluate", *named, "--json").object["bits_per_char"] > 0
    assert_error_at_the_end(cli("train", *foreign), "does not say which tweets", "--data FILE")
    assert cli("train", *named, "--max-steps", "3", "--run-name", "second").code == 0
    assert cli("checkpoints", "show", "second/latest", "--json").object["step"] == 3


def test_the_onnx_file_is_the_checkpoints(cli: Cli, trained: Path, elsewhere: Path) -> None:
    file = elsewhere / "tweets.onnx"
    file.write_text("mine")
    ended = cli("export", "onnx", "first", file, "--force")
    assert (ended.code, ended.out) == (0, "")
    assert re.search(rf"wrote {file}, \d+\.?\d* .B", ended.err)
    best = load_checkpoint(trained / "runs" / "first" / "checkpoints" / "best.safetensors")
    bits = cli("evaluate", "--checkpoint", "first", "--json").object["bits_per_char"]
    assert file.read_bytes() == onnx_file(best, lambda: bits)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the disk that is always full, as Linux has it")
@pytest.mark.parametrize("command", [("export", "onnx", "first", "-"), ("runs", "list"), ("runs", "list", "--help")])
def test_a_standard_output_on_a_full_disk_is_an_error(cli: Cli, trained: Path, command: tuple[str, ...]) -> None:
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115 - the program leaves it open
    cli.monkeypatch.setattr("sys.stdout", full)
    ended = cli(*command)
    full.close()  # what could not be written is discarded, or this would fail
    assert_error_at_the_end(ended, "Standard output can't be written: No space left on device.", "Free some space.")


def sampled(checkpoint: Checkpoint, seed: int, temperature: float) -> str:
    """Return a tweet of the program's model, drawn as in the docs."""
    model, generator, ids = checkpoint.to_model(torch.device("cpu")), np.random.default_rng(seed), [BOS]
    while ids[-1] != EOS and len(ids) <= 140:
        with torch.inference_mode():
            logits = model(torch.tensor([ids]))[0][0, -1]
        weights = torch.softmax(logits.double() / temperature, dim=-1).numpy()
        weights[[PAD, BOS, UNK]] = 0
        ids.append(int(generator.choice(len(weights), p=weights / weights.sum())))
    return checkpoint.vocab.decode(ids)


@pytest.mark.ci
@pytest.mark.parametrize("ngram_order", ["0", "4"])
def test_the_example_of_the_docs_writes_the_tweet_of_its_seed_without_this_program(
    cli: Cli, home: Path, tweets: Path, elsewhere: Path, ngram_order: str
) -> None:
    run = ["--max-steps", "300", "--run-name", "my-run", "--ngram-order", ngram_order, *SMALL_MODEL]
    assert cli("train", "--data", tweets, *run).code == 0
    page = EXPORTS_PAGE.read_text(encoding="utf-8")
    [command] = re.findall(r"^```sh\ntweetgen-tui (export onnx .*)\n```", page, re.MULTILINE)
    assert cli(*command.replace("tweets.onnx", str(elsewhere / "tweets.onnx")).split()).code == 0
    [example] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    named = 'import sys; print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)'
    script = [sys.executable, "-I", "-c", f"{example}\n{named}"]
    ended = subprocess.run(script, cwd=elsewhere, capture_output=True, encoding="utf-8", check=True, timeout=60)
    checkpoint = load_checkpoint(home / "runs" / "my-run" / "checkpoints" / "best.safetensors")
    assert ended.stdout == f"{sampled(checkpoint, seed=1, temperature=0.7)}\n"
    loaded = set(ended.stderr.split())
    assert "onnxruntime" in loaded  # what is imported is seen
    assert not loaded & {"torch", "onnx", "engine", "tui"}


SHAPES: dict[str, dict[str, Any]] = {
    "one layer": {},
    "all": {"num_layers": 3, "embedding_size": 8, "tied_embeddings": True, "ngram_order": 4, "average_lag": 0.2},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_script_of_the_docs_computes_the_figure_of_evaluate_where_the_program_can_not_be_imported(
    cli: Cli, tweets: Path, elsewhere: Path, shape: str
) -> None:
    run_session(tiny_config(tweets, run_name="my-run", learning_rate=0.05, max_steps=20, **SHAPES[shape]))
    lines = elsewhere / "lines.txt"
    lines.write_text("mum got the bus again\nI love ☃ today :)\nthe cake\nzebra ☃☃ quiz\n", encoding="utf-8")
    assert cli("checkpoints", "export", "my-run/latest", elsewhere / "model.safetensors").code == 0
    evaluated = cli("evaluate", "--checkpoint", "my-run/latest", "--data", lines, "--json").object
    assert (evaluated["num_tweets"], evaluated["num_unknown_chars"] >= 3) == (4, True)
    page = CHECKPOINTS_PAGE.read_text(encoding="utf-8")
    [script] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert script.count("\n") <= 60
    (elsewhere / "bits.py").write_text(script, encoding="utf-8")
    with cli.monkeypatch.context() as without_program, contextlib.redirect_stdout(io.StringIO()) as printed:
        for name in list(sys.modules):
            if name.partition(".")[0] in {"engine", "tui", "assets"}:
                without_program.setitem(sys.modules, name, None)  # its import fails
        without_program.setattr(sys, "argv", ["bits.py", str(elsewhere / "model.safetensors"), str(lines)])
        runpy.run_path(str(elsewhere / "bits.py"))
    assert float(printed.getvalue()) == pytest.approx(evaluated["bits_per_char"], abs=1e-5)

    info = load_checkpoint(elsewhere / "model.safetensors").info
    fields = {name for part in (info, info.model, info.progress, info.computation) for name in vars(part)}
    assert [field for field in sorted(fields) if f"`{field}`" not in page] == []


def test_steps_or_all_events_go_to_stdout_a_file_or_event_files(cli: Cli, trained: Path, elsewhere: Path) -> None:
    ended = cli("runs", "export", "last")
    assert (ended.code, ended.err) == (0, "No step is thinned.\n")
    assert Counter(row.partition(",")[0] for row in ended.lines) == {"kind": 1, "step": 40, "evaluation": 2}
    file = elsewhere / "run.csv"
    assert cli("runs", "export", "first", "--output", file).out == ""
    assert file.read_text("utf-8") == ended.out
    journal = (trained / "runs" / "first" / "events.jsonl").read_text("utf-8")
    assert cli("runs", "export", "first", "--format", "jsonl").out == journal
    assert cli("runs", "export", "first", "--output", file, "--format", "jsonl", "--force").code == 0
    assert file.read_text("utf-8") == journal

    tensorboard = ("runs", "export", "first", "--format", "tensorboard", "--output", elsewhere)
    [wrote, thinned] = cli(*tensorboard).error_lines
    assert wrote.startswith("wrote ")
    assert thinned == "No step is thinned."
    assert len(scalars_in(elsewhere / "first")[LOSS]) == 40
    assert_two_line_error(cli(*tensorboard), "first has event files already", "--force")
    assert cli(*tensorboard, "--force").code == 0


def test_event_files_go_to_a_folder_seen_from_the_working_directory(cli: Cli, tweets: Path, elsewhere: Path) -> None:
    cli.monkeypatch.chdir(elsewhere)
    run = ("--max-steps", "2", "--run-name", "live", *SMALL_MODEL)
    assert cli("train", "--data", tweets, *run, "--tensorboard", "logs").code == 0
    assert [step for step, _ in scalars_in(elsewhere / "logs" / "live")[LOSS]] == [1, 2]
    for written, absolute in (("logs", elsewhere / "logs"), ("~/x", Path("~/x").expanduser())):
        assert config_to_train({"tensorboard": written}).runtime.tensorboard == str(
            absolute
        )  # also for other processes
