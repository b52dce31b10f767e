"""Which image sizes a network takes, and how that is said."""

import pytest

from xconv_bench.models.sizes import ANY_SIZE, ImageSizes


@pytest.mark.parametrize(
    ("sizes", "inside", "outside", "said"),
    [
        (ANY_SIZE, [1, 7, 4096], [0, -1], "at least 1 pixels"),
        (ImageSizes(smallest=63), [63, 64], [62, 0], "at least 63 pixels"),
        (ImageSizes(multiple=16), [16, 128], [0, 8, 100, -16], "a multiple of 16 pixels"),
        (ImageSizes(smallest=224, largest=224), [224], [223, 225], "exactly 224 pixels"),
    ],
    ids=str,
)
def test_membership_and_message(
    sizes: ImageSizes, inside: list[int], outside: list[int], said: str
) -> None:
    assert all(size in sizes for size in inside)
    assert not any(size in sizes for size in outside)
    assert str(sizes) == said
