"""The probing schemes, by name. A new one is one file and one line here."""

from xconv.schemes.base import Scheme
from xconv.schemes.independent import Independent
from xconv.schemes.multi import Multi
from xconv.schemes.orthogonal import Orthogonal

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme for scheme in (Multi(), Independent(), Orthogonal())
}

__all__ = ["SCHEMES", "Scheme"]
