"""Several processes: speed of their sums, the parts of a step, what more of them would give. Never part of a run."""
