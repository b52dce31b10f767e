"""Ordinary modules and functions: simulated they take what they really take, to the byte."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_iter

from xconv_bench.measurement.simulating import simulating
from xconv_bench.meters.live import LiveMeter

Function = Callable[..., Any]

LINE, IMAGE, VOLUME = (4, 8, 40), (4, 8, 24, 24), (2, 8, 8, 10, 12)
ROWS = (4, 8, 300)
WORDS = torch.arange(120).reshape(4, 30) % 50
LABELS = torch.arange(64) % 50


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


class Unpooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, image: Tensor) -> Tensor:
        unpooled: Tensor = self.unpool(*self.pool(image))
        return unpooled


def test_torch_logs_no_traceback_of_what_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(fake_tensor.__name__)
    logger.addHandler(caplog.handler)
    try:
        for context in (FakeTensorMode(), simulating(FakeTensorMode()), FakeTensorMode()):
            with pytest.raises(RuntimeError), context:
                torch.empty(2, 3) @ torch.empty(2, 3)
    finally:
        logger.removeHandler(caplog.handler)
    assert len({id(record) for record in caplog.records}) == 2


def loss_of(output: Any) -> Tensor:
    """A scalar with the gradients of all that the module returned."""
    tensors = [t for t in tree_iter(output) if isinstance(t, Tensor) and t.requires_grad]
    means = [(t.abs() if t.is_complex() else t).mean() for t in tensors]
    return torch.stack([mean.float() for mean in means]).sum()


def counted(model: nn.Module, inputs: Sequence[Tensor]) -> LiveMeter:
    """The second step of ``model``."""
    for is_counted in (False, True):
        meter = LiveMeter(torch.device("cpu"))
        meter.track(list(inputs))
        meter.track_model(model)
        meter.reset_peak()
        for tensor in inputs:
            tensor.grad = None
        if not is_counted:
            loss_of(model(*inputs)).backward()
            continue
        with meter:
            loss = loss_of(model(*inputs))
            model.zero_grad(set_to_none=True)
            loss.backward()
    return meter


def assert_alike(make: Callable[[], nn.Module], *inputs: Tensor) -> None:
    """Real and simulated step have the same peak, and operators allocate the same."""
    torch.manual_seed(0)
    real = counted(make(), [like(tensor) for tensor in inputs])
    model, mode = make(), FakeTensorMode(allow_non_fake_inputs=True)
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for key, tensor in tensors.items():
                if tensor is not None:
                    tensors[key] = mode.from_tensor(tensor)  # type: ignore[assignment]
    with simulating(mode):
        simulated = counted(
            model,
            [
                torch.empty(each.shape, dtype=each.dtype, requires_grad=each.is_floating_point())
                for each in inputs
            ],
        )
    assert simulated.allocated_bytes == real.allocated_bytes
    assert simulated.peak_bytes == real.peak_bytes > 0


def like(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_(tensor.is_floating_point())


def values(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


def by_dimension() -> dict[str, tuple[Function, Tensor]]:
    cases: dict[str, tuple[Function, Tensor]] = {}
    for dimensions, shape in ((1, LINE), (2, IMAGE), (3, VOLUME)):
        makers = {
            "Conv": (8, 6, 3), "ConvTranspose": (8, 6, 3, 2), "MaxPool": (3, 2), "AvgPool": (3, 2),
            "LPPool": (2, 3, 2), "AdaptiveAvgPool": (3,), "AdaptiveMaxPool": (3,),
            "BatchNorm": (8,), "InstanceNorm": (8, 1e-5, 0.1, True, True), "Dropout": (),
            "ReflectionPad": (2,), "ReplicationPad": (2,), "ZeroPad": (2,), "CircularPad": (2,),
            "ConstantPad": (2, 1.0),
        }  # fmt: skip
        for kind, arguments in makers.items():
            maker = getattr(nn, f"{kind}{dimensions}d")
            cases[f"{kind}{dimensions}d"] = (lambda m=maker, a=arguments: m(*a), values(*shape))
        for mode in ("nearest", {1: "linear", 2: "bilinear", 3: "trilinear"}[dimensions]):
            cases[f"Upsample{dimensions}d {mode}"] = (
                lambda mode=mode: nn.Upsample(scale_factor=2, mode=mode),
                values(*shape),
            )
    return cases


ACTIVATIONS = (
    "ReLU", "ReLU6", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid",
    "Tanh", "Softplus", "Softshrink", "Softsign", "Tanhshrink", "Hardshrink", "Hardsigmoid",
    "Hardswish", "Hardtanh", "LeakyReLU", "PReLU", "RReLU", "GLU", "AlphaDropout",
    "FeatureAlphaDropout",
)  # fmt: skip
OTHERS: dict[str, tuple[Function, Tensor]] = {
    **by_dimension(),
    **{kind: (getattr(nn, kind), values(*ROWS)) for kind in ACTIVATIONS},
    "Softmin": (lambda: nn.Softmin(-1), values(*ROWS)),
    "Softmax": (lambda: nn.Softmax(-1), values(*ROWS)),
    "LogSoftmax": (lambda: nn.LogSoftmax(-1), values(*ROWS)),
    "Softmax2d": (nn.Softmax2d, values(*IMAGE)),
    "Threshold": (lambda: nn.Threshold(0.1, 0.0), values(*ROWS)),
    "LayerNorm": (lambda: nn.LayerNorm(300), values(*ROWS)),
    "RMSNorm": (lambda: nn.RMSNorm(300), values(*ROWS)),
    "GroupNorm": (lambda: nn.GroupNorm(4, 8), values(*ROWS)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), values(*IMAGE)),
    "Linear": (lambda: nn.Linear(300, 200), values(*ROWS)),
    "Flatten": (nn.Flatten, values(*IMAGE)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), values(*IMAGE)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), values(*IMAGE)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), values(*IMAGE)),
    "FractionalMaxPool2d": (lambda: nn.FractionalMaxPool2d(3, output_size=8), values(*IMAGE)),
    "MaxUnpool2d": (Unpooled, values(*IMAGE)),
    "Fold": (lambda: nn.Fold((10, 10), 3), values(4, 18, 64)),
    "Unfold": (lambda: nn.Unfold(3), values(*IMAGE)),
    "Unfold with gaps": (lambda: nn.Unfold(1, stride=4), values(*IMAGE)),
    "Embedding": (lambda: nn.Embedding(50, 64), WORDS),
    "EmbeddingBag mean": (lambda: nn.EmbeddingBag(50, 64), WORDS),
    "EmbeddingBag max": (lambda: nn.EmbeddingBag(50, 64, mode="max"), WORDS),
    "MultiheadAttention": (
        lambda: Attends(nn.MultiheadAttention(64, 4, batch_first=True)), values(4, 50, 64),
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), values(4, 50, 64),
    ),
    "GRU": (lambda: nn.GRU(32, 48, 2, bidirectional=True), values(60, 4, 32)),
    "RNN": (lambda: nn.RNN(32, 48), values(60, 4, 32)),
    "LSTM": (lambda: nn.LSTM(32, 48), values(60, 4, 32)),
    "LSTM without bias": (lambda: nn.LSTM(32, 48, bias=False), values(60, 4, 32)),
    "LSTM of one sequence": (lambda: nn.LSTM(32, 48), values(60, 32)),
    "LSTM projected": (lambda: nn.LSTM(32, 48, proj_size=16), values(60, 4, 32)),
    "LSTM in both directions": (
        lambda: nn.LSTM(32, 48, 2, bidirectional=True, dropout=0.2), values(60, 4, 32),
    ),
    "LSTM in bfloat16": (lambda: nn.LSTM(32, 48).bfloat16(), values(60, 4, 32).bfloat16()),
    "LSTM in float64": (lambda: nn.LSTM(32, 48).double(), values(60, 4, 32).double()),
}  # fmt: skip


class Attends(nn.Module):
    """Self-attention."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, rows: Tensor) -> Any:
        return self.attention(rows, rows, rows)


