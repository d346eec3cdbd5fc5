"""What a fit has learned, as tensors by name: to start the fit of another plane from."""

from collections.abc import Mapping

from torch import Tensor, nn

from zspot.recipe.fills import RunningFill

Weights = Mapping[str, Tensor]


def take(network: nn.Module, fill: RunningFill) -> Weights:
    """Return the weights of a network and of what its fill has learned beside it, on the CPU."""
    return {
        f"{part}.{name}": value.detach().cpu()
        for part, module in _modules(network, fill).items()
        for name, value in module.state_dict().items()
    }


def put(weights: Weights, network: nn.Module, fill: RunningFill) -> None:
    """Copy weights that `take` returned into a network and a fill of the same recipe."""
    for part, module in _modules(network, fill).items():
        start = f"{part}."
        own = {name[len(start) :]: v for name, v in weights.items() if name.startswith(start)}
        module.load_state_dict(own)


def _modules(network: nn.Module, fill: RunningFill) -> dict[str, nn.Module]:
    return {"network": network, **fill.modules}
