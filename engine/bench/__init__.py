"""Speed of training, sampling and reading on this machine, next to other implementations. Never part of a run."""
