"""Several processes of one command, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from reloc.devices import pick_device


@contextmanager
def processes(device: str | None) -> Iterator[tuple[bool, torch.device]]:
    """Joins the processes that torchrun started, if it did.

    Yields whether this is the first of them, and its device: with CUDA, each process of a machine
    takes a GPU of its own.

    Raises:
        OptionError: no such device.
    """
    picked = pick_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True, picked
        return
    if picked.type == "cuda":
        picked = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(picked)
    dist.init_process_group("nccl" if picked.type == "cuda" else "gloo")
    try:
        yield dist.get_rank() == 0, picked
    finally:
        dist.destroy_process_group()
