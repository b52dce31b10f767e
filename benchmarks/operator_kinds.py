"""The kinds of work that a step consists of, by the names of the profiler's events."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from torch.profiler import ProfilerActivity, profile, record_function

from xconv.native.calling import Library
from xconv_bench.measurement.training import Training

PYTHON = "Python and dispatch"
KERNELS = "kernels in C"
OTHERS = "other operators"
KINDS = {
    "convolutions": "conv",
    "matrix products": r"mm$|mm_$|^addmm|dot$|mv$|linear$",
    "random numbers": r"^(random|normal|uniform|bernoulli|rand|randint)_?$|dropout",
    "sums and ranges": r"^(sum|mean|max|min|amax|amin|aminmax|cumsum|var|norm|linalg_vector_norm)$",
    "norms and pooling": "norm|pool",
    "rotations": "linalg_qr|geqrf",
    "copies and indexing": "copy|clone|cat$|stack|index|gather|scatter|pad|fill_|zero_|sort|topk",
    "bits": "bitwise|shift|__and__|__or__",
    "element by element": (
        r"^(add|sub|mul|div|neg|abs|sqrt|rsqrt|pow|square|reciprocal|exp2?|log2?|sign|where|clamp|"
        r"clamp_min|floor|frac|remainder|floor_divide|relu|threshold|threshold_backward|sigmoid|"
        r"maximum|minimum|addcmul|gt|lt|ge|le|eq|ne)_?$"
    ),
}
"""Patterns of operators, without ``aten::``; the first that fits decides."""

_VIEWS = re.compile(
    r"^(view|_unsafe_view|reshape|as_strided_?|slice|select|narrow|expand|permute|transpose|t|"
    r"unsqueeze|squeeze|flatten|unflatten|unfold|split|split_with_sizes|unbind|detach_?|alias|empty|"
    r"empty_like|empty_strided|new_empty|resize_|to|contiguous|item|_local_scalar_dense|"
    r"resolve_conj|resolve_neg|matmul|einsum|movedim|diagonal|result_type)$"
)
_BY_PATTERN = {name: re.compile(pattern) for name, pattern in KINDS.items()}


def kind_of(event: str) -> str:
    """Return the kind of the work that an event of this name does by itself.

    Views, and whatever is not an operator of torch's, such as autograd's nodes and our functions,
    take their time for Python and dispatch.
    """
    if event == KERNELS:
        return KERNELS
    if not event.startswith("aten::"):
        return PYTHON
    name = event.removeprefix("aten::")
    if _VIEWS.match(name):
        return PYTHON
    return next((kind for kind, pattern in _BY_PATTERN.items() if pattern.search(name)), OTHERS)


def milliseconds_by_kind(training: Training) -> dict[str, float]:
    """Return the milliseconds of a step by kind, from one that is profiled."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    with profiler as record, kernels_recorded(), record_function("step"):
        training.step()
    taken: Counter[str] = Counter()
    for event in record.key_averages():
        taken[kind_of(event.key)] += event.self_cpu_time_total / 1e3
    return dict(taken)


@contextmanager
def kernels_recorded() -> Iterator[None]:
    """Let the profiler see calls of kernels in C, which are no operators, inside the context."""
    run = Library.run

    def recorded(library: Library, name: str, *arguments: Any) -> None:
        with record_function(KERNELS):
            run(library, name, *arguments)

    with mock.patch.object(Library, "run", recorded):
        yield
