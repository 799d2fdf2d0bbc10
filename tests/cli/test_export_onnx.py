"""`tweetgen-tui export onnx`: its file in onnxruntime, the example of the docs, and the errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.model.vocab import BOS, EOS, PAD, UNK
from tests.cli.program import PROGRAM, SMALL_MODEL, Cli, assert_two_line_error

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def test_the_file_has_the_log_probabilities_of_the_checkpoint(cli: Cli, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "tweets.onnx"
    ended = cli("export", "onnx", "first", file)
    assert (ended.code, ended.out) == (0, "")
    assert re.search(rf"wrote {file}, \d+\.?\d* .B", ended.err)
    checkpoint = load_checkpoint(trained / "runs" / "first" / "checkpoints" / "best.safetensors")
    model, text = checkpoint.to_model(torch.device("cpu")), [BOS, *checkpoint.vocab.encode("mum slept so late today")]
    assert model.ngram_input is not None
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    hidden, before = np.zeros((1, 1, 16), np.float32), np.zeros((1, 3), np.int64)
    [found] = session.run(["log_probs"], {"token_ids": np.array([text]), "hidden": hidden, "before": before})
    with torch.inference_mode():
        expected = torch.log_softmax(model(torch.tensor([text]))[0], dim=-1).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


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


@pytest.mark.parametrize("ngram_order", ["0", "4"])
def test_the_example_of_the_docs_writes_the_tweet_of_its_seed_without_this_program(
    cli: Cli, tweets: Path, tmp_path: Path, ngram_order: str
) -> None:
    run = ["--max-steps", "300", "--run-name", "my-run", "--ngram-order", ngram_order, *SMALL_MODEL]
    assert cli("train", "--data", tweets, *run).code == 0
    [command] = re.findall(r"^```sh\ntweetgen-tui (.*)\n```", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    file = tmp_path / "tweets.onnx"
    assert cli(*command.replace("tweets.onnx", str(file)).split()).code == 0
    [example] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    named = 'import sys; print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)'
    script = [sys.executable, "-I", "-c", f"{example}\n{named}"]
    ended = subprocess.run(script, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True, timeout=60)
    checkpoint = load_checkpoint(tmp_path / "runs" / "my-run" / "checkpoints" / "best.safetensors")
    assert ended.stdout == f"{sampled(checkpoint, seed=1, temperature=0.7)}\n"
    loaded = set(ended.stderr.split())
    assert "onnxruntime" in loaded  # what is imported is seen
    assert not loaded & {"torch", "onnx", "engine", "tui"}


def test_an_existing_file_is_replaced_only_with_force(cli: Cli, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.onnx"
    file.write_text("mine")
    assert_two_line_error(cli("export", "onnx", "first", file), str(file), "already exists", "--force")
    assert file.read_text() == "mine"
    assert cli("export", "onnx", "first", file, "--force").code == 0
    onnxruntime.InferenceSession(file)


@pytest.mark.parametrize("file", ["missing/tweets.onnx", "/dev/null", "."])
def test_a_file_that_can_not_be_written_is_an_error(cli: Cli, trained: Path, tmp_path: Path, file: str) -> None:
    assert_two_line_error(cli("export", "onnx", "first", tmp_path / file, "--force"), file[:4])


def test_a_damaged_or_unknown_checkpoint_is_an_error_and_writes_nothing(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tweets.onnx"
    damaged = trained / "runs" / "first" / "checkpoints" / "latest.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    assert_two_line_error(cli("export", "onnx", "first/latest", file), str(damaged), "damaged", "checkpoints list")
    assert_two_line_error(cli("export", "onnx", "frist", file), "frist", "first")
    assert not file.exists()


def test_a_full_disk_behind_standard_output_is_an_error(trained: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [*PROGRAM, "export", "onnx", "first", "-"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    [_, what, hint] = ended.stderr.splitlines()
    assert "Standard output can't be written: No space left on device." in what
    assert hint == "Free some space."


def test_without_the_package_onnx_the_error_names_the_command_that_installs_it(
    cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    file = tmp_path / "tweets.onnx"
    assert_two_line_error(cli("export", "onnx", "first", file), "package onnx", "pip install onnx")
    assert not file.exists()
