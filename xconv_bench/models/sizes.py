"""The image sizes that a network can be trained at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSizes:
    """A set of image sizes in pixels a side, with ``in`` and with ``str`` for messages.

    >>> 64 in ImageSizes(smallest=63), 40 in ImageSizes(multiple=16)
    (True, False)
    >>> sizes = ImageSizes(smallest=63), ImageSizes(multiple=16), ImageSizes(224, largest=224)
    >>> tuple(map(str, sizes))
    ('at least 63 pixels', 'a multiple of 16 pixels', 'exactly 224 pixels')
    """

    smallest: int = 1
    largest: int | None = None
    multiple: int = 1

    def __contains__(self, image_size: int) -> bool:
        largest = image_size if self.largest is None else self.largest
        return self.smallest <= image_size <= largest and image_size % self.multiple == 0

    def __str__(self) -> str:
        if self.smallest == self.largest:
            return f"exactly {self.smallest} pixels"
        if self.multiple > 1:
            return f"a multiple of {self.multiple} pixels"
        return f"at least {self.smallest} pixels"


ANY_SIZE = ImageSizes()
