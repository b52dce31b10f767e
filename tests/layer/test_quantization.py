"""Eager quantization does not know our classes: it says so, and works after ``revert``."""

import warnings
from typing import Any

import pytest
from torch import nn

from xconv import convert, revert

quantization: Any = pytest.importorskip("torch.ao.quantization")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))


def prepared(model: nn.Module) -> nn.Module:
    model.qconfig = quantization.get_default_qat_qconfig()
    result: nn.Module = quantization.prepare_qat(model.train())
    return result


def test_preparing_a_converted_model_warns_of_each_class() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepared(convert(network()))
    said = [str(w.message) for w in caught if "xconv.revert" in str(w.message)]
    assert {words.split()[3] for words in said} == {"XConv2d", "BitReLU"}


def test_fusing_one_is_refused() -> None:
    with pytest.raises((AssertionError, NotImplementedError), match="XConv2d"):
        quantization.fuse_modules(convert(network()).eval(), [["0", "1", "2"]])


def test_a_reverted_model_is_prepared_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*xconv")
        model = prepared(revert(convert(network())))
    assert "qat" in type(model[0]).__module__


def test_no_quantization_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(network())[0].qconfig = None
