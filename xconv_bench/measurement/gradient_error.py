"""The error of a method's weight gradients in one step, held against the exact network."""

from __future__ import annotations

import gc
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.data import Batch
from xconv_bench.events import joined
from xconv_bench.measurement.failures import is_out_of_memory
from xconv_bench.measurement.learning import learns, remark_on_inputs
from xconv_bench.measurement.noise import remark_on_noise
from xconv_bench.measurement.repeatable_step import (
    Floor,
    Gradients,
    RepeatableStep,
    words_on_losses,
)
from xconv_bench.measurement.training import dtype_of, place, synthetic_batch
from xconv_bench.meters.gradient import relative_error
from xconv_bench.models import Architecture
from xconv_bench.models.preparing import copy_tensors


def gradient_error(configuration: Configuration) -> dict[str, Any]:
    """Return ``gradient_relative_error``, ``floor_error``, and in ``message`` what to know of them.

    Same weights, same batch, same random numbers, same state; probes follow from the seed alone.
    The exact method is held against itself. No figures where the exact network does not fit. A
    method has learnt from another batch, as ``spectral`` learns its plan.
    """
    gc.collect()  # networks that refer to themselves stay on the device until then
    architecture, method = _step(configuration)
    said = ""
    if configuration.method != "exact":
        earlier = synthetic_batch(architecture, configuration, number=1)
        method.learn(earlier, configuration.seed, configuration.seed)
        del earlier  # the batch that is measured takes its place
        if learns(method.model):
            said = remark_on_inputs(architecture, configuration)
    batch = synthetic_batch(architecture, configuration)
    estimate = _gradients(method, configuration, batch)
    try:
        exact = method
        if configuration.method != "exact":
            _, exact = _step(configuration.as_exact(), like=method)
        first = _gradients(exact, configuration, batch)
        again = _gradients(exact, configuration, batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return {"message": "no gradient error: the exact network does not fit beside this one"}
    floor, dtype = Floor(first, again, exact.lost), dtype_of(configuration)
    relative = relative_error(estimate, first)
    noise = remark_on_noise(relative, floor.error, configuration)
    losses = words_on_losses(exact.loss, method.loss, dtype)
    return {
        "gradient_relative_error": relative,
        "floor_error": floor.error,
        "message": joined(said, noise, floor.words(), losses),
    }


def _step(
    configuration: Configuration, like: RepeatableStep | None = None
) -> tuple[Architecture, RepeatableStep]:
    """Build a network of the configuration, with the weights of another where one is given."""
    architecture, model = place(configuration)
    if like is not None:
        like.put_back()
        copy_tensors(like.model, model)
    return architecture, RepeatableStep(model, architecture.objective)


def _gradients(step: RepeatableStep, configuration: Configuration, batch: Batch) -> Gradients:
    return step.gradients(batch, configuration.seed, configuration.seed)
