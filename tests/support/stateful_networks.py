"""Networks whose forward pass depends on more than parameters and input: ``--model FILE:NAME``.

Each scales what it convolves by a number that comes out otherwise in every forward pass.
"""

import itertools
import os
import random
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SIDE = 6

_GENERATOR = np.random.default_rng()
_CALLS = [0]


def name(network: str) -> str:
    """Return the name by which ``--model`` takes one of these networks."""
    return f"{Path(__file__).resolve()}:{network}"


class Scaled(nn.Module):
    """Two convolutions, and between them the number of the class."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3)
        self.relu = nn.ReLU()

    def number(self) -> Any:
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.relu(self.first(image) * (1 + self.number())))


class Counter(Scaled):
    calls = 0

    def number(self) -> float:
        self.calls += 1
        return self.calls / 8


class ClassCounter(Scaled):
    calls = 0

    def number(self) -> float:
        type(self).calls += 1
        return self.calls / 8


class FileCounter(Scaled):
    def number(self) -> float:
        _CALLS[0] += 1
        return _CALLS[0] / 8


class Lists(Scaled):
    """A list within a dictionary within an object, a queue, a set, and an attribute made late."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SimpleNamespace(history={"values": [0.1]})
        self.queue = deque([0.1, 0.2, 0.3], maxlen=3)
        self.seen: set[int] = set()

    def number(self) -> float:
        values = self.state.history["values"]
        values.append(sum(values))
        self.queue.append(values[-1])
        self.seen.add(len(values))
        self.late = getattr(self, "late", 0.0) + 0.2
        return sum(self.queue) + len(self.seen) + self.late


class Iterators(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.counter = itertools.count(1)

    def number(self) -> float:
        return next(self.counter) / 8


class Tensors(Scaled):
    """A buffer that no state_dict has, one that is replaced, a plain tensor, an array."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hidden", torch.zeros(()), persistent=False)
        self.register_buffer("replaced", torch.zeros(()))
        self.plain = torch.zeros(2)
        self.array = np.zeros(2)

    def number(self) -> Tensor:
        self.hidden += 0.1
        self.replaced = self.replaced + 0.1
        self.plain[0] += 0.1
        self.array += 0.1
        return self.hidden + self.replaced + self.plain[0].item() + self.array[1]


class OwnWeights(Scaled):
    """Shrinks its weights in place, and gives one of them other memory."""

    def forward(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            self.first.weight.mul_(0.9)
            self.last.weight.data = self.last.weight.data * 0.9
        return self.last(self.relu(self.first(image)))


class Closure(Scaled):
    def __init__(self) -> None:
        super().__init__()
        calls = 0

        def behind(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return output * calls

        self.first.register_forward_hook(behind)

    def number(self) -> float:
        return 0.0


class Spectral(Scaled):
    """Power iterations of both kinds of spectral normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.old = nn.utils.spectral_norm(nn.Conv2d(4, 4, 3, padding=1))
        self.new = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.new(self.relu(self.old(self.first(image)))))


class GlobalGenerators(Scaled):
    def number(self) -> float:
        return (
            random.random() + np.random.rand() + float(torch.rand(())) + float(torch.randint(9, ()))
        )


class OwnGenerators(Scaled):
    """Generators of all kinds, those without a seed too, in places of all kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.torch = torch.Generator().manual_seed(7)
        self.numpy = np.random.default_rng()
        self.others = [random.Random(), np.random.RandomState()]

    def number(self) -> float:
        mine = float(torch.rand((), generator=self.torch)) + self.numpy.random()
        return mine + self.others[0].random() + self.others[1].rand() + _GENERATOR.random()


class NewGenerators(Scaled):
    """Made in the forward pass, without a seed."""

    def number(self) -> float:
        return np.random.default_rng().random() + random.Random().random()


class DrawnStructure(Scaled):
    """Weights and width that follow from generators other than torch's."""

    def __init__(self) -> None:
        super().__init__()
        width = 2 + int(np.random.default_rng().integers(6))
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.last = nn.Conv2d(width, 2, 3)
        self.scale = random.random() + np.random.rand()

    def number(self) -> float:
        return self.scale


RESTORED = (
    Counter, ClassCounter, FileCounter, Lists, Iterators, Tensors, OwnWeights, Closure, Spectral,
    GlobalGenerators, OwnGenerators, NewGenerators, DrawnStructure,
)  # fmt: skip
"""Networks that can be put back."""


class Entropy(Scaled):
    """Asks the system itself."""

    def number(self) -> float:
        return int.from_bytes(os.urandom(2)) / 2**16


class OneWay(Scaled):
    """Draws from something that cannot be rewound."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = (number / 8 for number in itertools.count(1))

    def number(self) -> float:
        return next(self.stream)


class BuiltOtherwise(Scaled):
    """Counts how many of it were built."""

    built = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).built += 1
        self.scale = float(self.built)

    def number(self) -> float:
        return self.scale
