"""Networks of transformers and diffusers from their configurations; nothing is downloaded."""

import json
import sys
from pathlib import Path

import pytest
import torch
from offline import refuse_network
from source_cases import check_simulated, inputs_of, loss_of

from xconv_bench.configuration import Configuration
from xconv_bench.errors import UsageError
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.training import prepare
from xconv_bench.models import hf_diffusers, hf_transformers
from xconv_bench.models.registry import find

RESNET = (
    "hf:ResNetForImageClassification(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], "
    "layer_type='basic', num_labels=5)"
)
SMALL_TRANSFORMER = "hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8"
UNET = (
    "hf:UNet2DModel(block_out_channels=[8, 16], norm_num_groups=4, attention_head_dim=4, "
    "layers_per_block=1, down_block_types=['DownBlock2D', 'AttnDownBlock2D'], "
    "up_block_types=['AttnUpBlock2D', 'UpBlock2D'])"
)
CONDITIONED = (
    "hf:UNet2DConditionModel(block_out_channels=[8], norm_num_groups=4, attention_head_dim=4, "
    "layers_per_block=1, cross_attention_dim=6, down_block_types=['CrossAttnDownBlock2D'], "
    "up_block_types=['CrossAttnUpBlock2D'])"
)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    find("resnet18")  # opens the door to torchvision, which both import
    refuse_network(monkeypatch)


@pytest.fixture
def with_transformers(offline: None) -> None:
    pytest.importorskip("transformers")


@pytest.fixture
def with_diffusers(offline: None) -> None:
    pytest.importorskip("diffusers")


@pytest.mark.usefixtures("with_transformers")
def test_a_classifier_simulated_as_it_is_run() -> None:
    cell = check_simulated(RESNET, 32)
    assert gradient_error(cell)["gradient_relative_error"] > 1e-3


@pytest.mark.usefixtures("with_diffusers")
def test_a_diffusion_simulated_as_it_is_run() -> None:
    check_simulated(UNET, 8)


@pytest.mark.usefixtures("with_transformers")
def test_the_network_s_own_loss_is_taken_alone() -> None:
    training = prepare(Configuration(RESNET, batch_size=2, image_size=32))
    with torch.no_grad():
        output = training.batch.run(training.model)
    torch.testing.assert_close(training.step(), output.loss)
    assert training.remark() == "loss: the value of output.loss"


@pytest.mark.usefixtures("with_transformers")
@pytest.mark.parametrize(
    ("name", "size", "shapes"),
    [
        (RESNET, 16, {"pixel_values": (2, 3, 16, 16), "labels": (2,)}),
        (f"hf:ViTModel({SMALL_TRANSFORMER})", 32, [(2, 3, 32, 32)]),
        (
            "hf:SegformerForSemanticSegmentation(depths=[1], num_encoder_blocks=1, "
            "hidden_sizes=[8], decoder_hidden_size=8, num_attention_heads=[1], sr_ratios=[1], "
            "patch_sizes=[3], strides=[4], mlp_ratios=[1])",
            32, [(2, 3, 32, 32), (2, 32, 32)],
        ),
        (
            f"hf:BertForMaskedLM({SMALL_TRANSFORMER}, vocab_size=20)",
            12, {"input_ids": (2, 12), "labels": (2, 12)},
        ),
        (
            f"hf:VideoMAEForVideoClassification({SMALL_TRANSFORMER}, num_frames=2)",
            32, {"pixel_values": (2, 2, 3, 32, 32), "labels": (2,)},
        ),
    ],
    ids=["labels", "features", "pixels", "tokens", "video"],
)  # fmt: skip
def test_inputs_follow_from_the_configuration(name: str, size: int, shapes: object) -> None:
    inputs = inputs_of(name, size)
    if isinstance(inputs, dict):
        assert {key: tuple(tensor.shape) for key, tensor in inputs.items()} == shapes
    else:
        expected = list(shapes.values()) if isinstance(shapes, dict) else shapes
        assert [tuple(tensor.shape) for tensor in inputs] == expected  # type: ignore[attr-defined]
    assert loss_of(name, size) > 0


@pytest.mark.usefixtures("with_diffusers")
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (UNET, [(2, 3, 16, 16), (2,)]),
        (CONDITIONED, [(2, 4, 16, 16), (2,), (2, 77, 6)]),
        ("hf:AutoencoderKL(block_out_channels=[8], norm_num_groups=4)", [(2, 3, 16, 16)]),
    ],
    ids=["noise", "conditioned", "autoencoder"],
)
def test_inputs_of_diffusions(name: str, shapes: list[tuple[int, ...]]) -> None:
    inputs = inputs_of(name, 16)
    assert [tuple(tensor.shape) for tensor in inputs] == shapes  # type: ignore[attr-defined]
    assert loss_of(name, 16) > 0


@pytest.mark.usefixtures("with_transformers")
def test_the_size_is_the_configuration_s_unless_another_is_asked_for() -> None:
    name = f"hf:ViTModel({SMALL_TRANSFORMER}"
    assert find(f"{name})").image_size == 224
    assert find(f"{name}, image_size=32)").image_size == 32
    assert find(f"{name})").build(64).config.image_size == 64  # type: ignore[union-attr]


@pytest.mark.usefixtures("with_transformers", "with_diffusers")
def test_a_file_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "architectures": ["ResNetForImageClassification"], "model_type": "resnet",
                "hidden_sizes": [8, 16], "depths": [1, 1], "embedding_size": 8,
                "layer_type": "basic",
            }
        )
    )  # fmt: skip
    network = find(f"hf:{path}(num_labels=7)").build(32)
    assert network.config.hidden_sizes == [8, 16] and network.config.num_labels == 7  # type: ignore[union-attr]
    path.write_text(json.dumps({"_class_name": "VQModel", "block_out_channels": [32]}))
    assert type(find(f"hf:{path}").build(32)).__name__ == "VQModel"
    path.write_text("{}")
    with pytest.raises(UsageError, match=r"names no class: expected the config\.json"):
        find(f"hf:{path}")
    path.write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        find(f"hf:{path}")


@pytest.mark.usefixtures("with_transformers", "with_diffusers")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ResNetForImageClasification", "did you mean ResNetForImageClassification"),
        ("UNet2DModell", "did you mean UNet2DModel"),
        ("BertTokenizer", "have no network 'BertTokenizer'"),
        ("zzzz", "expected a class such as ResNetForImageClassification"),
        ("google/vit-base-patch16-224", "names a repository, and nothing is downloaded here"),
        ("nowhere/config.json", "cannot be read: No such file"),
        ("ResNetModel(dephts=[1])", "has no 'dephts'; did you mean depths"),
        ("UNet2DModel(sample_sized=3)", "did you mean sample_size"),
    ],
)
def test_a_wrong_name_is_one_line(name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        find(f"hf:{name}")
    assert words in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.usefixtures("with_transformers", "with_diffusers")
@pytest.mark.parametrize("name", ["CLIPModel", "WhisperModel", "FluxTransformer2DModel"])
def test_networks_of_other_inputs_ask_for_them(name: str) -> None:
    with pytest.raises(UsageError, match=r": give --inputs FILE\.py:callable"):
        inputs_of(f"hf:{name}", 16)


def test_without_either_the_message_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hf_transformers, hf_diffusers):
        module.names.cache_clear()
    for package in ("transformers", "diffusers"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'xconv-bench\[transformers,diffusers\]'"):
        find("hf:ResNetModel")
