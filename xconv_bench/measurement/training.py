"""Training steps: a network, a batch and a loss."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_iter

from xconv.contents import buffers, modules, parameters
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.data import Batch, simulated_batch
from xconv_bench.data.batches import arguments, batch_of
from xconv_bench.data.own_inputs import placed
from xconv_bench.errors import Unsupported
from xconv_bench.events import joined
from xconv_bench.measurement.compiled import is_compiled
from xconv_bench.meters.gradient import CONVOLUTIONS
from xconv_bench.methods import find_method
from xconv_bench.models import Architecture, find
from xconv_bench.models.preparing import cast, clear_gradients, move, run_once, train
from xconv_bench.naming import model_words
from xconv_bench.objectives import Objective
from xconv_bench.randomness import repeatable_entropy, seed_generators

Loss = Callable[[nn.Module, Any], Tensor]
"""Returns the loss of a network for a batch, a scalar with its graph."""


@dataclass(frozen=True)
class Training:
    """The parts of a step, as the paper measures it: the optimizer's own step is outside.

    ``batch`` holds tensors in the form that ``loss`` takes: a ``Batch``, or tensors by name.
    ``remarks`` holds words on the loss, from the first forward pass on.
    """

    model: nn.Module
    batch: Any
    loss: Loss
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, model: nn.Module, batch: Batch, objective: Objective, remarks: list[str] | None = None
    ) -> Self:
        """Return the step of a network with an objective; ``remarks`` may be shared by several."""
        remarks = [] if remarks is None else remarks
        return cls(model, batch, partial(_loss, objective, remarks), remarks)

    @property
    def device(self) -> torch.device:
        """Return the device of the batch."""
        return next(each.device for each in tree_iter(self.batch) if isinstance(each, Tensor))

    def forward(self) -> Tensor:
        """Return the loss, a scalar with its graph."""
        with repeatable_entropy():
            return self.loss(self.model, self.batch)

    def zero_grad(self) -> None:
        """Let go of the gradients of the step before."""
        clear_gradients(self.model)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradients in the parameters."""
        with repeatable_entropy():  # for what runs a second time
            loss.backward()

    def step(self) -> Tensor:
        """Run forward, loss, zero_grad and backward; return the loss without its graph."""
        loss = self.forward()
        self.zero_grad()
        self.backward(loss)
        return loss.detach()

    def size(self) -> dict[str, int]:
        """Return the numbers of parameters and convolutions, as columns of a row."""
        return {
            "parameters": sum(p.numel() for p in parameters(self.model)),
            "convolutions": sum(isinstance(m, CONVOLUTIONS) for m in modules(self.model)),
        }

    def state(self) -> Iterator[Tensor]:
        """Yield parameters and buffers."""
        yield from parameters(self.model)
        yield from buffers(self.model)

    def remark(self) -> str:
        """Return a remark on the loss after a step; empty where the loss is a given one."""
        words = [words for words in self.remarks if words]
        if words:
            trained = [p for p in parameters(self.model) if p.requires_grad]
            without = sum(p.grad is None for p in trained)
            if without:
                words.append(f"{without} of {len(trained)} parameters get no gradient from it")
        return joined(*words)


def prepare(configuration: Configuration, samples: Batch | None = None) -> Training:
    """Build the network, turn it into the method's form and give it its batch.

    The weights follow from the configuration's seed, and so do ``samples`` that are not given.
    Raises UsageError for a model that does not exist, Unsupported where the method cannot be
    applied to it. A configuration that is to be simulated is really prepared, on the CPU.
    """
    architecture, model = place(configuration)
    samples = samples or synthetic_batch(architecture, configuration)
    return Training.of(model, samples, architecture.objective)


def synthetic_batch(
    architecture: Architecture, configuration: Configuration, number: int = 0
) -> Batch:
    """Return a batch of random numbers; batches of other numbers have other samples."""
    size = configuration.batch_size
    return batch_of(
        architecture,
        range(number * size, (number + 1) * size),
        configuration.image_size,
        dtype_of(configuration),
        _device_of(configuration),
        configuration.seed,
    )


