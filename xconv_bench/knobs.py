"""The knobs of methods: each is declared once, as a field of ``Knobs``.

Everything else follows from the declaration: the option on the command line and in profiles, its
help and how it is read, the column of every table, the dimension of a sweep, and the words in
titles and labels. A method takes part by naming the knob in its ``knobs`` and reading the field.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pkgutil import resolve_name
from typing import Any

from xconv_bench import parsing
from xconv_bench.plans import label_of

Read = Callable[[str, Sequence[str]], tuple[Any, ...]]
"""From the name of an option and the words given to it to its values, each once.

Raises UsageError for a word that the option does not take.
"""

Row = Mapping[str, Any]


def usual_allotment(row: Row) -> str:
    """Return the ``allot`` of the scheme in ``row`` where none is given, as ``xconv.convert`` does.

    Reports and older tables need it where torch is not imported.
    """
    return "network" if row.get("scheme") == "spectral" else "layer"


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The declaration of a knob.

    Args:
        name: field of ``Knobs``, and column of the tables.
        read: reads the values of its option.
        metavar: stands for one value in the help.
        help: says in the help what the option sets.
        default: the value where the option is not given, as it would be typed; a function of the
            other settings where it depends on them; None where the method decides.
        default_words: describes the default in the help where it is not one value.
        phrase: describes a value in titles and labels, with ``{}`` for the value.
        says_default: whether titles and labels mention the default, too.
        is_dial: whether it trades memory for error or time: dials tell the points of one curve
            apart.
    """

    name: str
    read: Read
    metavar: str
    help: str
    default: str | Callable[[Row], str] | None = None
    default_words: str | None = None
    phrase: str | Callable[[Any], str] = "{}"
    says_default: bool = True
    is_dial: bool = False

    @property
    def option(self) -> str:
        """Return its name on the command line: ``--norm-bits``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def typed_default(self) -> list[str] | None:
        """Return the words of its option where the user types none."""
        return [self.default] if isinstance(self.default, str) else None

    def values(self, given: Sequence[str] | None = None) -> tuple[Any, ...]:
        """Return the values to sweep over; None, for a method to decide, where there are no words.

        Raises UsageError for what the option does not take.
        """
        words = given or self.typed_default
        return self.read(self.option, words) if words else (None,)

    def is_usual(self, row: Row) -> bool:
        """Return whether ``row`` has the default, or no value, of this knob."""
        value = row.get(self.name)
        default = self.default(row) if callable(self.default) else self.default
        return value is None or str(value) == default


def _knob(**declared: Any) -> Any:
    return field(default=None, metadata=declared)


def _one_of(place: str) -> Read:
    """Read names of what ``place`` holds, ``module:attribute``; imported when words are read."""
    return lambda option, given: parsing.names(option, given, resolve_name(place))


FAMILY_NAMES = ("conv", "relu", "pool", "act", "dropout", "norm", "linear", "functions")
"""The keys of ``xconv.conversion.FAMILIES``, also where torch is not imported."""


def _families(option: str, given: Sequence[str]) -> tuple[str, ...]:
    from xconv.conversion import FAMILIES

    return parsing.families(option, given, FAMILIES)


def _widths(option: str, given: Sequence[str]) -> tuple[int, ...]:
    from xconv.grouped import BITS

    return tuple(map(int, parsing.names(option, given, [str(bits) for bits in BITS])))


def _set_words(families: str) -> str:
    """Return ``all`` for every family there is, else their names."""
    return parsing.ALL if families == ",".join(FAMILY_NAMES) else families


def _plans(option: str, given: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(label_of, parsing.words(option, given)))


def _file_name(label: str) -> str:
    """Return ``plan.toml@1f0c44a2``, without the folder."""
    return label.rpartition("/")[2]


@dataclass(frozen=True)
class Knobs:
    """The knobs in the order of their columns; None where the method does not have the knob.

    ``first`` says what becomes of the convolution whose input is the batch: ``"exact"`` or
    ``"compressed"``. ``allot`` says whether the value of the dial holds for each ``"layer"`` or on
    average over the ``"network"``. ``plan`` is the path of a plan and the digest of its contents,
    which replace all other knobs of ``xconv``.
    """

    scheme: str | None = _knob(
        read=_one_of("xconv.schemes:SCHEMES"),
        metavar="NAME",
        help="Scheme by which xconv keeps the inputs of convolutions: independent, multi or "
        "orthogonal (set with --probes), spectral or quantized (--bits), or sampling (--keep). "
        "When only --probes or --bits is given: the default schemes that it sets.",
        default="independent,spectral",
    )
    probes: int | None = _knob(
        read=partial(parsing.integers, least=0),
        metavar="N",
        help="Probes per layer, for the schemes independent, multi and orthogonal; 0 keeps the "
        "inputs exactly.",
        default="8",
        phrase="r={}",
        is_dial=True,
    )
    distribution: str | None = _knob(
        read=_one_of("xconv.random:DISTRIBUTIONS"),
        metavar="NAME",
        help="Distribution of the probes: rademacher or gaussian.",
        default="rademacher",
        says_default=False,
    )
    compress: str | None = _knob(
        read=_families,
        metavar="SET",
        help="Families of modules that xconv, quantized, rad-sampling and the other methods of "
        f"convolutions compress, joined by commas: {', '.join(FAMILY_NAMES)}; or all. Repeat the "
        "option to compare several sets.",
        default="conv,relu",
        phrase=_set_words,
    )
    first: str | None = _knob(
        read=_one_of("xconv.conversion:FIRST"),
        metavar="NAME",
        help="Keep the input of the first convolution, which is the batch itself and in memory "
        "anyway, exact or compressed.",
        default="exact",
        phrase="first {}",
        says_default=False,
    )
    allot: str | None = _knob(
        read=_one_of("xconv.conversion:ALLOT"),
        metavar="NAME",
        help="Share out bits, probes or pixels: the same for every layer (layer), or the "
        "same on average, and more for layers that need more (network).",
        default=usual_allotment,
        default_words="network for spectral, else layer",
        phrase="by {}",
        says_default=False,
    )
    segments: int | None = _knob(
        read=partial(parsing.integers, least=1),
        metavar="N",
        help="Number of segments into which checkpoint groups the blocks of a network.",
        default_words="each block is one",
        phrase="{} segments",
        is_dial=True,
    )
    keep: float | None = _knob(
        read=parsing.fractions,
        metavar="X",
        help="Fraction of the pixels that rad-sampling and the scheme sampling keep, up to 1.",
        default="0.1",
        phrase="keep={}",
        is_dial=True,
    )
    bits: float | None = _knob(
        read=parsing.numbers,
        metavar="X",
        help="Bits per element: for spectral above 0 and up to 8; 1, 2, 4 or 8 for quantized, for "
        "saved-tensors, and for what the averages of dual-precision leave.",
        default_words="spectral 1, others 2",
        phrase="{:g} bits",
        is_dial=True,
    )
    budget: float | None = _knob(
        read=parsing.fractions,
        metavar="X",
        help="Fraction of the activations that compile-budget keeps, up to 1.",
        default="0.5",
        phrase="budget={}",
        is_dial=True,
    )
    rank: float | None = _knob(
        read=parsing.fractions,
        metavar="X",
        help="Fraction of each dimension of a convolution's input that low-rank keeps, up to 1.",
        default="0.5",
        phrase="rank={}",
        is_dial=True,
    )
    patch: int | None = _knob(
        read=partial(parsing.integers, least=1),
        metavar="N",
        help="Width and height in pixels of the windows that dual-precision averages, and of the "
        "patches of gradient-filter.",
        default_words="dual-precision 8, gradient-filter 2",
        phrase="patch={}",
        is_dial=True,
    )
    norm_bits: int | None = _knob(
        read=_widths,
        metavar="N",
        help="Bits per element that compressed normalization layers keep: 1, 2, 4 or 8.",
        default="4",
        phrase="norm {} bits",
        says_default=False,
    )
    plan: str | None = _knob(
        read=_plans,
        metavar="FILE",
        help="Plan that sets each module of the network for xconv, a file written by "
        "`xconv-bench advise`. It replaces the other knobs of xconv.",
        phrase=_file_name,
    )


KNOBS = {each.name: Knob(name=each.name, **each.metadata) for each in fields(Knobs)}
"""The declaration of each field of ``Knobs``, by its name."""
