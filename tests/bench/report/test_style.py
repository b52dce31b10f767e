"""Lines of one method are told apart, and other methods have other lines."""

from xconv_bench.report.canvas.style import stroke


def test_ten_variants_of_a_method_have_ten_looks() -> None:
    looks = {stroke("independent", variant) for variant in range(10)}

    assert len(looks) == 10


def test_the_first_variants_have_the_colour_of_the_method() -> None:
    colours = {stroke("independent", variant).colour for variant in range(5)}

    assert colours == {stroke("xconv").colour}


def test_methods_that_are_not_known_share_a_look() -> None:
    assert stroke("mine") == stroke("another")
