"""A network, a batch and a loss: what a training step is made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.data import Batch, Task, batch, simulated_batch
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.compiled import is_compiled
from xconv_bench.meters.gradient import CONVOLUTIONS
from xconv_bench.methods import METHODS
from xconv_bench.models import Architecture, find


@dataclass(frozen=True)
class Training:
    """The parts of a step, as the paper measures it: the optimizer's own step is outside."""

    model: nn.Module
    batch: Batch
    task: Task

    def forward(self) -> Tensor:
        """The loss, a scalar with its graph."""
        return self.task.loss(self.model(self.batch.input), self.batch.target)

    def zero_grad(self) -> None:
        """Let go of the gradients of the step before."""
        self.model.zero_grad(set_to_none=True)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradients in the parameters."""
        loss.backward()

    def step(self) -> None:
        """Forward, loss, zero_grad, backward."""
        loss = self.forward()
        self.zero_grad()
        self.backward(loss)

    def size(self) -> dict[str, int]:
        """Parameters and convolutions of the network, as columns of a row."""
        return {
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "convolutions": sum(isinstance(m, CONVOLUTIONS) for m in self.model.modules()),
        }

    def state(self) -> Iterator[Tensor]:
        """Parameters and buffers."""
        yield from self.model.parameters()
        yield from self.model.buffers()


def prepare(configuration: Configuration) -> Training:
    """Build the network, turn it into the method's form and give it its batch.

    The weights follow from the configuration's seed, the samples too. Raises UsageError for a
    model that does not exist, Unsupported where the method cannot be applied to it. A
    configuration that is to be simulated is really prepared, on the CPU.
    """
    architecture, model = build(configuration)
    device = "cpu" if configuration.device == SIMULATED else configuration.device
    samples = batch(
        architecture,
        configuration.batch_size,
        configuration.image_size,
        dtype_of(configuration),
        device,
        configuration.seed,
    )
    return Training(model.to(device), samples, architecture.task)


def prepare_simulated(configuration: Configuration, mode: FakeTensorMode) -> Training:
    """The same with shapes and dtypes, and nothing in them.

    The network is built for real first, since what builds it may read its own numbers, and in its
    final dtype, since the parameters of a fake network cannot be exchanged. Raises Unsupported for
    a network that is compiled: its kernels know no tensors without contents.
    """
    architecture, model = build(configuration)
    if is_compiled(model):
        raise Unsupported(
            f"{configuration.model} is compiled, and compiled networks cannot be simulated: return "
            "it as it was before torch.compile"
        )
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = mode.from_tensor(tensor)  # type: ignore[assignment]
    with mode:
        samples = simulated_samples(configuration)
    return Training(model, samples, architecture.task)


def simulated_samples(configuration: Configuration) -> Batch:
    """A batch without contents, of the mode that is entered."""
    return simulated_batch(
        find(configuration.model),
        configuration.batch_size,
        configuration.image_size,
        dtype_of(configuration),
    )


def remark(training: Training, configuration: Configuration) -> str:
    """What the method says of its network after a step."""
    return METHODS[configuration.method].remark(training.model, configuration)


def dtype_of(configuration: Configuration) -> torch.dtype:
    """torch's dtype of that name."""
    dtype: torch.dtype = getattr(torch, configuration.dtype)
    return dtype


def build(
    configuration: Configuration, load: Callable[[nn.Module], None] | None = None
) -> tuple[Architecture, nn.Module]:
    """The network in the method's form and final dtype, in training mode, on the CPU.

    Its weights follow from the seed, unless ``load`` puts others into the exact network. Raises as
    ``prepare`` does.
    """
    torch.manual_seed(configuration.seed)
    architecture = find(configuration.model)
    model = architecture.build(configuration.image_size)
    _give_shapes(model, architecture.sample_shape(configuration.image_size))
    if load is not None:
        load(model)
    model = METHODS[configuration.method].apply(model, configuration)
    return architecture, model.to(dtype_of(configuration)).train()


def _give_shapes(model: nn.Module, sample_shape: tuple[int, ...]) -> None:
    """Run a network with lazy modules once, so that all of its parameters exist."""
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        with torch.no_grad():
            model.eval()(torch.zeros(1, *sample_shape))
