"""Write `assets/base.safetensors`, the model whose weights a run on a small corpus starts from.

It is trained on the embedded tweets alone, which are synthetic. The file is a checkpoint at step 0, without optimizer;
the same machine and versions give the same weights.

    python -m assets.make_base
"""

import os
import queue
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.model.gru import weights_with_prefix
from engine.protocol.progress import BatchCursor
from engine.session.session import TrainingSession
from engine.storage.folders import find_run

OUTPUT = Path(__file__).resolve().parent / "base.safetensors"
SETTINGS = {
    "hidden_size": 256,
    "num_layers": 1,
    "ngram_order": 0,
    "max_steps": 1000,
    "seed": 1,
    "eval_every": 0,
    "sample_every": 0,
}
"""Sizes and length of the run; the others are those of the preset `auto`."""
RUNTIME = RuntimeConfig(device="cpu", precision="float32", threads=1)


def main() -> None:
    """Train the model in a temporary data folder and write its averaged weights."""
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, TWEETGEN_HOME=home):
        config = RunConfig(settings=SETTINGS, runtime=RUNTIME, run_name="base")
        TrainingSession(config).run(lambda _: None, queue.SimpleQueue())
        checkpoint = load_checkpoint(find_run("base").checkpoint_path("latest"))
    weights = {f"model.{name}": each for name, each in weights_with_prefix(checkpoint.tensors, "average.").items()}
    generator = {"generator.cpu": checkpoint.tensors["generator.cpu"]}
    info = replace(
        checkpoint.info,
        training=TrainingConfig(preset="auto"),
        step=0,
        position=BatchCursor(),
        elapsed_seconds=0.0,
        progress=replace(checkpoint.info.progress, total_chars=0, last_sample_step=-1, last_save_step=0),
    )
    save_checkpoint(OUTPUT, info, weights | generator)


if __name__ == "__main__":
    main()
