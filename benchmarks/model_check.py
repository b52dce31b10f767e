"""A check of one network: converted, trained for a step and reverted, with nothing lost."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from xconv import convert, revert
from xconv_bench.data import batch
from xconv_bench.measurement.training import Training
from xconv_bench.meters.gradient import CONVOLUTIONS, SameRandomNumbers
from xconv_bench.models import Architecture

_SEED = 0
_ROUNDING = 1e-3
"""Error of a gradient, relative to its norm, above which it is not explained by rounding."""
_ROUNDING_OF_ZERO = 1e-8
"""The same bound for gradients that are zero up to rounding.

Gradients of biases before a softmax are. It is relative to the largest norm of a gradient of the
network.
"""


class CheckFailed(Exception):
    """Raised with the check that failed, in one line."""


@dataclass(frozen=True)
class _Original:
    """A network's classes, weights and outputs before it was converted."""

    classes: list[type[nn.Module]]
    state: dict[str, Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True)
class _Step:
    """The loss of a step and the gradients that it leaves in the parameters, by name."""

    loss: Tensor
    gradients: dict[str, Tensor]


def check(
    architecture: Architecture, image_size: int, batch_size: int = 2, probes: int = 8
) -> None:
    """Raise CheckFailed unless converting changes only weight gradients of convolutions.

    These are equal bit for bit: outputs in evaluation mode and the loss of a training step,
    converted against exact; and classes, weights and outputs after ``revert`` against those before
    ``convert``. Gradients of parameters outside of convolutions are equal up to rounding.
    """
    torch.manual_seed(_SEED)
    model = architecture.build(image_size)
    samples = batch(architecture, batch_size, image_size, torch.float32, "cpu", _SEED)
    training = Training.of(model, samples, architecture.objective)
    original = _remember(training)
    exact = _step(training, without=_of_convolutions(model))
    model.load_state_dict(original.state)
    convert(model, probes=probes)
    _require(_equal(_outputs(training), original.outputs), "other outputs once converted")
    _check_step(_step(training), exact)
    _check_update(model, original)
    revert(model)
    _require(_classes(model) == original.classes, "other classes once reverted")
    model.load_state_dict(original.state)
    _require(_has(model, original.state), "other weights once reverted")
    _require(_equal(_outputs(training), original.outputs), "other outputs once reverted")


def _check_step(probed: _Step, exact: _Step) -> None:
    _require(torch.equal(probed.loss, exact.loss), "another loss in training")
    for name, gradient in probed.gradients.items():
        _require(bool(gradient.isfinite().all()), f"the gradient of {name} is not finite")
    norms = {name: float(gradient.norm()) for name, gradient in exact.gradients.items()}
    least = _ROUNDING_OF_ZERO * max(norms.values(), default=0.0)
    for name, gradient in exact.gradients.items():
        error = float((probed.gradients[name] - gradient).norm())
        same = error <= _ROUNDING * norms[name] + least
        _require(same, f"the gradient of {name}, norm {norms[name]:.1e}, is off by {error:.1e}")


def _check_update(model: nn.Module, original: _Original) -> None:
    """Raise CheckFailed unless a step of SGD leads to other weights, all finite."""
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    parameters = dict(model.named_parameters())
    _require(all(p.isfinite().all() for p in parameters.values()), "weights that are not finite")
    moved = (not torch.equal(p, original.state[name]) for name, p in parameters.items())
    _require(any(moved), "the same weights after a training step")


def _remember(training: Training) -> _Original:
    state = copy.deepcopy(training.model.state_dict())  # its metadata too
    return _Original(_classes(training.model), state, _outputs(training))


def _classes(model: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in model.modules()]


def _has(model: nn.Module, state: dict[str, Tensor]) -> bool:
    found = model.state_dict()
    return list(found) == list(state) and _equal(list(found.values()), list(state.values()))


def _outputs(training: Training) -> list[Tensor]:
    training.model.eval()
    with torch.no_grad():
        return tree_leaves(training.batch.run(training.model))


def _step(training: Training, without: frozenset[str] = frozenset()) -> _Step:
    training.model.train()
    training.zero_grad()
    with SameRandomNumbers(_SEED):
        loss = training.forward()
        training.backward(loss)
    gradients = {
        name: parameter.grad
        for name, parameter in training.model.named_parameters()
        if parameter.grad is not None and name not in without
    }
    return _Step(loss.detach(), gradients)


def _of_convolutions(model: nn.Module) -> frozenset[str]:
    """Return the names of the parameters of all convolutions."""
    own = {id(p) for m in model.modules() if isinstance(m, CONVOLUTIONS) for p in m.parameters()}
    return frozenset(name for name, p in model.named_parameters() if id(p) in own)


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CheckFailed(otherwise)
