"""Names of configurations in words: for labels, messages, columns and files."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from xconv_bench.knobs import KNOBS, Knob

_DIALS = tuple(knob for knob in KNOBS.values() if knob.is_dial)
_LONGEST_NAME = 120
_DETAILS = tuple(knob for knob in KNOBS.values() if not knob.is_dial and knob.name != "scheme")


GIVEN = ("inputs", "loss")
"""The things of the user's own that may be a part of a network's name."""
_BEGIN, _BETWEEN, _MARK = "?", "&", "@"


def join_model(model: str, given: Mapping[str, tuple[str, str]]) -> str:
    """Return ``MODEL?inputs=FILE.py:callable@DIGEST``: a network with things of the user's own.

    ``given`` holds the name and the digest of each.
    """
    words = [f"{option}={name}{_MARK}{digest}" for option, (name, digest) in given.items()]
    return f"{model}{_BEGIN}{_BETWEEN.join(words)}" if words else model


def split_model(name: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the network of a name, and the name and digest of each thing that is given."""
    model, _, rest = name.partition(_BEGIN)
    parts = dict(part.split("=", 1) for part in rest.split(_BETWEEN) if "=" in part)
    if not parts or not set(parts) <= set(GIVEN):
        return name, {}
    labels = {option: label.rpartition(_MARK) for option, label in parts.items()}
    return model, {option: (label, digest) for option, (label, _, digest) in labels.items()}


def model_words(name: str) -> str:
    """Return ``net.py:Net``: the network of a row, without inputs and loss of the user's own."""
    return split_model(name)[0]


def whole_model_words(name: str, with_digests: bool = False) -> str:
    """Return ``net.py:Net (inputs net.py:batch, loss net.py:loss)``, digests of files if asked."""
    model, given = split_model(name)
    words = ", ".join(
        f"{option} {_MARK.join(label) if with_digests else label[0]}"
        for option, label in given.items()
    )
    return f"{model} ({words})" if words else model


def models_apart(names: Iterable[str], whole: bool = False) -> dict[str, str]:
    """Return words for each network, as few as tell it from all the others.

    If ``whole``, inputs and loss of the user's own are in them.
    """
    distinct = set(names)
    for words in (whole_model_words,) if whole else (model_words, whole_model_words):
        found = {name: words(name) for name in distinct}
        if len(set(found.values())) == len(distinct):
            return found
    return {name: whole_model_words(name, with_digests=True) for name in distinct}


def method_words(row: Mapping[str, Any]) -> str:
    """Return ``xconv multi r=8 relu``: the method of a row and its knobs."""
    details = (_knob_words(knob, row) for knob in _DETAILS)
    words = (row["method"], row["scheme"], dial_words(row), *details)
    return " ".join(str(each) for each in words if each)


def dial_words(row: Mapping[str, Any]) -> str:
    """Return ``r=8`` or ``2 bits``: the knobs that trade memory for error or time; often nothing.

    Methods that are combined may have several.
    """
    return " ".join(words for knob in _DIALS if (words := _knob_words(knob, row)))


def estimator_words(row: Mapping[str, Any]) -> str:
    """Return ``xconv multi relu``: the method and its knobs, without the dials."""
    return method_words({**row, **dict.fromkeys(knob.name for knob in _DIALS)})


def _knob_words(knob: Knob, row: Mapping[str, Any]) -> str:
    value = row.get(knob.name)
    if value is None or (knob.is_usual(row) and not knob.says_default):
        return ""
    return knob.phrase(value) if callable(knob.phrase) else said(knob.phrase, value)


def said(phrase: str, value: Any) -> str:
    """Return ``2 bits`` or ``1 bit``."""
    words = phrase.format(value)
    return words.removesuffix("s") if value == 1 else words


def cell_name(key: Mapping[str, Any]) -> str:
    """Return a name for files about a cell: readable, and unlike that of any other cell."""
    words = [key.get("task"), model_words(key["model"]), method_words(key)]
    words += [f"batch {key['batch_size']}"] if "batch_size" in key else []
    words += [f"{key['image_size']} px", key["dtype"], key["device"], f"seed {key['seed']}"]
    readable = _as_file("-".join(str(word) for word in words if word))[:_LONGEST_NAME]
    return f"{readable}-{_digest(key)}"


def training_name(key: Mapping[str, Any]) -> str:
    """Return a name for the files of a training: readable, and unlike any other's in a run."""
    words = [key["task"], method_words(key)]
    words += [f"batch {key['batch_size']}", f"lr {key['learning_rate']}", f"{key['epochs']} epochs"]
    words += [
        key["data"],
        model_words(key["model"]),
        key["image_size"],
        key["dtype"],
        key["device"],
    ]
    words += ["equal memory" if key["equal_memory"] else "", f"seed {key['seed']}"]
    text = " ".join(str(word) for word in words if word)
    name = _as_file(text)
    return name if len(name) <= _LONGEST_NAME * 3 // 2 else f"{name[:_LONGEST_NAME]}-{_digest(key)}"


def _as_file(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=]+", "-", text).strip("-")


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.blake2b(repr(sorted(key.items())).encode(), digest_size=4).hexdigest()
