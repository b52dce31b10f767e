"""A second run of the same layer does not count twice."""

import pytest
import torch
from torch import nn

from xconv_bench.models.running_statistics import not_updated


def test_statistics_and_their_count_stay() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm1d(3, momentum=None)))
    model(torch.randn(5, 3))
    before = [buffer.clone() for buffer in model.buffers()]
    kept = [id(buffer) for buffer in model.buffers()]
    input = torch.randn(5, 3)
    with not_updated([model, model[1]]):
        inside = model(input)
    assert [id(buffer) for buffer in model.buffers()] == kept
    assert all(one.equal(two) for one, two in zip(before, model.buffers(), strict=True))
    assert model(input).equal(inside)
    assert not before[0].equal(model[0].running_mean)


def test_they_come_back_after_an_error() -> None:
    layer = nn.BatchNorm1d(3)
    buffer = layer.running_mean
    with pytest.raises(RuntimeError, match="stop"), not_updated([layer]):
        raise RuntimeError("stop")
    assert layer.running_mean is buffer


def test_layers_without_statistics_and_layers_in_evaluation() -> None:
    plain, evaluated = nn.BatchNorm1d(3, track_running_stats=False), nn.BatchNorm1d(3).eval()
    with not_updated([plain, evaluated]):
        assert plain(torch.randn(4, 3)).shape == evaluated(torch.randn(4, 3)).shape
