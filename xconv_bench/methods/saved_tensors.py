"""Every large tensor that autograd saves, kept in a few bits a number, whatever saved it.

Source of the idea: Liu et al., "GACT: Activation Compressed Training for Generic Network
Architectures", ICML 2022, arXiv 2206.11357. A hook on saved tensors rounds each of them to a range
of its group of neighbours (``xconv.grouped``), so that no layer has to be known. GACT chooses the
bits of each tensor at run time; here all have the same. Rounding is stochastic, as theirs is: what
lies on a level stays there, such as the zeros by which a ReLU knows its inputs, where a dither
would move them.

Each x̂ has the mean x. The gradient is unbiased where the backward formula is linear in what was
saved, as that of a convolution's weight is. It is *biased* where the formula is not linear: a ReLU
that reads off its rounded output whether its input was positive, a normalisation that multiplies
two estimates of one tensor, a product of two tensors that come from the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass
from torch.utils._pytree import tree_iter

from xconv.contents import buffers, parameters
from xconv.grouped import BITS
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.random import draw_seed
from xconv.schemes.quantized import Quantized
from xconv.storages import storages_of
from xconv_bench.configuration import Configuration
from xconv_bench.methods.base import Method
from xconv_bench.methods.calls import wrap_call
from xconv_bench.methods.smaller import NO_SMALLER, KeptSmaller, Store

LEAST_ELEMENTS = 1024
"""Smaller tensors, such as means and variances of channels, are kept as they are."""
_UNUSED = torch.Size()


class SavedTensors(Method):
    """Rounds what the network saves in floating point.

    Exact are parameters, buffers and the batch, what has fewer than ``LEAST_ELEMENTS`` numbers,
    and what is saved outside of the network.
    """

    name = "saved-tensors"
    knobs = ("bits",)

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the knobs, with the bits of ``quantized`` where none are given."""
        return {**knobs, "bits": knobs["bits"] or Quantized.default}

    def takes(self, knobs: Mapping[str, Any]) -> bool:
        """Return whether numbers can be kept in so many bits."""
        return knobs["bits"] is None or knobs["bits"] in BITS

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model, with another ``forward`` function, or class."""
        store = FewBits(configuration.bits or Quantized.default)

        def smaller(run: Callable[..., Any]) -> Callable[..., Any]:
            def called(*args: Any, **kwargs: Any) -> Any:
                left = [*parameters(model), *buffers(model), *_tensors((args, kwargs))]
                places = {part._cdata for each in left for part, _ in storages_of(each)}

                def chosen(tensor: Tensor) -> bool:
                    return _is_large(tensor, store) and (
                        tensor.untyped_storage()._cdata not in places
                    )

                with KeptSmaller(store, chosen):
                    return run(*args, **kwargs)

            return called

        wrap_call(model, smaller)
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return what is biased."""
        return "biased where a gradient is not linear in what was saved for it, as that of a ReLU"


class _Stochastic(Quantized):
    dithered = False


_SCHEME = _Stochastic()


@dataclass(frozen=True)
class FewBits(Store):
    """The scheme ``quantized`` of ``xconv`` without a dither, for tensors of any shape."""

    bits: float

    @property
    def _probing(self) -> Probing:
        return Probing(scheme=Quantized.name, bits=self.bits)

    def why_exact(self, layout: Layout) -> str:
        """Return a reason where groups and their ranges take as much as the numbers."""
        size = layout.shape.numel() * layout.dtype.itemsize
        return "" if _SCHEME.kept_bytes(layout, self._probing) < size else NO_SMALLER

    def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return the seed, packed numbers and bounds of groups."""
        layout = _as_images(Layout.of(tensor))
        images = tensor.reshape(layout.shape)
        return _SCHEME.keep(images, draw_seed(), self._probing, layout, _UNUSED, _UNUSED, plan=None)

    def restore(self, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
        """Return x̂, which has the mean x."""
        seed, *rest = kept
        lying = _as_images(layout)
        restored = lying.empty(slice(None))
        for images, part in _SCHEME.rebuild(rest, seed, self._probing, lying):
            restored[images] = part
        factor = _SCHEME.factor(self._probing, lying)
        return (restored if factor == 1 else restored.mul_(factor)).view(layout.shape)


def _is_large(tensor: Tensor, store: Store) -> bool:
    """Return whether ``tensor`` holds many floating-point numbers that can be kept smaller."""
    return (
        tensor.is_floating_point()
        and tensor.layout is torch.strided
        and not is_traceable_wrapper_subclass(tensor)
        and tensor.numel() >= LEAST_ELEMENTS
        and tensor.nbytes <= tensor.untyped_storage().nbytes()  # else a few numbers, repeated
        and not store.why_exact(Layout.of(tensor))
    )


def _as_images(layout: Layout) -> Layout:
    """Return ``layout``, that of a row of numbers as a batch of one."""
    return (
        layout if len(layout.shape) > 1 else replace(layout, shape=torch.Size([1, *layout.shape]))
    )


def _tensors(structure: Any) -> list[Tensor]:
    return [each for each in tree_iter(structure) if isinstance(each, Tensor)]
