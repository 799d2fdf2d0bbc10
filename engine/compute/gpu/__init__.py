"""Training on CUDA and MPS: `nn.GRU`'s own kernels, fed without a wait.

A GPU is slow only where it waits: for Python between two kernels, for a batch, for somebody who wants to see a number.
So here

* `buckets` gives batches few shapes, without changing what is learned from them;
* `train_step` is one whole step, loss to update, with no look at a value of it: cuDNN's GRU on padded batches, a
  masked loss, a refusal that the device decides on by itself (`optimizer_step`);
* `bfloat16_copy` computes it in bfloat16 under float32 weights;
* `cuda_graphs` records the kernels of such a step once per bucket, as a CUDA graph, and from then on launches them all
  in one call.

Losses stay on the device, in `engine.compute.loss_buffer`, until a report reads many. Everything but the recording
itself runs on a processor too, where the tests compare it with the readable reference, `TextGenerator.forward` and
autograd.
"""
