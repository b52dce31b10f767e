"""The schemes, by name.

A new scheme is one file here and one line in this one.

>>> sorted(SCHEMES)
['independent', 'multi', 'orthogonal', 'quantized', 'sampling', 'spectral']
"""

from xconv.schemes.base import Probes
from xconv.schemes.independent import Independent
from xconv.schemes.multi import Multi
from xconv.schemes.orthogonal import Orthogonal
from xconv.schemes.quantized import Quantized
from xconv.schemes.sampling import Sampling
from xconv.schemes.scheme import Scheme
from xconv.schemes.spectral import Spectral

PROBED: dict[str, Probes] = {
    scheme.name: scheme for scheme in (Multi(), Independent(), Orthogonal())
}
"""Schemes that keep random projections."""
SCHEMES: dict[str, Scheme] = {
    **PROBED,
    **{scheme.name: scheme for scheme in (Spectral(), Quantized(), Sampling())},
}

__all__ = ["PROBED", "SCHEMES", "Probes", "Scheme"]