@pytest.mark.parametrize("kind", OTHERS)
def test_modules(kind: str) -> None:
    make, input = OTHERS[kind]
    assert_alike(make, input)


LOSSES = (
    "l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "soft_margin_loss",
    "hinge_embedding_loss",
)  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, reduction: str) -> None:
    """The mean of some is taken in the storage of their elements, which lives on with it."""
    function = getattr(F, loss)
    assert_alike(
        lambda: Calls(
            lambda output, target: function(output, target.detach(), reduction=reduction)
        ),
        values(64, 300),
        values(64, 300),
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_losses_of_labels(loss: str, reduction: str) -> None:
    function = getattr(F, loss)
    assert_alike(
        lambda: Calls(lambda output, labels: function(output, labels, reduction=reduction)),
        values(64, 50),
        LABELS,
    )


FUNCTIONS: dict[str, tuple[Function, Sequence[Tensor]]] = {
    "attention": (F.scaled_dot_product_attention, [values(4, 2, 50, 32)] * 3),
    "causal attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [values(4, 2, 50, 32)] * 3,
    ),
    "attention with dropout": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.1),
        [values(4, 2, 50, 32)] * 3,
    ),
    "grid_sample": (
        lambda x: F.grid_sample(x, F.affine_grid(torch.ones(4, 2, 3), list(x.shape), False),
                                align_corners=False),
        [values(*IMAGE)],
    ),
    "fft": (torch.fft.fft, [values(*ROWS)]),
    "rfft2": (torch.fft.rfft2, [values(*IMAGE)]),
    "irfft2": (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), [values(*IMAGE)]),
    "einsum": (lambda x: torch.einsum("bnc,bmc->bnm", x, x), [values(4, 50, 64)]),
    "cdist": (lambda x: torch.cdist(x, x), [values(4, 50, 64)]),
    "topk": (lambda x: x.topk(20, -1)[0], [values(*ROWS)]),
    "sort": (lambda x: x.sort(-1)[0], [values(*ROWS)]),
    "svd": (lambda x: torch.linalg.svd(x, full_matrices=False)[1], [values(4, 30, 20)]),
    "solve": (lambda x: torch.linalg.solve(x + torch.eye(30), x), [values(4, 30, 30)]),
    "channels last": (
        lambda x: F.max_pool2d(
            F.conv2d(x.contiguous(memory_format=torch.channels_last), torch.ones(6, 8, 3, 3)), 2
        ),
        [values(*IMAGE)],
    ),
    "bags that end with their offsets": (
        lambda weight, words, offsets: F.embedding_bag(
            words, weight, offsets, mode="sum", include_last_offset=True),
        [values(50, 64), WORDS.flatten(), torch.arange(0, 65)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_functions(kind: str) -> None:
    function, inputs = FUNCTIONS[kind]
    assert_alike(lambda: Calls(function), *inputs)
