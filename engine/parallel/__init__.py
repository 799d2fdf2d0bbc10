"""Several processes that train one model together: the place of each, and how they communicate.

**Control goes through the store, data through the process group.** Rank 0, the leader, gives leases to the others, the
followers: JSON through torch's `TCPStore`, never pickle. Only flat buffers of numbers go through collectives (NCCL for
CUDA tensors, gloo for those of a CPU). It starts no process: torchrun does, and starts all again where one is lost.
"""
