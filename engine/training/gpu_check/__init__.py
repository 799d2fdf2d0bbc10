"""Does a GPU learn what a CPU learns? `tweetgen-tui doctor --gpu`: one check after the other, each with a figure.

A wrong gather, a learning rate that a CUDA graph has frozen, a mask that repeats or a stale copy of the weights shows
only as a somewhat worse curve, which nobody can tell from a bad setting. So each check compares the device with what is
known to be right: this program's path on the CPU, or, where rounding must not matter, the same steps taken eagerly. All
start from the same weights, on the same batches, of a model as `auto` makes it for a GPU.

**Deterministic kernels.** Recorded steps are compared with eager ones to 1e-5 (1e-3 in bfloat16), and resumed ones bit
for bit. This assumes that torch's deterministic mode, and cuDNN's recurrent layers with a cuBLAS workspace of a fixed
size, give the same bits whether a kernel is launched or replayed. Without that, twenty steps differ by up to 2e-3:
Adam's first steps turn noise in the sign of a gradient into whole steps. So the caller has applied a deterministic
`Runtime`.

Never prints, and knows no processes: the check of two ranks is `engine.session.ranks.check`.
"""
