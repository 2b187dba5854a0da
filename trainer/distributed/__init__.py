"""One run on several devices: torchrun starts a process for each, a rank, and all of them take each step together.

Every rank runs the same program and holds the same small tensors: tokens, masks, rewards, advantages. Weights,
gradients and the optimiser's moments are sharded (FSDP2), micro-batches are shared out. What must happen once happens
on rank 0: sampling over the network, grading, the detectors, everything that is written. See docs/scale.md.
"""
