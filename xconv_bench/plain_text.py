"""Text from elsewhere, such as a network's error or a file's name, made safe to show."""

import re

# Control characters and escape sequences, half characters, ends of lines that are none to most
# programs, what turns the direction of text, and the two that no XML may hold.
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Return ``text`` with each character that acts instead of being seen as its escape.

    A line break or a tab becomes an escape, too: the text is one line. Characters that are shown
    already stay as it is.

    >>> visible("\x1b[31mred\x1b[0m"), visible("a\nb"), visible("naïve 数 🙂")
    ('\\x1b[31mred\\x1b[0m', 'a\\nb', 'naïve 数 🙂')
    """
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
