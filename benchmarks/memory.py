"""Peak memory of each method, for the estimates in `zspot.engine.budget`.

    python -m benchmarks.memory [--methods bsn-ins,auto] [--sides 256,512]

Each run is a process of its own, with few steps: what it adds to it at its peak, per pixel.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

_CHILD = """
import resource, sys, torch
from dataclasses import replace
import zspot
from zspot.engine import budget
from zspot.engine.denoiser import from_recipe
name, side, channels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
y = torch.randn(channels, side, side, generator=torch.Generator().manual_seed(0))
y = y + 3 * y.mean(0, keepdim=True).cumsum(1) / side**0.5
y = (y - y.mean()) / y.std()
made = zspot.methods()[name].make("balanced")
estimate = 0
if isinstance(made, zspot.Recipe):
    made = replace(made, fit=replace(made.fit, steps=2), predict=replace(made.predict, passes=1))
    planned, _ = budget.plan(made, y.shape)
    estimate = budget.needed(planned, y.shape) - budget.resident()
    made = from_recipe(made)
before = budget.resident()
made(y, seed=0)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(round((peak - before) / side**2), round(estimate / side**2))
"""


def main() -> None:
    import zspot

    names = [name for name, m in zspot.methods().items() if not m.needs_second]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(names))
    parser.add_argument("--sides", default="256,512")
    parser.add_argument("--channels", default="1,3")
    arguments = parser.parse_args()
    print(f"{'method':14} channels  side  bytes/pixel  estimated", flush=True)
    for name in arguments.methods.split(","):
        for channels in arguments.channels.split(","):
            for side in arguments.sides.split(","):
                words = [sys.executable, "-c", _CHILD, name, side, channels]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                said = done.stdout.split() or done.stderr.strip().splitlines()[-1:]
                shown = (
                    said[0] if said[1] == "0" else f"{float(said[0]):11.0f} {float(said[1]):10.0f}"
                )
                print(f"{name:14} {channels:>8} {side:>5}  {shown}", flush=True)


if __name__ == "__main__":
    main()
