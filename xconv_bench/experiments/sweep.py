"""The settings of a sweep, and the configurations that they stand for."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.knobs import KNOBS
from xconv_bench.methods import find_method


@dataclass(frozen=True)
class Sweep:
    """Values of each setting; every combination that makes sense is a configuration.

    ``knobs`` holds the values of knobs by their names; a knob without values has its default.
    Each scheme takes those values of its dial that it can have. Without ``image_sizes`` each model
    has its own.
    """

    models: tuple[str, ...]
    methods: tuple[str, ...] = ("exact", "xconv")
    knobs: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    batch_sizes: tuple[int, ...] = (Configuration.batch_size,)
    image_sizes: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = (Configuration.dtype,)
    devices: tuple[str, ...] = (Configuration.device,)
    seed: int = Configuration.seed

    def configurations(self, designed_sizes: Mapping[str, int]) -> list[Configuration]:
        """Return each configuration once; those that are compared stand next to each other.

        ``designed_sizes`` gives each model's own image size in pixels a side.
        """
        cells = [
            Configuration(
                model=model,
                method=method,
                batch_size=batch_size,
                image_size=image_size,
                dtype=dtype,
                device=device,
                seed=self.seed,
                **knobs,
            )
            for model in self.models
            for image_size, batch_size, dtype, device in itertools.product(
                self.image_sizes or (designed_sizes[model],),
                self.batch_sizes,
                self.dtypes,
                self.devices,
            )
            for method in self.methods
            for knobs in self._knobs(method)
        ]
        return list(dict.fromkeys(cells))

    def _knobs(self, method: str) -> Iterator[dict[str, Any]]:
        """Yield the combinations of the knobs that this method reads."""
        chosen = find_method(method)
        names = [name for name in KNOBS if name in chosen.knobs]
        values = [self.knobs.get(name) or KNOBS[name].values() for name in names]
        for combination in itertools.product(*values):
            knobs = dict(zip(names, combination, strict=True))
            if chosen.takes(knobs):
                yield chosen.settle(knobs)
