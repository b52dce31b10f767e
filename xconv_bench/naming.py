"""Names of configurations in words: for labels, messages, columns and files."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from xconv_bench.knobs import KNOBS, Knob

_DIALS = tuple(knob for knob in KNOBS.values() if knob.is_dial)
_LONGEST_NAME = 120
_DETAILS = tuple(knob for knob in KNOBS.values() if not knob.is_dial and knob.name != "scheme")


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
    words = [key.get("task"), key["model"], method_words(key)]
    words += [f"batch {key['batch_size']}"] if "batch_size" in key else []
    words += [f"{key['image_size']} px", key["dtype"], key["device"], f"seed {key['seed']}"]
    readable = _as_file("-".join(str(word) for word in words if word))[:_LONGEST_NAME]
    return f"{readable}-{_digest(key)}"


def training_name(key: Mapping[str, Any]) -> str:
    """Return a name for the files of a training: readable, and unlike any other's in a run."""
    words = [key["task"], method_words(key)]
    words += [f"batch {key['batch_size']}", f"lr {key['learning_rate']}", f"{key['epochs']} epochs"]
    words += [key["data"], key["model"], key["image_size"], key["dtype"], key["device"]]
    words += ["equal memory" if key["equal_memory"] else "", f"seed {key['seed']}"]
    text = " ".join(str(word) for word in words if word)
    name = _as_file(text)
    return name if len(name) <= _LONGEST_NAME * 3 // 2 else f"{name[:_LONGEST_NAME]}-{_digest(key)}"


def _as_file(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=]+", "-", text).strip("-")


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.blake2b(repr(sorted(key.items())).encode(), digest_size=4).hexdigest()
