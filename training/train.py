"""Train the pretrained network on photographs with simulated noise, on a CPU or a GPU.

    python -m training.train fit --photographs FOLDER --pool pool.pt --out runs/colour --hours 1.5
    python -m training.train pack runs/grey.safetensors
    python -m training.train evaluate --data FOLDER --weights runs/colour.safetensors

Patches are cut once and stay on the device, where the noise is simulated as well. The schedule runs
on time: the learning rate falls along a cosine that ends after `--hours`, whatever the machine does
meanwhile. A checkpoint beside the weights lets `--resume` go on.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from training.patches import SIDE, Pool, cut, load_photographs
from training.simulate import MIXTURES, simulate
from training.together import averaged, start
from zspot.networks.pretrained import BLOCKS, AnyChannels, PriorModule, load

_LARGE, _SMALL = SIDE, SIDE // 2  # sides of patches, pixels
_WARM_UP_STEPS = 100
_LOG_EVERY = 100  # steps
_SAVE_EVERY = 60.0  # seconds
_LAST_RATE = 0.001  # of the peak
_EXACT = ("entry", "encoder.0", "decoder.0", "exit")  # stay float16 when packed: finest layers
_BATCH = {"cpu": 16, "cuda": 256}

# Standard deviation of the white noise to add, of 255; None where the set has noisy images.
SETS: dict[str, int | None] = {
    "sidd_val": None,
    "fmdd": None,
    "polyu": None,
    "cc": None,
    "set9": 25,
    "bsd68": 25,
    "mcmaster": 50,
}


def standardise_as_in_use(clean: Tensor, noisy: Tensor, draws: Generator) -> tuple[Tensor, Tensor]:
    """Standardise by the noisy patch's mean and deviation, jittered.

    In use a patch is part of an image whose mean and deviation differ from its own.
    """
    mean = noisy.mean((2, 3), keepdim=True)
    std = (noisy - mean).square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-3)
    count = len(noisy)
    offset = 0.5 * torch.randn((count, 1, 1, 1), generator=draws)
    # Channels keep their own means, up to a little; grey patches must stay grey.
    tint = 0.1 * torch.randn((count, 3, 1, 1), generator=draws)
    grey = (noisy[:, :1] == noisy[:, 1:]).all(3).all(2).all(1)
    tint[grey] = 0
    spread = torch.rand((count, 1, 1, 1), generator=draws)
    scale = std * torch.exp(-0.2 + 0.9 * spread**2)
    centre = mean + (offset + tint) * std
    return (clean - centre) / scale, (noisy - centre) / scale


def relative_loss(out: Tensor, clean: Tensor, noisy: Tensor) -> Tensor:
    """Mean over patches of log(error + 5 % of the noise): decibels, for weak noise as for strong.

    The share of the noise keeps flat patches, whose error can vanish, from dominating. The
    constant is noise of half a grey level, below which nothing is to be gained.
    """
    error = (out - clean).square().mean((1, 2, 3))
    noise = (noisy - clean).square().mean((1, 2, 3))
    return torch.log((error + 0.05 * noise + 1e-6) / (noise + 1e-6)).mean()


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Warm up over steps, then fall along a cosine over the progress."""
    cosine = _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return peak * min(1.0, (step + 1) / _WARM_UP_STEPS) * cosine


def grown(weights: dict[str, Tensor], network: PriorModule) -> dict[str, Tensor]:
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


def pad_by_joining(network: nn.Module) -> None:
    """Repeat borders by joining slices: a GPU's own replication is slow in channels-last."""
    for conv in network.modules():
        if isinstance(conv, nn.Conv2d) and conv.padding_mode == "replicate":
            conv.forward = functools.partial(_joined, conv)  # type: ignore[method-assign]


