"""Devices, clocks and the two backends of a training step (`cpu`, `gpu`). Never knows a run, a checkpoint or a file."""
