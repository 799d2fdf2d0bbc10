"""Devices, clocks and the two backends of a training step, `cpu` and `gpu_step`. Never opens a file."""
