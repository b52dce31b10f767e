"""``torch.compile``: one graph, the same gradients, and sketches kept instead of inputs."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import torch
from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
from layer_cases import CONV2D, assert_close, gradients, how, images, small_network
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.testing import CompileCounter
from torch.utils.checkpoint import checkpoint

from xconv import XConv2d, convert, revert
from xconv_bench.models.torchvision_shim import import_torchvision

TOLERANCE = 1e-4  # of float32: a compiler orders sums as it likes

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "cl")))
    or torch.backends.cpu.get_cpu_capability() == "DEFAULT",
    reason="inductor needs a C++ compiler, and writes code for vector instructions",
)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(
    model: nn.Module, backend: str = "aot_eager", dynamic: bool | None = None
) -> Callable[..., Tensor]:
    """A graph break is an error."""
    return torch.compile(model, backend=backend, dynamic=dynamic, fullgraph=True)


def test_a_training_step_of_resnet18() -> None:
    """A block of each stage: the last layers fall back; two of the others see the same input."""
    torch.manual_seed(0)
    model = import_torchvision().models.resnet18(num_classes=10)
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        del stage[1]
    convert(model.double(), probes=3)
    x = images(side=32).double()
    expected = gradients(model, x)
    falls_back = {bool(m._xconv.falls_back) for m in model.modules() if isinstance(m, XConv2d)}
    assert falls_back == {True, False}
    after = torch.get_rng_state()
    assert_close(gradients(model, x, run=compiled(model)), expected, 1e-9)
    assert torch.equal(torch.get_rng_state(), after)


@needs_compiler
def test_inductor_and_another_batch_size() -> None:
    model = convert(small_network()[:3], probes=4, first="compressed")
    run = compiled(model, "inductor", dynamic=True)
    for batch in (2, 3):
        x = images(batch)
        assert_close(gradients(model, x, run=run), gradients(model, x), TOLERANCE)


def test_other_batch_and_image_sizes() -> None:
    model = convert(small_network(), probes=4, first="compressed")
    run = compiled(model)
    for batch, side in [(2, 16), (3, 16), (4, 16), (4, 20), (1, 16), (2, 2)]:
        x = images(batch, side=side)
        assert_close(gradients(model, x, run=run), gradients(model, x), TOLERANCE)


@pytest.mark.parametrize("scheme", ["multi", "orthogonal"])
@pytest.mark.parametrize("distribution", ["rademacher", "gaussian"])
def test_schemes_and_distributions(scheme: str, distribution: str) -> None:
    model = convert(small_network()[:4], scheme=scheme, distribution=distribution)
    run = compiled(model)
    assert_close(gradients(model, images(), run=run), gradients(model, images()), TOLERANCE)


@pytest.mark.parametrize("scheme", ["spectral", "quantized", "sampling"])
def test_schemes_without_probes(scheme: str) -> None:
    """Before the spectral scheme has seen anything, and with the plan that it then has."""
    model = convert(small_network()[:4], scheme=scheme)
    run = compiled(model)
    actual = gradients(model, images(), run=run)
    assert_close(actual, gradients(model, images()), TOLERANCE)
    gradients(model, images(), seed=1)
    later = gradients(model, images(), run=run)
    assert later.keys() == actual.keys()
    assert all(gradient.isfinite().all() for gradient in later.values())


def test_other_geometries() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(4, 6, (3, 4), stride=2, padding=2, padding_mode="circular", groups=2),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1, dilation=2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 2, padding="same"),
    )
    convert(model, probes=3)
    x = images(channels=4)
    assert_close(gradients(model, x, run=compiled(model)), gradients(model, x), TOLERANCE)


def test_autocast() -> None:
    model = convert(small_network()[:4])
    run = compiled(model)

    def step(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def cast(x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return call(x).float()

        return cast

    expected = gradients(model, images(), run=step(model))
    assert_close(gradients(model, images(), run=step(run)), expected, 3e-2)


class Twins(nn.Module):
    """Equal layers on an equal input: whatever is alike about them, a compiler may merge."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (XConv2d(4, 4, 3, padding=1, probes=4) for _ in range(2))
        self.other.load_state_dict(self.one.state_dict())

    def forward(self, input: Tensor) -> Tensor:
        return self.one(input) + self.other(input)


