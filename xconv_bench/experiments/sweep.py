"""The settings of a sweep, and the configurations that they stand for."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.methods import find_method


@dataclass(frozen=True)
class Sweep:
    """Values of each setting; every combination that makes sense is a configuration.

    No ``image_sizes`` means each model's own. Each scheme takes the ``bits`` that it can have, and
    None stands for its default.
    """

    models: tuple[str, ...]
    methods: tuple[str, ...] = ("exact", "xconv")
    schemes: tuple[str, ...] = ("independent",)
    probes: tuple[int, ...] = (8,)
    distributions: tuple[str, ...] = ("rademacher",)
    compress: tuple[str, ...] = ("conv,relu",)
    first: tuple[str, ...] = ("exact",)
    allot: tuple[str | None, ...] = (None,)
    segments: tuple[int | None, ...] = (None,)
    keep: tuple[float, ...] = (0.1,)
    bits: tuple[float | None, ...] = (None,)
    budgets: tuple[float, ...] = (0.5,)
    norm_bits: tuple[int, ...] = (4,)
    plans: tuple[str | None, ...] = (None,)
    batch_sizes: tuple[int, ...] = (32,)
    image_sizes: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    devices: tuple[str, ...] = ("cpu",)
    seed: int = 0

    def configurations(self, designed_sizes: Mapping[str, int]) -> list[Configuration]:
        """Each once; those that are compared with each other stand next to each other.

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
        """Combinations of the settings that this method reads."""
        values = {
            "scheme": self.schemes,
            "probes": self.probes,
            "distribution": self.distributions,
            "compress": self.compress,
            "first": self.first,
            "allot": self.allot,
            "segments": self.segments,
            "keep": self.keep,
            "bits": self.bits,
            "budget": self.budgets,
            "norm_bits": self.norm_bits,
            "plan": self.plans,
        }
        chosen = find_method(method)
        names = [name for name in values if name in chosen.knobs]
        for combination in itertools.product(*(values[name] for name in names)):
            knobs = dict(zip(names, combination, strict=True))
            if chosen.takes(knobs):
                yield chosen.settle(knobs)
