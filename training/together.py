"""Several processes that train one network: each has a batch of its own, all the mean gradient."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def start(train: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run `train` in `args.workers` processes, this one among them; `args.rank` numbers them."""
    args.rank = 0
    if args.workers == 1:
        train(args)
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    meeting = args.out.with_suffix(".meeting")
    meeting.unlink(missing_ok=True)
    new = torch.multiprocessing.get_context("spawn").Process
    ranks = range(1, args.workers)
    others = [new(target=_join, args=(train, args, rank), daemon=True) for rank in ranks]
    for other in others:
        other.start()
    _join(train, args, 0)
    for other in others:
        other.join()
    meeting.unlink(missing_ok=True)


def _join(train: Callable[[argparse.Namespace], None], args: argparse.Namespace, rank: int) -> None:
    """Meet the other processes at a file, and train."""
    args.rank = rank
    where = args.out.resolve().with_suffix(".meeting").as_uri()
    dist.init_process_group("gloo", where, rank=rank, world_size=args.workers)
    try:
        train(args)
    finally:
        dist.destroy_process_group()


def averaged(gradients: Sequence[Tensor], number: float) -> float:
    """Give each process the mean of the gradients, and return the mean of a number."""
    if not dist.is_initialized():
        return number
    parts = [*gradients, torch.tensor([number])]
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for part, mean in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
        part.copy_(mean.view_as(part))
    return float(parts[-1])
