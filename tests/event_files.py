"""What TensorBoard's own reader finds in the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

LOSS, RATE, VAL_LOSS = "train/loss", "train/learning_rate", "val/loss"


def read_run(folder: Path) -> Any:  # the package has no types
    """Return an accumulator that has read all event files of a run."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    return accumulator.Reload()


def scalars_in(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return step and value of each point, by tag."""
    run = read_run(folder)
    return {tag: [(point.step, point.value) for point in run.Scalars(tag)] for tag in run.Tags()["scalars"]}


def samples_in(folder: Path) -> list[tuple[int, str]]:
    """Return step and Markdown of each sample."""
    run = read_run(folder)
    points = run.Tensors("samples") if "samples" in run.Tags()["tensors"] else []
    return [(point.step, point.tensor_proto.string_val[0].decode()) for point in points]


def hparams_in(folder: Path) -> dict[str, Any]:
    """Return the hyperparameters of a run."""
    content = read_run(folder).PluginTagToContent("hparams")[SESSION_START_INFO_TAG]
    values = parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}
