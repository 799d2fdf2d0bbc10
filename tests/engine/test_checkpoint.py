"""A checkpoint gives back all that was put in, exactly; read while a run replaces it, it is the old or the new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.checkpoint import load_checkpoint
from engine.checkpoint_files import export_bytes
from engine.checkpoint_info import read_info
from engine.config import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from tests.engine.checkpoints import checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.helpers import assert_same_tensors

AWKWARD = checkpoint_info(
    corpus=CorpusConfig(files=("/tmp/with blank/ünïcode.csv", "b.csv"), column="tweet", overfit=200),
    training=TrainingConfig(max_seconds=0.1 + 0.2, learning_rate=1e-8, seed=2**63 - 1, schedule="cosine"),
    sampling=SamplingConfig(prime=' "\\', temperature=0.05),
    vocab=("a", '"', "\\", "😀", "\u200d", " ", "é"),
    position=Position(epoch=10**6, batch=10**9),
    train_loss=1 / 3,
    val_loss=2 / 3,
    bits_per_char=0.1,
    best_bits_per_char=5e-324,
)


def test_everything_that_was_saved_comes_back(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    path = write_checkpoint(tmp_path / "one.safetensors", tensors)

    checkpoint = load_checkpoint(path)

    assert checkpoint.info == checkpoint_info()
    assert checkpoint.vocab.chars == checkpoint_info().vocab
    assert_same_tensors(checkpoint.tensors, tensors)
    assert all(checkpoint.tensors[name].dtype == tensor.dtype for name, tensor in tensors.items())


def test_awkward_texts_and_numbers_come_back_exactly(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors", {}, **vars(AWKWARD))

    assert read_info(path)[0] == AWKWARD


# Read while a run replaces it -----------------------------------------------------------------------------------------


ROOT = Path(__file__).parents[2]
NUM_READS = 15
STEPS = (2, 3)
WRITER = """
import sys
from pathlib import Path

from engine.folders import write_atomically

path, *versions = map(Path, sys.argv[1:])
contents = [version.read_bytes() for version in versions]
print("ready", flush=True)
for number in range(1_000_000):
    write_atomically(path, contents[number % len(contents)])
"""


def test_whoever_reads_while_another_process_writes_gets_a_whole_one(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    versions = [
        write_checkpoint(
            tmp_path / f"{step}.safetensors",
            {name: tensor + (step if name.startswith("model.") else 0) for name, tensor in tensors.items()},
            step=step,
            train_loss=step / 2,
            corpus_name="x" * (step * 1000),  # so that their heads differ in length, too
        )
        for step in STEPS
    ]
    path = write_checkpoint(tmp_path / "latest.safetensors")
    contents = {version.read_bytes() for version in (path, *versions)}
    seen: set[int] = set()
    command = [sys.executable, "-c", WRITER, str(path), *map(str, versions)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            num_reads = 0
            while num_reads < NUM_READS or not seen >= set(STEPS):
                checkpoint = load_checkpoint(path)
                step = checkpoint.info.step
                seen.add(step)
                expected = tensors["model.proj.bias"] + (step if len(checkpoint.info.corpus_name) > 100 else 0)
                assert checkpoint.tensors["model.proj.bias"].equal(expected)
                assert read_info(path)[0].train_loss in {3.25, *(step / 2 for step in STEPS)}
                assert export_bytes(str(path)) in contents
                num_reads += 1
            assert writer.poll() is None
        finally:
            writer.kill()
