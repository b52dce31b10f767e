"""Matrix products borrow the convolutions' policy on CUDA, under both of torch's interfaces."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from xconv.precision import convolution_precision

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


class Flags(SimpleNamespace):
    """Stand-in for one of torch's flag objects: knows the names of one version, counts writes."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in vars(self):
            raise AttributeError(f"Unknown attribute {name}")
        vars(self).setdefault("written", []).append(value)
        vars(self)[name] = value


def until_torch_2_8(monkeypatch: pytest.MonkeyPatch, conv: bool, products: bool) -> Flags:
    """``allow_tf32`` only."""
    matmul = Flags(allow_tf32=products)
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(allow_tf32=conv))
    monkeypatch.setattr(torch.backends.cuda, "matmul", matmul)
    return matmul


def from_torch_2_9(monkeypatch: pytest.MonkeyPatch, conv: str, products: str) -> Flags:
    """``fp32_precision``; reading ``allow_tf32`` may raise, so it is not there."""
    matmul = Flags(fp32_precision=products)
    cudnn = SimpleNamespace(conv=SimpleNamespace(fp32_precision=conv))
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    monkeypatch.setattr(torch.backends.cuda, "matmul", matmul)
    return matmul


interfaces = pytest.mark.parametrize(
    ("interface", "name", "allowed", "forbidden"),
    [
        (until_torch_2_8, "allow_tf32", True, False),
        (from_torch_2_9, "fp32_precision", "tf32", "ieee"),
        (from_torch_2_9, "fp32_precision", "tf32", "none"),
    ],
    ids=["allow_tf32", "fp32_precision", "fp32_precision, unset"],
)


@interfaces
@pytest.mark.parametrize("conv_may", [True, False])
@pytest.mark.parametrize("products_may", [True, False])
def test_products_do_as_convolutions_do_and_then_as_before(
    products_may: bool,
    conv_may: bool,
    interface: Callable[..., Flags],
    name: str,
    allowed: Any,
    forbidden: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conv, products = (allowed if may else forbidden for may in (conv_may, products_may))
    flags = interface(monkeypatch, conv, products)
    with convolution_precision(CUDA):
        assert getattr(flags, name) == conv
    assert getattr(flags, name) == products
    assert len(vars(flags).get("written", [])) == (0 if conv == products else 2)


@interfaces
def test_an_error_inside_leaves_the_flags_as_they_were(
    interface: Callable[..., Flags],
    name: str,
    allowed: Any,
    forbidden: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = interface(monkeypatch, allowed, forbidden)
    with pytest.raises(ZeroDivisionError), convolution_precision(CUDA):
        raise ZeroDivisionError
    assert getattr(flags, name) == forbidden


@interfaces
def test_nothing_is_touched_on_other_devices(
    interface: Callable[..., Flags],
    name: str,
    allowed: Any,
    forbidden: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = interface(monkeypatch, allowed, forbidden)
    with convolution_precision(CPU):
        assert getattr(flags, name) == forbidden
    assert "written" not in vars(flags)


@pytest.mark.parametrize("policy", ["highest", "high"])
def test_the_installed_torch_is_left_as_it_was(policy: str) -> None:
    """Its real flags, whichever interface it has; readable by its other interface afterwards."""
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(policy)
        expected = torch.backends.cuda.matmul.allow_tf32
        with convolution_precision(CUDA):
            pass
        assert torch.get_float32_matmul_precision() == policy
        assert torch.backends.cuda.matmul.allow_tf32 == expected
    finally:
        torch.set_float32_matmul_precision(before)
