"""Train the warm start on one GPU: `python -m training.train_on_gpu`.

The same photographs, noise and loss as `training.train_prior`, in large batches: patches are cut
once by all processors and stay on the GPU, where the noise is simulated as well. The learning rate
falls along a cosine that ends after `--seconds`.
"""

from __future__ import annotations

import argparse
import functools
import math
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training.simulate import MIXTURES, augment, crops, simulate
from training.train_prior import (
    load_photographs,
    relative_loss,
    save_weights,
    scheduled,
    standardise_as_in_use,
    start_from,
)
from zspot.networks.pretrained import PriorModule

_LARGE, _SMALL = 128, 64  # sides of patches in pixels
_PER_TASK = 250
_WARM_UP_STEPS = 100
_LOG_EVERY, _SAVE_EVERY_S = 100, 60


def cut(photographs: list[list[torch.Tensor]], count: int, out: Path) -> None:
    """Cut `count` clean patches on all processors and save them as uint8 (count, 3, 128, 128)."""
    torch.set_num_threads(1)
    seeds = range(-(-count // _PER_TASK))
    _shared.extend(photographs)  # inherited by the processes, not sent to them
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        parts = list(pool.imap(_cut_some, seeds))
    torch.save(torch.from_numpy(np.concatenate(parts)[:count]), out)


_shared: list[list[torch.Tensor]] = []


def _cut_some(seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return crops(_shared, _PER_TASK, _LARGE, generator).mul_(255).round_().byte().numpy()


def batch(pool: torch.Tensor, count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Take random patches, a random part of each, all turned alike: (count, 3, size, size)."""
    rolls = torch.randint(2**31, (4,), generator=generator).tolist()
    chosen = torch.randint(len(pool), (count,), generator=generator)
    top, left = (roll % (_LARGE - size + 1) for roll in rolls[:2])
    x = pool[chosen, :, top : top + size, left : left + size].float() / 255
    x = torch.rot90(x, rolls[2] % 4, (2, 3))
    return augment(x.flip(3) if rolls[3] % 2 else x, generator)


def pad_by_joining(network: nn.Module) -> None:
    """Repeat borders by joining slices: the GPU's own replication is slow in channels-last."""
    for conv in network.modules():
        if isinstance(conv, nn.Conv2d) and conv.padding_mode == "replicate":
            conv.forward = functools.partial(_joined, conv)  # type: ignore[method-assign]


def _joined(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
    return F.conv2d(x, conv.weight, conv.bias)


def train(args: argparse.Namespace, pool: torch.Tensor) -> None:
    """Train until `--seconds` have passed; all that is made inside lies on `--device`."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    with torch.device(args.device):
        _train(args, pool.to(args.device))


def _train(args: argparse.Namespace, pool: torch.Tensor) -> None:
    generator = torch.Generator(args.device).manual_seed(args.seed)
    network, average = _networks(args)
    weights, kept = list(network.parameters()), list(average.parameters())
    adam = torch.optim.Adam(weights, args.rate, (0.9, 0.99), fused=args.device == "cuda")
    losses: list[torch.Tensor] = []
    begun = logged = saved = time.perf_counter()
    step = 0
    while (passed := time.perf_counter() - begun) < args.seconds:
        for group in adam.param_groups:
            group["lr"] = scheduled(args.rate, step, passed / args.seconds, _WARM_UP_STEPS)
        losses.append(_step(args, network, adam, pool, generator, passed / args.seconds))
        with torch.no_grad():
            torch._foreach_lerp_(kept, weights, 1 - min(args.ema, step / (step + 10)))
        step += 1
        if step % _LOG_EVERY:
            continue
        now = time.perf_counter()
        mean = 10 / math.log(10) * float(torch.stack(losses).mean())
        pace = _LOG_EVERY * args.batch / (now - logged)
        line = f"{args.out.name} step {step} {passed:.0f} s loss {mean:.3f} dB {pace:.0f} patches/s"
        print(line, flush=True)
        losses, logged = [], now
        if now - saved > _SAVE_EVERY_S:
            save_weights(average, args.out)
            saved = now
    save_weights(average, args.out)


def _networks(args: argparse.Namespace) -> tuple[PriorModule, PriorModule]:
    """Return the network and what its weights are averaged in."""
    with torch.random.fork_rng():
        torch.manual_seed(args.seed)
        network, average = (PriorModule().to(memory_format=torch.channels_last) for _ in range(2))
    if args.start is not None:
        start_from(args.start, network)
    average.load_state_dict(network.state_dict())
    pad_by_joining(network)
    return network, average


def _step(
    args: argparse.Namespace,
    network: PriorModule,
    adam: torch.optim.Optimizer,
    pool: torch.Tensor,
    generator: torch.Generator,
    progress: float,
) -> torch.Tensor:
    """Take one step, `progress` of the way, and return its loss."""
    large = progress > args.large_after
    count, size = (args.batch // 4, _LARGE) if large else (args.batch, _SMALL)
    with torch.no_grad():
        clean, noisy = simulate(batch(pool, count, size, generator), generator, args.noise)
        clean, noisy = standardise_as_in_use(clean, noisy, generator)
    # Half precision learns as well while steps are coarse; the last ones are to be exact.
    coarse = progress <= args.exact_after
    with torch.autocast(args.device, torch.bfloat16, enabled=coarse):
        out = network(noisy)
    loss = relative_loss(out.float(), clean, noisy)
    adam.zero_grad(set_to_none=True)
    loss.backward()
    if torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), args.clip)):
        adam.step()
    return loss.detach()


def main() -> None:
    """Read the command line, cut patches where there are none, and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder of clean images")
    parser.add_argument("--pool", type=Path, required=True, help="file of cut patches; made if new")
    parser.add_argument("--patches", type=int, default=60_000, help="to cut")
    parser.add_argument("--out", type=Path, help="weights, without extension; else only cut")
    parser.add_argument("--start", type=Path, help="safetensors file of weights to start from")
    parser.add_argument("--noise", choices=tuple(MIXTURES), default="mixed")
    parser.add_argument("--seconds", type=float, default=500)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradient")
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--batch", type=int, default=256, help="patches per step, a multiple of 4")
    parser.add_argument("--large-after", type=float, default=0.7, help="share of the time")
    parser.add_argument("--exact-after", type=float, default=0.9, help="share of the time")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.pool.exists():
        cut(load_photographs(args.photographs), args.patches, args.pool)
    if args.out is not None:
        train(args, torch.load(args.pool, weights_only=True))


if __name__ == "__main__":
    main()
