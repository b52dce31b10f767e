"""Checkpointing: keep what enters each block of a network, compute the rest again in backward.

Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174;
``torch.utils.checkpoint``, its non-reentrant form. Gradients are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import groupby
from math import ceil, sqrt
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.checkpoint import checkpoint

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import CHANGING_LAYERS, Method
from xconv_bench.methods.calls import wrap_call
from xconv_bench.methods.side_effects import call_without_side_effects
from xconv_bench.models.blocks import is_layer, runs_of_blocks
from xconv_bench.models.running_statistics import not_updated
from xconv_bench.naming import model_words

Segment = list[nn.Module]
"""Modules that run one after the other, and are computed again together."""


class Checkpointing(Method):
    """Checkpoints the natural blocks of a network, or as many segments as ``segments`` says."""

    name = "checkpoint"
    follows = CHANGING_LAYERS
    knobs = ("segments",)

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model: same modules, of which some have another ``forward`` function.

        Each of several ``segments`` has about as many blocks, and none goes beyond a sequence.
        Unsupported where there is nothing to checkpoint.
        """
        runs = runs_of_blocks(model)
        if not runs:
            raise Unsupported(
                f"{model_words(configuration.model)} has no blocks to checkpoint: neither a "
                "sequence of modules nor a module of several layers"
            )
        size = None
        if configuration.segments:
            size = ceil(sum(len(run.blocks) for run in runs) / configuration.segments)
        for run in runs:
            if run.container is None:
                (block,) = run.blocks
                if not _overwrites(block):
                    wrap_call(block, partial(_checkpointed, modules=[block]))
            else:
                run.container.forward = _chain(  # type: ignore[method-assign]
                    list(_segments(run.blocks, size))
                )
        return model


def _chain(segments: Sequence[Segment]) -> Callable[[Any], Any]:
    """Run the forward pass of a sequence, segment by segment."""
    steps = [_step(segment) for segment in segments]

    def forward(input: Any) -> Any:
        for step in steps:
            input = step(input)
        return input

    return forward


def _step(segment: Segment) -> Callable[[Any], Any]:
    run = nn.Sequential(*segment).forward
    # A module that overwrites its input cannot be computed from it a second time.
    return run if _overwrites(segment[0]) else _checkpointed(run, segment)


def _checkpointed(run: Callable[..., Any], modules: Sequence[nn.Module]) -> Callable[..., Any]:
    """Return ``run`` with nothing kept but its arguments; ``modules`` are the ones it runs.

    Raises Unsupported, when it is called, where it changes what it is called with.
    """

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return run(*args, **kwargs)
        # Flat: the caller's list may be longer by the time of the backward pass, as DenseNet's is.
        leaves, structure = tree_flatten((args, kwargs))

        def run_flat(*leaves: Any) -> Any:
            args, kwargs = tree_unflatten(leaves, structure)
            return call_without_side_effects(run, modules, args, kwargs)

        return checkpoint(
            run_flat,
            *leaves,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), not_updated(modules)),
        )

    return forward


def _segments(blocks: Sequence[nn.Module], size: int | None) -> Iterator[Segment]:
    """Group ``size`` blocks; without it each block alone, and the layers between by some.

    Among n layers in a row, √n make a segment, which takes least memory.
    """
    if size is not None:
        yield from _cut(blocks, size)
        return
    for are_layers, group in groupby(blocks, is_layer):
        modules = list(group)
        yield from _cut(modules, ceil(sqrt(len(modules))) if are_layers else 1)


def _cut(modules: Sequence[nn.Module], size: int) -> Iterator[Segment]:
    """Group ``size`` modules, and with them those behind that overwrite their input."""
    segment: Segment = []
    for module in modules:
        if len(segment) >= size and not _overwrites(module):
            yield segment
            segment = []
        segment.append(module)
    yield segment


def _overwrites(module: nn.Module) -> bool:
    """Return whether it changes its input, as far as one can see that from outside."""
    while isinstance(module, nn.Sequential) and len(module):
        module = module[0]
    return bool(getattr(module, "inplace", False))
