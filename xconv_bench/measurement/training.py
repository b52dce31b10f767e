"""A network, a batch and a loss: what a training step is made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv.contents import buffers, modules, parameters
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.data import Batch, batch, simulated_batch
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.compiled import is_compiled
from xconv_bench.meters.gradient import CONVOLUTIONS
from xconv_bench.methods import find_method
from xconv_bench.models import Architecture, find
from xconv_bench.models.preparing import cast, clear_gradients, move, run_once, train
from xconv_bench.objectives import Objective
from xconv_bench.randomness import repeatable_entropy, seed_generators


@dataclass(frozen=True)
class Training:
    """The parts of a step, as the paper measures it: the optimizer's own step is outside.

    ``remarks`` holds what is to be said of the loss, from the first forward pass on.
    """

    model: nn.Module
    batch: Batch
    objective: Objective
    remarks: list[str] = field(default_factory=list)

    def forward(self) -> Tensor:
        """The loss, a scalar with its graph."""
        with repeatable_entropy():
            output = self.model(self.batch.input)
        if not self.remarks:
            self.remarks.append(self.objective.remark(output, self.batch.target))
        return self.objective.loss(output, self.batch.target)

    def zero_grad(self) -> None:
        """Let go of the gradients of the step before."""
        clear_gradients(self.model)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradients in the parameters."""
        with repeatable_entropy():  # for what runs a second time
            loss.backward()

    def step(self) -> None:
        """Forward, loss, zero_grad, backward."""
        loss = self.forward()
        self.zero_grad()
        self.backward(loss)

    def size(self) -> dict[str, int]:
        """Parameters and convolutions of the network, as columns of a row."""
        return {
            "parameters": sum(p.numel() for p in parameters(self.model)),
            "convolutions": sum(isinstance(m, CONVOLUTIONS) for m in modules(self.model)),
        }

    def state(self) -> Iterator[Tensor]:
        """Parameters and buffers."""
        yield from parameters(self.model)
        yield from buffers(self.model)

    def remark(self) -> str:
        """Return what is to be said of the loss after a step; nothing where it is a given one."""
        words = [words for words in self.remarks if words]
        if words:
            trained = [p for p in parameters(self.model) if p.requires_grad]
            without = sum(p.grad is None for p in trained)
            if without:
                words.append(f"{without} of {len(trained)} parameters get no gradient from it")
        return "; ".join(words)


def prepare(configuration: Configuration, samples: Batch | None = None) -> Training:
    """Build the network, turn it into the method's form and give it its batch.

    The weights follow from the configuration's seed, and so do ``samples`` that are not given.
    Raises UsageError for a model that does not exist, Unsupported where the method cannot be
    applied to it. A configuration that is to be simulated is really prepared, on the CPU.
    """
    architecture, model = place(configuration)
    samples = samples or batch(
        architecture,
        configuration.batch_size,
        configuration.image_size,
        dtype_of(configuration),
        _device_of(configuration),
        configuration.seed,
    )
    return Training(model, samples, architecture.objective)


def place(configuration: Configuration) -> tuple[Architecture, nn.Module]:
    """Build the network as ``prepare`` does, on its device."""
    architecture, model = build(configuration)
    move(model, _device_of(configuration))
    return architecture, model


def _device_of(configuration: Configuration) -> str:
    return "cpu" if configuration.device == SIMULATED else configuration.device


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
    for module in modules(model):
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = mode.from_tensor(tensor)  # type: ignore[assignment]
    with mode:
        samples = simulated_samples(configuration)
    return Training(model, samples, architecture.objective)


def simulated_samples(configuration: Configuration) -> Batch:
    """A batch without contents, of the mode that is entered."""
    return simulated_batch(
        find(configuration.model),
        configuration.batch_size,
        configuration.image_size,
        dtype_of(configuration),
    )


def remark(training: Training, configuration: Configuration) -> str:
    """What the method says of its network after a step, and the objective of its loss."""
    method = find_method(configuration.method)
    said = (method.remark(training.model, configuration), training.remark())
    return "; ".join(filter(None, said))


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
    with repeatable_entropy():
        seed_generators(configuration.seed)
        architecture = find(configuration.model)
        seed_generators(configuration.seed)  # the file may have drawn, and is run only once
        model = architecture.build(configuration.image_size)
        _give_shapes(model, architecture.sample_shape(configuration.image_size), configuration)
    if load is not None:
        load(model)
    model = find_method(configuration.method).apply(model, configuration)
    cast(model, dtype_of(configuration))
    train(model)
    return architecture, model


def _give_shapes(
    model: nn.Module, sample_shape: tuple[int, ...], configuration: Configuration
) -> None:
    """Run a network with lazy modules once, so that all of its parameters exist.

    With one sample, or with a batch where it does not take a single one.
    """
    if any(nn.parameter.is_lazy(parameter) for parameter in parameters(model)):
        try:
            run_once(model, torch.zeros(1, *sample_shape))
        except Exception:
            run_once(model, torch.zeros(configuration.batch_size, *sample_shape))
