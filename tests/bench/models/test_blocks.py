"""The natural blocks of networks that everybody knows."""

from collections import Counter

import pytest
from own_networks import perceptron, plain, residual
from torch import nn

from xconv_bench.models import find
from xconv_bench.models.blocks import runs_of_blocks


def kinds(name: str, image_size: int = 64) -> Counter[str]:
    """How many blocks there are of each class, layers left out."""
    return Counter(
        type(block).__name__
        for run in runs_of_blocks(find(name).build(image_size))
        for block in run.blocks
        if next(block.children(), None) is not None
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", {"BasicBlock": 8}),
        ("resnet50", {"Bottleneck": 16}),
        ("squeezenet1_0", {"Fire": 8}),
        ("densenet121", {"_DenseLayer": 58, "_Transition": 3}),
        ("mobilenet_v2", {"Conv2dNormActivation": 2, "InvertedResidual": 17}),
        ("vit_b_16", {"EncoderBlock": 12}),
        ("revnet38", {"Transition": 3, "Coupling": 6}),
    ],
)
def test_blocks_of_known_networks(name: str, expected: dict[str, int]) -> None:
    assert kinds(name) == expected


def test_a_sequence_of_layers_is_one_run() -> None:
    (run,) = runs_of_blocks(plain())
    assert isinstance(run.container, nn.Sequential) and len(run.blocks) == 6
    vgg = runs_of_blocks(find("vgg11").build(32))
    assert [len(run.blocks) for run in vgg] == [21, 7]


def test_what_stands_alone_is_a_run_of_its_own() -> None:
    inception = runs_of_blocks(find("googlenet").build(32))
    assert all(run.container is None and len(run.blocks) == 1 for run in inception)
    assert sum(type(run.blocks[0]).__name__ == "Inception" for run in inception) == 9


def test_single_layers_outside_of_sequences_are_no_blocks() -> None:
    assert runs_of_blocks(residual()) == []
    assert [len(run.blocks) for run in runs_of_blocks(perceptron())] == [2]


def test_a_stage_without_a_container() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Tanh()

    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b1, self.b2 = Block(), Block()

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stage, self.other = Stage(), Block()

    network = Network()
    stage = network.stage
    assert [run.blocks for run in runs_of_blocks(network)] == [
        [stage.b1], [stage.b2], [network.other]
    ]  # fmt: skip
