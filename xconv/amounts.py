"""Amounts of bits and bytes as people write them."""

_UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def bytes_in_words(count: int) -> str:
    """Return ``count`` bytes to three digits, in the largest unit of which there is one.

    >>> bytes_in_words(393216), bytes_in_words(4816896), bytes_in_words(512)
    ('384 KiB', '4.59 MiB', '512 bytes')
    """
    for unit, size in _UNITS.items():
        if count >= size:
            return f"{float(f'{count / size:.3g}'):g} {unit}"
    return f"{count} bytes"


def bits_an_element(bits: float) -> str:
    """Return ``bits`` per element in words.

    >>> bits_an_element(0.5), bits_an_element(1)
    ('0.5 bits an element', '1 bit an element')
    """
    return f"{bits:g} bit{'s' * (bits != 1)} an element"
