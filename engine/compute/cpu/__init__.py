"""Training step and inference of `TextGenerator` on the CPU without autograd: same results, faster. Never on a GPU."""
