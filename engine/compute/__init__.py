"""Devices, clocks and the two backends of a training step, `cpu` and `gpu`. Independent of runs and checkpoints."""