def _joined(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolve with the border repeated by one pixel."""
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
    return F.conv2d(x, conv.weight, conv.bias)


def _channels_last(network: PriorModule) -> PriorModule:
    """Lay the weights out as the network in use has them."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass
class State:
    """What a checkpoint holds: the network, its average, the optimiser, steps and seconds."""

    network: PriorModule
    average: PriorModule
    optimiser: torch.optim.Optimizer
    step: int = 0
    elapsed: float = 0.0
    last: float = 0.0  # when that was counted

    @classmethod
    def fresh(cls, args: argparse.Namespace) -> State:
        """Build the networks, from weights where there are some to start from."""
        with torch.random.fork_rng():
            torch.manual_seed(args.seed)
            blocks = tuple(args.blocks)
            network, average = (_channels_last(PriorModule(blocks=blocks)) for _ in range(2))
        if args.start is not None:
            with taking_up(args.start):
                network.load_state_dict(grown(load(str(args.start)).state_dict(), network))
        average.load_state_dict(network.state_dict())
        fused = args.device == "cuda"
        adam = torch.optim.Adam(network.parameters(), args.rate, (0.9, 0.99), fused=fused)
        return cls(network, average, adam)

    def follow(self, decay: float) -> None:
        """Move the averaged weights towards the current ones, and count the step."""
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        with torch.no_grad():
            for kept, new in pairs:
                kept.lerp_(new, 1 - min(decay, self.step / (self.step + 10)))
        self.step += 1

    def save(self, out: Path) -> None:
        """Write the checkpoint and the averaged weights, as float16, each in one move."""
        names = ("network", "average", "optimiser")
        parts = {name: getattr(self, name).state_dict() for name in names}
        part = out.with_suffix(".part")
        torch.save({**parts, "step": self.step, "elapsed": self.elapsed}, part)
        part.replace(out.with_suffix(".pt"))
        average = self.average.state_dict().items()
        save_file({name: value.half().cpu().contiguous() for name, value in average}, part)
        part.replace(out.with_suffix(".safetensors"))

    def load(self, out: Path, device: str) -> None:
        """Take up a checkpoint."""
        with taking_up(out.with_suffix(".pt")) as path:
            parts = torch.load(path, map_location=device, weights_only=True)
            for name in ("network", "average", "optimiser"):
                getattr(self, name).load_state_dict(parts[name])
            self.step, self.elapsed = int(parts["step"]), float(parts["elapsed"])


def packed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights as 8 bits and a scale for each filter; biases and `_EXACT` ones as float16."""
    out = {}
    for name, value in weights.items():
        short = value.ndim > 1 and not name.startswith(_EXACT)
        if short:
            scale = (value.flatten(1).abs().amax(1).clamp(min=1e-4) / 127).half()
            out[f"{name}.scale"] = scale.cpu()
            value = (value / scale.float().view(-1, 1, 1, 1)).round().clamp(-127, 127)
        out[name] = value.to(torch.int8 if short else torch.half).cpu().contiguous()
    return out


@contextlib.contextmanager
def taking_up(path: Path) -> Iterator[Path]:
    """End the program with a line about a file that does not hold what it should."""
    try:
        yield path
    except Exception:
        raise SystemExit(f"{path} is damaged or of another network: copy it again") from None


def fit(args: argparse.Namespace) -> None:
    """Train until `args.hours` have passed."""
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    shared = args.device == "cpu"  # by all processes
    kept = torch.load(args.pool, map_location=args.device, weights_only=True, mmap=shared)
    pool = Pool(kept)
    with torch.device(args.device):  # all that is made inside lies there
        _fit(args, pool)


def _fit(args: argparse.Namespace, pool: Pool) -> None:
    """Take steps, average the weights, log and save."""
    state = State.fresh(args)
    if args.resume and args.out.with_suffix(".pt").exists():
        state.load(args.out, args.device)
    if args.device != "cpu":
        pad_by_joining(state.network)
    draws = Generator(args.device).manual_seed(args.seed + state.step + 10**6 * args.rank)
    losses: list[Tensor] = []
    state.last = logged = saved = time.perf_counter()
    while state.elapsed < 3600 * args.hours:
        losses.append(_step(args, state, pool, draws))
        state.follow(args.ema)
        if args.rank or state.step % _LOG_EVERY:
            continue
        now = time.perf_counter()
        loss = 10 / math.log(10) * float(torch.stack(losses).mean())
        pace = _LOG_EVERY * args.workers * args.batch / (now - logged)
        minutes = f"{state.elapsed / 60:.1f} min"
        print(f"step {state.step} {minutes} loss {loss:.3f} dB {pace:.0f} patches/s", flush=True)
        losses, logged = [], now
        if now - saved > _SAVE_EVERY:
            state.save(args.out)
            saved = now
    if args.rank == 0:
        state.save(args.out)


def _step(args: argparse.Namespace, state: State, pool: Pool, draws: Generator) -> Tensor:
    """Take one step and return its loss."""
    progress = state.elapsed / (3600 * args.hours)
    large = progress > args.large_after
    count, size = (args.batch // 4, _LARGE) if large else (args.batch, _SMALL)
    with torch.no_grad():
        clean, noisy = simulate(pool.draw(count, size, draws), draws, args.noise)
        clean, noisy = standardise_as_in_use(clean, noisy, draws)
    # Half precision learns as well while steps are coarse; the last ones are to be exact.
    with torch.autocast(args.device, torch.bfloat16, enabled=progress < args.exact_after):
        out = state.network(noisy)
    loss = relative_loss(out.float(), clean, noisy)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(args.rate, state.step, progress)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    now = time.perf_counter()  # all go by one clock, or their rates would differ
    gradients = [weight.grad for weight in state.network.parameters()]
    state.elapsed += averaged(gradients, now - state.last)
    state.last = now
    if torch.isfinite(nn.utils.clip_grad_norm_(state.network.parameters(), args.clip)):
        state.optimiser.step()
    return loss.detach()


def pairs(folder: Path, sigma: int | None, limit: int | None) -> list[tuple[Tensor, Tensor]]:
    """Return clean and noisy images (1, C, H, W) of a set, at most `limit`, evenly spread."""
    paths = sorted((folder / "clean").glob("*"))
    if limit is not None and limit < len(paths):
        paths = [paths[i] for i in np.linspace(0, len(paths) - 1, limit).round().astype(int)]
    result = []
    for path in paths:
        clean = _read(path)
        if sigma is None:
            noisy = _read(folder / "noisy" / path.name)
        else:
            noise = np.random.default_rng(0).standard_normal(clean.shape)
            noisy = (clean + sigma / 255 * noise).astype(np.float32)
        both = (torch.from_numpy(np.atleast_3d(a)).permute(2, 0, 1)[None] for a in (clean, noisy))
        result.append(tuple(both))
    return result


def _read(path: Path) -> np.ndarray:
    """Read an image as float32 in [0, 1], (H, W) or (H, W, 3)."""
    return np.asarray(Image.open(path)).astype(np.float32) / 255


def psnr(clean: Tensor, other: Tensor) -> float:
    """Compare floats clipped to [0, 1], decibels."""
    return float(-10 * (clean - other.clamp(0, 1)).double().square().mean().log10())


def denoise(network: nn.Module, y: Tensor) -> Tensor:
    """Denoise images (N, C, H, W) of any intensity scale with one forward pass."""
    # Each channel has its own mean; one deviation for all keeps their relation.
    mean = y.mean((-2, -1), keepdim=True)
    std = (y - mean).square().mean((-3, -2, -1), keepdim=True).sqrt()
    return AnyChannels(network)((y - mean) / std.clamp(min=1e-12)) * std + mean


def evaluate(args: argparse.Namespace) -> None:
    """Print for every set what one pass of the network reaches."""
    torch.set_num_threads(args.threads)
    network = load(args.weights)
    print(f"{'set':9} {'images':>6} {'noisy':>6} {'out':>6} {'worse':>5} {'s/image':>7}")
    for name in args.sets:
        images = pairs(args.data / name, SETS[name], args.limit)
        start = time.perf_counter()
        with torch.inference_mode():
            after = np.array([psnr(clean, denoise(network, noisy)) for clean, noisy in images])
        seconds = (time.perf_counter() - start) / len(images)
        before = np.array([psnr(clean, noisy) for clean, noisy in images])
        print(
            f"{name:9} {len(images):6d} {before.mean():6.2f} {after.mean():6.2f} "
            f"{int((after < before).sum()):5d} {seconds:7.2f}",
            flush=True,
        )


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    _add_fit(commands.add_parser("fit", help="train"))
    _add_evaluate(commands.add_parser("evaluate", help="measure on images"))
    _add_pack(commands.add_parser("pack", help="store weights in 8 bits"))
    args = parser.parse_args()
    args.run(args)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fit`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    add = parser.add_argument
    add("--photographs", type=Path, required=True, help="folder of clean images")
    add("--pool", type=Path, required=True, help="file of cut patches; made if new")
    add("--patches", type=int, default=60_000, help="to cut, 49 kB each")
    add("--out", type=Path, required=True, help="weights and checkpoint, without extension")
    add("--start", type=Path, help="safetensors file of weights to start from")
    add("--resume", action="store_true", help="go on from the checkpoint")
    add(
        "--noise",
        choices=tuple(MIXTURES),
        default="mixed",
        help="gaussian is white noise alone; grey has no colours",
    )
    add("--hours", type=float, default=1.5, help="length of the schedule")
    add("--rate", type=float, default=1e-3, help="peak learning rate")
    add("--clip", type=float, default=1.0, help="largest norm of the gradient")
    add("--ema", type=float, default=0.999, help="decay of the averaged weights")
    add("--batch", type=int, help="patches per step and process, a multiple of 4")
    share = "share of the time after which "
    add("--large-after", type=float, default=0.7, help=share + "patches are large and fewer")
    add("--exact-after", type=float, default=0.9, help=share + "float32 replaces bfloat16")
    add("--blocks", type=int, nargs="+", default=list(BLOCKS), help="at each resolution")
    add("--device", choices=tuple(_BATCH), default=device)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--workers", type=int, default=1, help="processes, each with a batch; of one thread, best")
    add("--seed", type=int, default=0)
    parser.set_defaults(run=_fit_as_asked)


def _fit_as_asked(args: argparse.Namespace) -> None:
    """Cut patches where there are none; train in the device's usual batches by default."""
    args.batch = args.batch or _BATCH[args.device]
    if not args.pool.exists():
        cut(load_photographs(args.photographs), args.patches, args.pool)
    start(fit, args)


def _add_pack(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pack`."""
    parser.add_argument("weights", type=Path, help="safetensors file, rewritten")
    parser.set_defaults(run=lambda args: save_file(packed(load_file(args.weights)), args.weights))


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of sets, each with clean and noisy")
    add("--weights", default="colour", help="colour, grey, white, score or a safetensors file")
    add("--sets", nargs="+", default=list(SETS), choices=SETS)
    add("--limit", type=int, help="images per set")
    add("--threads", type=int, default=1)
    parser.set_defaults(run=evaluate)


if __name__ == "__main__":
    main()
