"""The training step on CUDA and MPS: `nn.GRU`'s own kernels, never waiting for the host.

A GPU is slow only when it waits: for Python between two kernels, for a batch, or for the host to read a number. So

* `resident_tweets` stores the encoded corpus on the device, which cuts its batches itself;
* `buckets` pads batches to few shapes, without changing the gradient;
* `train_step` runs a whole step, from loss to update, without reading a value back: cuDNN's GRU on padded batches, a
  masked loss, and a skip of non-finite steps that the device decides (`optimizer_step`);
* `bfloat16_copy` computes it in bfloat16 with float32 weights;
* `cuda_graphs` records the kernels of a step once per bucket as a CUDA graph, and then launches them in one call;
* `backlog` waits before more than a few steps are queued, so that commands are executed soon.

Losses stay on the device, in `engine.compute.loss_buffer`, until a report reads many. Everything but the recording
itself also runs on a CPU, where the tests compare it with the readable reference, `TextGenerator.forward` and autograd.
Never used to train on a CPU.
"""
