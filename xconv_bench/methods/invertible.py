"""Reversible networks: blocks keep nothing, their inputs are computed from their outputs.

Source: Gomez et al., "The Reversible Residual Network", NeurIPS 2017, arXiv 1707.04585. Gradients
are exact to rounding. It constrains the architecture: the fair comparison is ``exact`` on the same
network, which then keeps everything.
"""

from torch import nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import CHANGING_LAYERS, Method
from xconv_bench.models.reversible import reversible_sequences
from xconv_bench.naming import model_words


class Invertible(Method):
    """Inverts the reversible sequences of a network that has some."""

    name = "invertible"
    follows = CHANGING_LAYERS

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model with inverting sequences. Raises Unsupported where it has none."""
        sequences = list(reversible_sequences(model))
        if not sequences:
            raise Unsupported(
                f"{model_words(configuration.model)} is not reversible: its blocks cannot be "
                "inverted; take --model revnet50 (or revnet38, revnet110), where exact is the same "
                "network storing everything"
            )
        for sequence in sequences:
            sequence.inverts = True
        return model
