"""The code shown by the lesson: a few lines of plain PyTorch per stop, each run by a test beside the engine."""
