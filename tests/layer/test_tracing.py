"""Tools that write a network down: TorchScript, ONNX, TensorBoard, ``torch.fx``."""

import io
import warnings
from collections.abc import Iterator

import pytest
import torch
from layer_cases import assert_same, gradients, images
from torch import Tensor, fx, nn

from xconv import BitReLU, XConv2d, convert
from xconv.state import state_of
from xconv_bench.models.torchvision_shim import import_torchvision

modes = pytest.mark.parametrize("training", [False, True], ids=["evaluating", "training"])


@pytest.fixture(autouse=True)
def torchscript_is_old() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class Named(nn.Conv2d):
    """A subclass with torch's forward pass: converted, its class is made at run time."""


def network(training: bool = False) -> nn.Sequential:
    """Every kind of ours; no batch normalisation, so that both modes give the same."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
        Named(8, 4, 2, padding="same"),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1),
        nn.Flatten(2),
        nn.Conv1d(4, 4, 5),
        nn.ConvTranspose1d(4, 2, 3),
    )
    return convert(model, probes=2).train(training)


@modes
@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
def test_a_trace_holds_torch_s_operators(training: bool) -> None:
    model = network(training)
    traced = torch.jit.trace(model, images())
    assert "PythonOp" not in str(traced.inlined_graph) and "xconv::" not in str(
        traced.inlined_graph
    )
    for x in (images(), images(3)):
        torch.testing.assert_close(traced(x), model(x))


@modes
def test_a_script_is_torch_s_and_changes_nothing_of_the_model(training: bool) -> None:
    model = network(training)
    before = [(module, type(module), state_of(module)) for module in model]
    scripted = torch.jit.script(model)
    assert [(module, type(module), state_of(module)) for module in model] == before
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    for copy in (scripted, torch.jit.load(file)):
        torch.testing.assert_close(copy(images()), model(images()))
    assert [name for name, _ in scripted.named_parameters()] == [
        name for name, _ in model.named_parameters()
    ]


@pytest.mark.parametrize("size", [None, [34, 34]], ids=str)
def test_a_scripted_transposed_layer_takes_an_output_size(size: list[int] | None) -> None:
    layer = convert(nn.ConvTranspose2d(3, 4, 3, stride=2), probes=2)
    torch.testing.assert_close(torch.jit.script(layer)(images(), size), layer(images(), size))


@modes
def test_symbolic_tracing_keeps_the_layers(training: bool) -> None:
    model = network(training)
    traced = fx.symbolic_trace(model)
    called = {node.target for node in traced.graph.nodes if node.op == "call_module"}
    assert called == {str(i) for i in range(len(model))}
    assert isinstance(traced.get_submodule("0"), XConv2d)
    assert isinstance(traced.get_submodule("1"), BitReLU)
    assert_same(gradients(traced, images()), gradients(model, images()))


def test_a_scheme_of_output_size_is_traced_too() -> None:
    class Upsampling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(3, 4, 3, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.up(x, output_size=[34, 34])
            return output

    model = convert(Upsampling(), probes=2)
    torch.testing.assert_close(fx.symbolic_trace(model)(images()), model(images()))


def test_torchvision_s_feature_extractor() -> None:
    vision = import_torchvision()
    torch.manual_seed(0)
    model = convert(vision.models.resnet18(num_classes=3), probes=2).eval()
    from torchvision.models.feature_extraction import create_feature_extractor

    extractor = create_feature_extractor(model, ["layer1.0.conv1", "layer2"])
    assert isinstance(extractor.get_submodule("layer1.0.conv1"), XConv2d)
    x = images(side=32)
    features = extractor(x)
    stem = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    torch.testing.assert_close(features["layer1.0.conv1"], model.layer1[0].conv1(stem))
    torch.testing.assert_close(features["layer2"], model.layer2(model.layer1(stem)))


def test_the_older_onnx_exporter() -> None:
    pytest.importorskip("onnx")
    file = io.BytesIO()
    torch.onnx.export(network(), (images(),), file, dynamo=False)
    assert file.getbuffer().nbytes > 1000


def test_the_graph_of_tensorboard() -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard._pytorch_graph import graph

    nodes = graph(network(), (images(),))[0].node
    assert sum("convolution" in node.op for node in nodes) == 5
