"""What a BSN-INS training step costs beside the plain network's, in one run, turn by turn.

    python -m benchmarks.step_cost [--size 256] [--rounds 5] [--threads 1]

A plain step is forward + backward + optimiser of the same network without dropout on the same
image. A BSN-INS step adds the mask, the INR's sample, dropout, the masked loss, and every fifth
time the training of the INR. Rounds of five steps each alternate; the median ratio is printed.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from zspot.algorithms import METHODS
from zspot.engine import runner as engine
from zspot.recipe import Recipe
from zspot.recipe.losses import masked_mean
from zspot.recipe.masks import draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = METHODS["bsn-ins"].make("best")
    assert isinstance(recipe, Recipe)
    shape = (1, 3, arguments.size, arguments.size)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    parts = engine._build(recipe, image, seed=0)
    adam = torch.optim.Adam(parts.network.parameters(), lr=recipe.fit.lr, fused=True)

    def update(loss: torch.Tensor) -> None:
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    def plain(step: int) -> None:
        update((parts.network(image, None) - image).abs().mean())

    def whole(step: int) -> None:
        maps = draw(recipe.mask, image.shape, parts.masking)
        seen = engine.network_input(image, maps.hidden, parts.fill.sample(image, maps.hidden))
        output = parts.network(seen, parts.dropping)
        update(masked_mean(output, image, maps.scored, recipe.loss))
        parts.fill.learn(step, image, maps, output.detach())

    def seconds(work) -> float:
        started = time.perf_counter()
        for step in range(5):
            work(step)
        return (time.perf_counter() - started) / 5

    for work in (plain, whole):
        seconds(work)  # warm-up
    pairs = [(seconds(plain), seconds(whole)) for _ in range(arguments.rounds)]
    ratios = [b / a for a, b in pairs]
    print(
        f"size {arguments.size}, threads {arguments.threads}, {arguments.rounds} rounds of 5 steps"
    )
    print(f"plain step   {statistics.median(a for a, _ in pairs):.3f} s (median)")
    print(f"BSN-INS step {statistics.median(b for _, b in pairs):.3f} s (median)")
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"ratio        {statistics.median(ratios):.3f} (median; {spread})")


if __name__ == "__main__":
    main()