def test_equal_layers_have_probes_of_their_own() -> None:
    model = Twins()
    x = CONV2D.images()
    actual = gradients(model, x, run=compiled(model))
    assert_close(actual, gradients(model, x), TOLERANCE)
    assert not torch.allclose(actual["one.weight"], actual["other.weight"])


def test_one_layer_called_twice_draws_twice() -> None:
    layer = XConv2d(4, 4, 3, padding=1, probes=4)
    x = CONV2D.images()

    def twice(x: Tensor) -> Tensor:
        return layer(x) + layer(x)

    run = torch.compile(twice, backend="aot_eager", fullgraph=True)
    assert_close(gradients(layer, x, run=run), gradients(layer, x, run=twice), TOLERANCE)


class Recording:
    """A backend that writes down what a compiled forward pass does and what it hands on."""

    def __init__(self) -> None:
        self.output_bytes: list[int] = []
        self.operators: set[str] = set()
        self.backend = aot_autograd(
            fw_compiler=self._record,
            bw_compiler=lambda graph, _: make_boxed_func(graph.forward),
            partition_fn=min_cut_rematerialization_partition,
        )

    def _record(self, graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        nodes = graph.graph.nodes
        self.operators = {str(node.target) for node in nodes if node.op == "call_function"}
        (output,) = (node for node in nodes if node.op == "output")
        values = [n.meta.get("val") for n in output.args[0] if isinstance(n, torch.fx.Node)]
        self.output_bytes = [value.nbytes for value in values if isinstance(value, Tensor)]
        return make_boxed_func(graph.forward)


def record(model: nn.Module, input: Tensor) -> Recording:
    """Record a forward pass that a backward pass could follow."""
    torch._dynamo.reset()
    recording = Recording()
    torch.compile(model, backend=recording.backend, fullgraph=True)(input)
    return recording


def test_the_graph_keeps_sketches_and_bits() -> None:
    model = nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 4, 3, padding=1))
    x = torch.randn(4, 4, 32, 32)
    activation = 4 * x.nbytes
    assert activation in record(model, x).output_bytes
    converted = record(convert(model, probes=8, first="compressed"), x)
    sketches = {4 * 4 * 8 * 2, 4 * 16 * 8 * 2, 4 * 4 * 4, 4 * 16 * 4}  # and means
    assert sketches | {activation // 32} <= set(converted.output_bytes)
    assert converted.output_bytes.count(x.nbytes) == 1  # the output; the input is as large
    assert max(converted.output_bytes) == x.nbytes


def test_a_sketch_is_one_operator() -> None:
    """None of its products and probes can be merged with those of the backward pass."""
    recording = record(convert(nn.Conv2d(4, 16, 3), first="compressed"), torch.randn(4, 4, 32, 32))
    ours = {name for name in recording.operators if name.startswith("xconv")}
    assert ours == {"xconv.draw_seed.default", "xconv.sketch.default"}


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = XConv2d(3, 8, 3, padding=1), small_network()[3:]
        convert(self.body, probes=4)

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.body, self.head(x).relu(), use_reentrant=False)


def test_a_checkpoint_inside() -> None:
    model = Checkpointed()
    run = torch.compile(model, backend="aot_eager")
    assert_close(gradients(model, images(), run=run), gradients(model, images()), TOLERANCE)


def test_converting_and_reverting_a_compiled_model() -> None:
    """Compiled code belongs to the classes that it was compiled for."""
    model = small_network()[:4]
    run = compiled(model)
    x = images()
    exact = gradients(model, x, run=run)
    convert(model, probes=2)
    estimated = gradients(model, x)
    assert_close(gradients(model, x, run=run), estimated, TOLERANCE)
    assert not torch.allclose(estimated["3.weight"], exact["3.weight"])
    revert(model)
    assert_close(gradients(model, x, run=run), exact, TOLERANCE)


def test_converting_what_torch_compile_returned() -> None:
    run = compiled(small_network()[:4])
    gradients(run, images())
    convert(run, probes=2)
    names = [name for name, m in run.named_modules() if isinstance(m, XConv2d)]
    assert names == ["_orig_mod.0", "_orig_mod.3"]
    expected = gradients(run._orig_mod, images())
    actual = {k.removeprefix("_orig_mod."): v for k, v in gradients(run, images()).items()}
    assert_close(actual, expected, TOLERANCE)


def test_an_evaluation_draws_nothing() -> None:
    model = convert(small_network()).eval()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with torch.no_grad():
        torch.testing.assert_close(compiled(model)(images()), model(images()))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda m: m.__name__)
