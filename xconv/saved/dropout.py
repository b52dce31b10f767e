"""Dropout modules that draw what torch's draw and keep one bit for each draw."""

from typing import Any

from torch import Tensor, nn

from xconv.saved.drop import alpha_dropout, dropout, feature_alpha_dropout, feature_dropout
from xconv.saved.module import Saving, instead_of
from xconv.saved.relu import ONE_BIT


class _OfElements(Saving):
    def _xconv_account(self) -> tuple[bool, str]:
        return True, ONE_BIT


class _OfChannels(Saving):
    def _xconv_account(self) -> tuple[bool, str]:
        return True, "one bit a channel"


def _features(dimensions: int) -> Any:
    def run(module: Any, input: Tensor) -> Tensor:
        return feature_dropout(dimensions, input, module.p, module.training, module.inplace)

    return run


class XDropout(_OfElements, nn.Dropout):
    """``torch.nn.Dropout`` that keeps one bit per element.

    Draws, outputs and gradients are torch's. Any floating dtype.

    >>> x = torch.randn(4, 3)
    >>> _ = torch.manual_seed(0); ours = XDropout(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.Dropout(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(nn.Dropout.forward, lambda m, x: dropout(x, m.p, m.training, m.inplace))


class XDropout1d(_OfChannels, nn.Dropout1d):
    """``torch.nn.Dropout1d`` that keeps one bit per channel.

    Draws, outputs and gradients are torch's. torch keeps a number per channel. Any floating dtype.

    >>> x = torch.randn(2, 3, 5)
    >>> _ = torch.manual_seed(0); ours = XDropout1d(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.Dropout1d(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(nn.Dropout1d.forward, _features(1))


class XDropout2d(_OfChannels, nn.Dropout2d):
    """``torch.nn.Dropout2d`` that keeps one bit per channel.

    Draws, outputs and gradients are torch's. Any floating dtype.

    >>> x = torch.randn(2, 3, 5, 5)
    >>> _ = torch.manual_seed(0); ours = XDropout2d(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.Dropout2d(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(nn.Dropout2d.forward, _features(2))


class XDropout3d(_OfChannels, nn.Dropout3d):
    """``torch.nn.Dropout3d`` that keeps one bit per channel.

    Draws, outputs and gradients are torch's. Any floating dtype.

    >>> x = torch.randn(2, 3, 4, 4, 4)
    >>> _ = torch.manual_seed(0); ours = XDropout3d(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.Dropout3d(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(nn.Dropout3d.forward, _features(3))


class XAlphaDropout(_OfElements, nn.AlphaDropout):
    """``torch.nn.AlphaDropout`` that keeps one bit per element.

    Draws, outputs and gradients are torch's. Any floating dtype.

    >>> x = torch.randn(4, 3)
    >>> _ = torch.manual_seed(0); ours = XAlphaDropout(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.AlphaDropout(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(nn.AlphaDropout.forward, lambda m, x: alpha_dropout(x, m.p, m.training))


class XFeatureAlphaDropout(_OfChannels, nn.FeatureAlphaDropout):
    """``torch.nn.FeatureAlphaDropout`` that keeps one bit per channel.

    Draws, outputs and gradients are torch's. Any floating dtype.

    >>> x = torch.randn(2, 3, 5, 5)
    >>> _ = torch.manual_seed(0); ours = XFeatureAlphaDropout(0.5)(x)
    >>> _ = torch.manual_seed(0); theirs = nn.FeatureAlphaDropout(0.5)(x)
    >>> torch.equal(ours, theirs)
    True
    """

    forward = instead_of(
        nn.FeatureAlphaDropout.forward, lambda m, x: feature_alpha_dropout(x, m.p, m.training)
    )


DROPOUTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: XDropout,
    nn.Dropout1d: XDropout1d,
    nn.Dropout2d: XDropout2d,
    nn.Dropout3d: XDropout3d,
    nn.AlphaDropout: XAlphaDropout,
    nn.FeatureAlphaDropout: XFeatureAlphaDropout,
}
