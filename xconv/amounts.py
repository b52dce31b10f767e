"""Amounts of bytes as people write them."""

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
