"""Common base of our normalisations, and the decision whether a call keeps a stand-in."""

from typing import Any

import torch
from torch import Tensor, fx

from xconv.differentiation import (
    TRANSFORMED,
    is_recording,
    is_traced,
    is_transformed,
    may_run_again,
)
from xconv.grouped import BITS, groups_for, kept_bytes
from xconv.quantization import PassedOver
from xconv.random import draw_seed, takes_seed
from xconv.saved.normalized import FixedNormalization, Normalization
from xconv.saved.rules import Rule, Running
from xconv.schemes.scheme import NO_SMALLER
from xconv.state import DEFAULT_NORM_BITS, State, set_state, state_of
from xconv.subclasses import of_any_class
from xconv.symbolic import as_leaf


def check_norm_bits(bits: int) -> None:
    """Raise ValueError unless a normalised input can be kept in ``bits`` bits per element."""
    if bits not in BITS or isinstance(bits, bool):
        raise ValueError(f"norm_bits must be one of {', '.join(map(str, BITS))}; got {bits!r}")


class Normalizing(PassedOver):
    """Base of our normalisations: torch's attributes and one more, a ``State``.

    They take all arguments of torch's class, and ``norm_bits``: bits per element of the normalised
    input. Raises ValueError unless these are 1, 2, 4 or 8.
    """

    _xconv_exact: Any
    _xconv_normalize: Any
    """Method that returns the output, or None if torch's own forward pass is to run."""

    def __init__(self, *args: Any, norm_bits: int = DEFAULT_NORM_BITS, **kwargs: Any) -> None:
        check_norm_bits(norm_bits)
        super().__init__(*args, **kwargs)
        set_state(self, State(norm_bits=norm_bits))  # type: ignore[arg-type]

    def extra_repr(self: Any) -> str:
        """Return torch's description, followed by how the normalised input is kept."""
        words = [super().extra_repr()]  # type: ignore[misc]
        state = state_of(self)
        if state is not None:
            words.append(f"norm_bits={state.norm_bits}")
            if state.falls_back:
                words.append("falls back to the exact gradient")
        return ", ".join(word for word in words if word)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input``; shapes, dtypes and errors are torch's."""
        if torch.jit.is_scripting():
            return self._xconv_exact(input)
        else:  # TorchScript does not compile this branch
            return _call(self, input)


@of_any_class
def _call(module: Any, input: Any) -> Any:
    if isinstance(input, fx.Proxy):
        return as_leaf(module, input)
    is_plain = is_traced() or not input.is_floating_point()
    output = None if is_plain else module._xconv_normalize(input)
    return type(module)._xconv_exact(module, input) if output is None else output


def prepare(module: Any, input: Tensor, is_estimated: bool) -> tuple[bool, Tensor | None]:
    """Return whether our autograd function handles this call, and the seed of its stand-in.

    The seed is None if nothing is kept. ``is_estimated`` says that statistics are those of
    ``input``, whose gradient then needs a stand-in; that of γ always does. Whether a seed is drawn
    depends only on what is the same in both runs of a checkpointed segment.
    """
    weight, bias, state = module.weight, _bias(module), module._xconv
    recording = is_recording()
    learns = weight is not None and takes_seed(weight)
    takes = (is_estimated or learns) and (recording or may_run_again())
    why_exact = _why_exact(input, state) if takes else NO_SMALLER
    seed = draw_seed() if takes and not why_exact else None
    needs = (is_estimated and input.requires_grad) or (learns and weight.requires_grad)
    if recording and needs:
        state.falls_back = why_exact
    elif torch.is_grad_enabled() and is_transformed():
        state.falls_back = TRANSFORMED
    asks = needs or input.requires_grad or (bias is not None and bias.requires_grad)
    is_ours = recording and asks and not (needs and seed is None)
    return is_ours, seed if is_ours and needs else None


def _bias(module: Any) -> Tensor | None:
    """Return the bias of ``module``, or None; RMSNorm has no such attribute."""
    bias: Tensor | None = getattr(module, "bias", None)
    return bias


def _why_exact(input: Tensor, state: State) -> str:
    """Return the reason to keep ``input`` itself, or an empty text."""
    count = input.numel()
    kept = kept_bytes(groups_for(count), state.norm_bits)
    return "" if kept < count * input.dtype.itemsize else NO_SMALLER


def estimated(
    module: Any, input: Tensor, running: Running, seed: Tensor | None, rule: Rule
) -> Tensor:
    """Return the output of ``module`` by the statistics of its input."""
    output: Tensor = Normalization.apply(
        input, module.weight, _bias(module), *running, seed, rule, module._xconv.norm_bits
    )
    return output


def fixed(module: Any, input: Tensor, running: Running, seed: Tensor | None) -> Tensor:
    """Return the output of ``module`` by running statistics."""
    output: Tensor = FixedNormalization.apply(
        input, module.weight, module.bias, *running, seed, module.eps, module._xconv.norm_bits
    )
    return output
