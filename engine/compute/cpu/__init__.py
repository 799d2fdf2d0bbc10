"""The training step of `TextGenerator` on a processor without autograd: same parameters, same results, less time."""