def test_without_gradients(
    mode: Callable[[], AbstractContextManager[None]], training: bool
) -> None:
    """One graph, no draw, torch's outputs: also where the model is in training mode."""
    model = convert(small_network(), probes=4, first="compressed").train(training)
    run = compiled(model)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with mode():
        actual = run(images())
    assert torch.equal(torch.get_rng_state(), before)
    with mode():
        torch.testing.assert_close(actual, revert(model)(images()))


def test_what_else_is_kept_with_sizes_that_change() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.GELU(), nn.MaxPool2d(3, 2, 1), nn.PReLU(4), nn.AvgPool2d(2, 1),
        nn.LeakyReLU(), nn.Dropout(0.3), nn.AdaptiveMaxPool2d(2), nn.Dropout2d(0.3),
    )  # fmt: skip
    convert(model, probes=0, compress=["pool", "act", "dropout"])
    run = compiled(model, dynamic=True)
    for batch, side in [(2, 16), (3, 20)]:
        x = images(batch, side=side)
        assert_close(gradients(model, x, run=run), gradients(model, x), TOLERANCE)


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (nn.MaxPool2d(3, 2, 1), [(2, 16), (3, 20), (5, 24)]),
        (nn.MaxPool3d(2), [(2, 8), (3, 10), (5, 6)]),
        # Windows of another size may be numbered in other bits, which are another graph.
        (nn.AdaptiveMaxPool2d(2), [(2, 16), (3, 16), (5, 16), (7, 14)]),
        (nn.Dropout2d(0.3), [(2, 16), (3, 20), (5, 24)]),
    ],
    ids=["max 2d", "max 3d", "adaptive", "dropout"],
)
def test_other_sizes_are_the_same_graph(module: nn.Module, sizes: list[tuple[int, int]]) -> None:
    model = convert(nn.Sequential(module), compress="all")
    counter = CompileCounter()
    run = torch.compile(model, backend=counter, dynamic=True)
    for batch, side in sizes:
        shape = (side,) * (3 if isinstance(module, nn.MaxPool3d) else 2)
        run(torch.randn(batch, 3, *shape, requires_grad=True))
    assert counter.frame_count == 1


@pytest.mark.parametrize("scheme", ["independent", "sampling"])
def test_other_sizes_are_the_same_graph_of_schemes_but_spectral(scheme: str) -> None:
    """A scheme that probes and one whose bytes follow from the image; those of ``spectral`` depend
    on blocks, as docs/performance.md says."""
    model = convert(nn.Sequential(nn.Conv2d(3, 4, 3)), scheme=scheme, first="compressed")
    counter = CompileCounter()
    run = torch.compile(model, backend=counter, dynamic=True)
    for batch, side in [(2, 16), (3, 20), (5, 24)]:
        run(torch.randn(batch, 3, side, side, requires_grad=True))
    assert counter.frame_count == 1


class Permuted(nn.Module):
    """Images that lie with their channels last, and sequences that lie the other way about."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.images, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.LayerNorm(8)
        self.mixed, self.lines = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv1d(8, 4, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        """From (batch, height, width, channels), as cameras and ConvNeXt's blocks have them."""
        x = self.images(pictures.permute(0, 3, 1, 2))
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.lines(self.mixed(x).flatten(2).transpose(1, 2).contiguous().transpose(1, 2))


@pytest.mark.parametrize(
    ("scheme", "backend"),
    [
        ("independent", "aot_eager"),
        ("multi", "aot_eager"),
        ("orthogonal", "aot_eager"),
        ("spectral", "aot_eager"),
        ("quantized", "aot_eager"),
        ("sampling", "aot_eager"),
        pytest.param("independent", "inductor", marks=needs_compiler),
        pytest.param("spectral", "inductor", marks=needs_compiler),
    ],
)
def test_layouts(scheme: str, backend: str) -> None:
    model = convert(Permuted(), **how(scheme))
    x = torch.randn(2, 12, 12, 3, generator=torch.Generator().manual_seed(0))
    run = compiled(model, backend)
    assert_close(gradients(model, x, run=run), gradients(model, x), TOLERANCE)


def test_a_channels_last_model() -> None:
    model = convert(small_network()[:4], probes=4, first="compressed").to(
        memory_format=torch.channels_last
    )
    x = images().to(memory_format=torch.channels_last)
    assert_close(gradients(model, x, run=compiled(model)), gradients(model, x), TOLERANCE)
