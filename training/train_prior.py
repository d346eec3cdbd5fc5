"""Train the warm start on photographs with simulated noise: `python -m training.train_prior`.

The schedule runs on time: the learning rate falls along a cosine that ends after `--hours`,
whatever the machine does meanwhile. A checkpoint every few minutes lets `--resume` go on.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from training.simulate import MIXTURES, augment, crops, simulate
from zspot.networks.pretrained import BLOCKS, WIDTHS, PriorModule

_WARM_UP_STEPS = 150
_LOG_EVERY = 50
_SAVE_EVERY_S = 300


def load_photographs(folder: Path) -> list[list[torch.Tensor]]:
    """Read every image of a folder as uint8, each at full, 0.71 and 0.5 of its size."""
    photographs = []
    for path in sorted(folder.glob("*")):
        image = Image.open(path).convert("RGB")
        levels = []
        for scale in (1.0, 0.71, 0.5):
            size = (round(image.width * scale), round(image.height * scale))
            smaller = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
            levels.append(torch.from_numpy(np.array(smaller)).permute(2, 0, 1).contiguous())
        photographs.append(levels)
    return photographs


def standardise_as_in_use(
    clean: torch.Tensor, noisy: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Standardise by the noisy patch's mean and deviation, jittered: in use a patch is part of
    an image whose mean and deviation differ from its own.
    """  # noqa: D205
    mean = noisy.mean((2, 3), keepdim=True)
    std = (noisy - mean).square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-3)
    count = len(noisy)
    offset = 0.5 * torch.randn((count, 1, 1, 1), generator=generator)
    # Channels keep their own means, up to a little; grey patches must stay grey.
    tint = 0.1 * torch.randn((count, 3, 1, 1), generator=generator)
    grey = (noisy[:, :1] == noisy[:, 1:]).all(3).all(2).all(1)
    tint[grey] = 0
    spread = torch.rand((count, 1, 1, 1), generator=generator)
    scale = std * torch.exp(-0.2 + 0.9 * spread**2)
    centre = mean + (offset + tint) * std
    return (clean - centre) / scale, (noisy - centre) / scale


def relative_loss(out: torch.Tensor, clean: torch.Tensor, noisy: torch.Tensor) -> torch.Tensor:
    """Mean over patches of log(error + 5 % of the noise): decibels, for weak noise as for strong.

    The share of the noise keeps flat patches, whose error can vanish, from dominating. The
    constant is noise of half a grey level, below which nothing is to be gained.
    """
    error = (out - clean).square().mean((1, 2, 3))
    noise = (noisy - clean).square().mean((1, 2, 3))
    return torch.log((error + 0.05 * noise + 1e-6) / (noise + 1e-6)).mean()


def save_weights(network: PriorModule, path: Path) -> None:
    """Write the weights as float16 to `path` with the ending .safetensors, in one move."""
    weights = {k: v.half().cpu().contiguous() for k, v in network.state_dict().items()}
    part = path.with_suffix(".weights.part")
    save_file(weights, part)
    part.replace(path.with_suffix(".safetensors"))


def grown(weights: dict[str, torch.Tensor], network: PriorModule) -> dict[str, torch.Tensor]:
    """Return weights for `network` from those of one with fewer blocks, which compute the same.

    Blocks that are missing add nothing at first: their second convolution is 0.
    """
    result = dict(weights)
    for name, value in network.state_dict().items():
        if name not in weights and ".first." in name:
            result[name] = value
        elif name not in weights and ".second." in name:
            result[name] = torch.zeros_like(value)
    return result


def start_from(path: Path, network: PriorModule) -> None:
    """Load the weights of a safetensors file, of a network with as many blocks or fewer."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    network.load_state_dict(grown(weights, network))


@dataclass
class State:
    """What a checkpoint holds; networks, `step` and `elapsed` lie in shared memory."""

    network: PriorModule
    average: PriorModule
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    step: torch.Tensor
    elapsed: torch.Tensor

    def save(self, path: Path) -> None:
        """Write the checkpoint, and the averaged weights beside it, each in one move."""
        names = ("network", "average", "optimiser")
        parts = {name: getattr(self, name).state_dict() for name in names}
        parts |= {"step": self.step, "elapsed": self.elapsed}
        part = path.with_suffix(".part")
        torch.save(parts, part)
        part.replace(path)
        save_weights(self.average, path)

    def load(self, path: Path) -> None:
        """Take up a checkpoint; the noise goes on from another seed."""
        parts = torch.load(path, weights_only=True)
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(parts[name])
        self.step.copy_(parts["step"])
        self.elapsed.copy_(parts["elapsed"])


def fresh_state(args: argparse.Namespace) -> State:
    """Build the network, its average, the optimiser and the generator."""
    torch.manual_seed(args.seed)
    network, average = (
        PriorModule(tuple(args.widths), tuple(args.blocks)).to(memory_format=torch.channels_last)
        for _ in range(2)
    )
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.Adam(network.parameters(), lr=args.rate, betas=(0.9, 0.99))
    step = torch.zeros((), dtype=torch.int64).share_memory_()
    elapsed = torch.zeros((), dtype=torch.float64).share_memory_()
    generator = torch.Generator().manual_seed(args.seed)
    shared = (network.share_memory(), average.share_memory())
    return State(*shared, optimiser, generator, step, elapsed)


def scheduled(peak: float, step: int, progress: float, warm_up: int = _WARM_UP_STEPS) -> float:
    """Warm up over steps, then fall along a cosine over the progress to 0.1 % of the peak."""
    cosine = 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return peak * min(1.0, (step + 1) / warm_up) * cosine


def learning_rate(args: argparse.Namespace, state: State) -> float:
    """Return the rate of the next step; its progress is one of time."""
    return scheduled(args.rate, state.step.item(), state.elapsed.item() / (3600 * args.hours))


def train_step(
    args: argparse.Namespace, state: State, photographs: list[list[torch.Tensor]]
) -> tuple[float, float, float]:
    """Take one step; return the loss, the gradient's norm and the seconds that data took."""
    start = time.perf_counter()
    large = bool(state.elapsed > 3600 * args.hours * args.large_after)
    size, batch = (args.size * 2, args.batch // 4) if large else (args.size, args.batch)
    with torch.no_grad():
        x = augment(crops(photographs, batch, size, state.generator), state.generator)
        clean, noisy = simulate(x, state.generator, args.noise)
        clean, noisy = standardise_as_in_use(clean, noisy, state.generator)
    data_seconds = time.perf_counter() - start
    # Half precision learns as well while steps are coarse; the last ones are to be exact.
    with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16 and not large):
        out = state.network(noisy)
    loss = relative_loss(out.float(), clean, noisy)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), args.clip)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(args, state)
    if torch.isfinite(norm):
        state.optimiser.step()
    state.step += 1
    return loss.item(), norm.item(), data_seconds