def place(configuration: Configuration) -> tuple[Architecture, nn.Module]:
    """Build the network as ``prepare`` does, on its device."""
    architecture, model = build(configuration)
    move(model, _device_of(configuration))
    return architecture, model


def _device_of(configuration: Configuration) -> str:
    return "cpu" if configuration.device == SIMULATED else configuration.device


@dataclass(frozen=True)
class Setup:
    """A network on the CPU with its loss, and ``empty_batch``: batches of any size, uninitialised.

    ``remarks`` are those of the loss.
    """

    model: nn.Module
    loss: Loss
    empty_batch: Callable[[int], Any]
    remarks: list[str] = field(default_factory=list)


def set_up(configuration: Configuration) -> Setup:
    """Build the network of a configuration, whatever its device, with its objective."""
    architecture, model = build(configuration)
    remarks: list[str] = []
    loss = partial(_loss, architecture.objective, remarks)
    return Setup(model, loss, partial(_empty_batch, configuration), remarks)


def prepare_simulated(
    configuration: Configuration, mode: FakeTensorMode, setup: Setup | None = None
) -> Training:
    """Prepare the same with shapes and dtypes, and nothing in them.

    The network is built for real first, since its own code may read its numbers, and in its
    final dtype, since the parameters of a fake network cannot be exchanged. Raises Unsupported for
    a network that is compiled: its kernels know no tensors without contents.
    """
    setup = setup or set_up(configuration)
    model = setup.model
    if is_compiled(model):
        raise Unsupported(
            f"{model_words(configuration.model)} is compiled, and compiled networks cannot be "
            "simulated: return it as it was before torch.compile"
        )
    for module in modules(model):
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = mode.from_tensor(tensor)  # type: ignore[assignment]
    with mode:
        batch = setup.empty_batch(configuration.batch_size)
    return Training(model, batch, setup.loss, setup.remarks)


def _empty_batch(configuration: Configuration, batch_size: int) -> Batch:
    return simulated_batch(
        find(configuration.model), batch_size, configuration.image_size, dtype_of(configuration)
    )


def _loss(objective: Objective, remarks: list[str], model: nn.Module, batch: Batch) -> Tensor:
    output = batch.run(model)
    if not remarks:
        remarks.append(objective.remark(output, batch.target))
    return objective.loss(output, batch.target)


def remark(training: Training, configuration: Configuration) -> str:
    """Return the remarks of the method on its network after a step, and of the loss."""
    method = find_method(configuration.method)
    return joined(method.remark(training.model, configuration), training.remark())


def dtype_of(configuration: Configuration) -> torch.dtype:
    """Return torch's dtype of that name."""
    dtype: torch.dtype = getattr(torch, configuration.dtype)
    return dtype


def build(
    configuration: Configuration, load: Callable[[nn.Module], None] | None = None
) -> tuple[Architecture, nn.Module]:
    """Build the network in the method's form and final dtype, in training mode, on the CPU.

    Its weights follow from the seed, unless ``load`` puts others into the exact network. Raises as
    ``prepare`` does.
    """
    with repeatable_entropy():
        seed_generators(configuration.seed)
        architecture = find(configuration.model)
        seed_generators(configuration.seed)  # the file may have drawn, and is run only once
        model = architecture.build(configuration.image_size)
        _give_shapes(model, architecture, configuration)
    if load is not None:
        load(model)
    model = find_method(configuration.method).apply(model, configuration)
    cast(model, dtype_of(configuration))
    train(model)
    return architecture, model


def _give_shapes(
    model: nn.Module, architecture: Architecture, configuration: Configuration
) -> None:
    """Run a network with lazy modules once, so that all of its parameters exist.

    With one sample, or with a batch where it does not take a single one.
    """
    if any(nn.parameter.is_lazy(parameter) for parameter in parameters(model)):
        size = configuration.image_size
        if architecture.inputs is not None:
            inputs = placed(architecture.inputs(configuration.batch_size, size), torch.float32)
            positional, named = arguments(inputs)
            run_once(model, *positional, **named)
            return
        sample_shape = architecture.sample_shape(size)
        try:
            run_once(model, torch.zeros(1, *sample_shape))
        except Exception:
            run_once(model, torch.zeros(configuration.batch_size, *sample_shape))
