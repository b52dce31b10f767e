"""Names with arguments: what is read, and what is said of the rest."""

import pytest

from xconv_bench import parsing
from xconv_bench.errors import UsageError
from xconv_bench.models.calls import Call, check_arguments, in_order, parameters_of, read_call


def built(width: int, depth: int = 2, *, names: tuple[str, ...] = ()) -> None:
    """Take arguments."""


def test_arguments_are_literals() -> None:
    call = read_call("UNet(a=[8, 16], b='x,y', c=(None, True), d={'k': -1.5})", "net:")
    assert call == Call("UNet", {"a": [8, 16], "b": "x,y", "c": (None, True), "d": {"k": -1.5}})
    assert read_call("UNet()", "net:") == read_call("UNet", "net:") == Call("UNet")
    assert read_call("Unet/resnet34(classes=3)", "smp:") == Call("Unet/resnet34", {"classes": 3})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UNet(", "'net:UNet(' cannot be read"),
        ("UNet(a=)", "cannot be read"),
        ("UNet(3)", "gives 3 without the name of an argument"),
        ("UNet(**{})", "has **"),
        ("UNet(a=open('x'))", "a=open('x') is no literal"),
        ("UNet(a=1) + 2", "is no single call"),
        ("UNet(a=1)(b=2)", "is no single call"),
        ("UNet(" + "(" * 500, "cannot be read"),
    ],
)
def test_anything_else_is_one_line_that_shows_the_form(text: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_call(text, "net:")
    said = str(raised.value)
    assert words in said and "\n" not in said and "net:NAME(argument=value, ...)" in said


def test_arguments_that_do_not_exist_or_are_missing() -> None:
    parameters = parameters_of(built)
    check_arguments("built", parameters, {"width": 1, "names": ("a",)})
    with pytest.raises(UsageError, match="built has no argument 'witdh'; did you mean width"):
        check_arguments("built", parameters, {"witdh": 1})
    with pytest.raises(UsageError, match="built has no argument 'x'; it has width, depth, names"):
        check_arguments("built", parameters, {"x": 1})
    with pytest.raises(UsageError, match=r"built needs width: give it as NAME\(width=\.\.\.\)"):
        check_arguments("built", parameters, {})


def test_inputs_are_positional_where_they_are_the_first() -> None:
    class Net:
        def forward(self, image: int, step: int, label: int = 0) -> None:
            """Take inputs."""

    assert in_order(Net.forward, {"image": 1, "step": 2}) == (1, 2)
    assert in_order(Net.forward, {"image": 1, "label": 2}) == {"image": 1, "label": 2}
    assert in_order(Net.forward, {"step": 1, "image": 2}) == {"step": 1, "image": 2}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("a,b", ("a", "b")),
        ("net(x=[1, 2], y=(3,)),other", ("net(x=[1, 2], y=(3,))", "other")),
        ("net({'a': 1, 'b': 2}),net", ("net({'a': 1, 'b': 2})", "net")),
        ("odd(1.py:Net,resnet18", ("odd(1.py:Net", "resnet18")),
        ("a),b", ("a)", "b")),
    ],
)
def test_commas_in_brackets_do_not_divide_values(given: str, words: tuple[str, ...]) -> None:
    assert parsing.words("--model", [given]) == words
