"""Bytes that oneDNN keeps of a recurrent layer: its own word, or derived from a smaller layer."""

import pytest
import torch
from torch import nn

from xconv_bench.measurement import recurrent_workspace
from xconv_bench.measurement.recurrent_workspace import workspace_bytes

Arguments = tuple[object, ...]


def arguments(steps: int, samples: int, dtype: torch.dtype = torch.float32) -> Arguments:
    """Return those of ``mkldnn_rnn_layer`` for an LSTM with 32 features and 48 hidden units."""
    layer = nn.LSTM(32, 48).to(dtype)
    input = torch.zeros(steps, samples, 32, dtype=dtype)
    state = torch.zeros(1, samples, 48, dtype=dtype)
    weights = [parameter.detach() for parameter in layer.parameters()]
    return (input, *weights, state, state, False, [], 2, 48, 1, True, False, False, True)


def real(arguments: Arguments) -> int:
    size: int = torch.ops.aten.mkldnn_rnn_layer(*arguments)[3].untyped_storage().nbytes()
    return size


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("steps", "samples"), [(1, 1), (60, 4), (17, 33), (200, 129)])
def test_small_layers_exactly(steps: int, samples: int, dtype: torch.dtype) -> None:
    try:
        expected = real(arguments(steps, samples, dtype))
    except RuntimeError as error:
        pytest.skip(f"this processor has no such kernel, and torch then takes another: {error}")
    assert workspace_bytes(arguments(steps, samples, dtype)) == expected


@pytest.mark.parametrize(("steps", "samples"), [(400, 70), (200, 1000), (1500, 40)])
def test_large_layers_from_smaller_ones(
    monkeypatch: pytest.MonkeyPatch, steps: int, samples: int
) -> None:
    """A part of the work, and right to a percent."""
    asked: list[int] = []
    size = recurrent_workspace._real_size

    def watched(shapes: tuple[tuple[int, ...], ...], *others: object) -> int:
        asked.append(shapes[0][0] * shapes[0][1])
        return size(shapes, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(recurrent_workspace, "_MOST_WORK", steps * samples * 4 * 48 * 80 // 10)
    monkeypatch.setattr(recurrent_workspace, "_real_size", watched)
    large = arguments(steps, samples)
    assert workspace_bytes(large) == pytest.approx(real(large), rel=0.01)
    assert sum(asked) <= steps * samples / 4
