"""Devices, clocks and the two backends of a training step, `cpu` and `gpu`. Never opens a file."""