def follow(args: argparse.Namespace, state: State) -> None:
    """Move the averaged weights towards the current ones."""
    step = state.step.item()
    decay = min(args.ema, step / (step + 10))
    with torch.no_grad():
        pairs = zip(state.average.parameters(), state.network.parameters(), strict=True)
        for kept, new in pairs:
            kept.lerp_(new, 1 - decay)


def work(
    args: argparse.Namespace, state: State, photographs: list[list[torch.Tensor]], worker: int
) -> None:
    """Train on one thread. Worker 0 also keeps the time, averages, logs and saves."""
    torch.set_num_threads(1)
    state.generator.manual_seed(1000 * args.seed + 10 * state.step.item() + worker)
    rows: list[tuple[float, float, float]] = []
    logged = saved = last = time.perf_counter()
    first = state.step.item()
    while state.elapsed < 3600 * args.hours:
        rows.append(train_step(args, state, photographs))
        if worker:
            rows.clear()
            continue
        follow(args, state)
        now = time.perf_counter()
        state.elapsed += now - last
        last = now
        if len(rows) == _LOG_EVERY:
            report(args, state, rows, now - logged, state.step.item() - first)
            rows, logged, first = [], now, state.step.item()
        if now - saved > _SAVE_EVERY_S:
            state.save(args.out.with_suffix(".pt"))
            saved = now


def report(
    args: argparse.Namespace,
    state: State,
    rows: list[tuple[float, float, float]],
    seconds: float,
    steps: int,
) -> None:
    """Print a line on the last steps: worker 0's loss, everybody's pace."""
    loss, norm, data = np.mean(rows, axis=0)
    print(
        f"step {state.step.item()} {state.elapsed.item() / 60:.1f} min "
        f"loss {10 / math.log(10) * loss:.3f} dB norm {norm:.2f} "
        f"lr {learning_rate(args, state):.2e} {args.batch * steps / seconds:.0f} images/s "
        f"data {100 * data * len(rows) / seconds:.0f} %",
        flush=True,
    )


def train(args: argparse.Namespace) -> None:
    """Train until `args.hours` have passed, counting those before a resumption.

    The workers are processes of one thread that update the same weights without waiting for
    each other: on a busy machine two threads that meet after every operation lose most of their
    time waiting for the one that is not scheduled.
    """
    torch.set_num_threads(1)
    state = fresh_state(args)
    if args.start is not None:
        start_from(args.start, state.network)
        state.average.load_state_dict(state.network.state_dict())
    checkpoint = args.out.with_suffix(".pt")
    if args.resume and checkpoint.exists():
        state.load(checkpoint)
    photographs = load_photographs(args.photographs)
    parameters = sum(p.numel() for p in state.network.parameters())
    print(f"{len(photographs)} photographs, {parameters} parameters", flush=True)
    fork = torch.multiprocessing.get_context("fork")
    helpers = [
        fork.Process(target=work, args=(args, state, photographs, worker), daemon=True)
        for worker in range(1, args.threads)
    ]
    for helper in helpers:
        helper.start()
    work(args, state, photographs, 0)
    for helper in helpers:
        helper.join()
    state.save(checkpoint)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder of clean images")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, without extension")
    parser.add_argument("--start", type=Path, help="safetensors file of weights to start from")
    parser.add_argument(
        "--noise",
        choices=tuple(MIXTURES),
        default="mixed",
        help="gaussian is white noise alone, for the score prior; grey has no colours",
    )
    parser.add_argument("--hours", type=float, default=1.5, help="length of the schedule")
    parser.add_argument(
        "--bf16", action="store_true", help="compute in bfloat16 until patches are large"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="workers")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradient")
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--size", type=int, default=64, help="side of a patch, a multiple of 8")
    parser.add_argument("--batch", type=int, default=16, help="patches per step, a multiple of 4")
    parser.add_argument(
        "--large-after",
        type=float,
        default=0.75,
        help="share of the time after which patches have twice the side and a quarter the number",
    )
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--blocks", type=int, nargs="+", default=list(BLOCKS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train(args)


if __name__ == "__main__":
    main()
