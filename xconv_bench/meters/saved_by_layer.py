"""What autograd keeps for each layer, and for the whole network."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from xconv_bench.meters.saved import Saved, SavedMeter


class LayerSavedMeter(SavedMeter):
    """Bytes that autograd saved while one of the ``layers`` ran, modules by name, layer by layer.

    A storage that two layers save, such as the input that they share, counts for both, and once
    for the network.
    """

    def __init__(
        self, layers: Mapping[str, Sequence[nn.Module]], excluded: Iterable[Tensor]
    ) -> None:
        super().__init__(excluded)
        self._layers = layers
        self._running: list[str] = []
        self._hooks_of_layers: list[RemovableHandle] = []

    def __enter__(self) -> "LayerSavedMeter":
        for name, modules in self._layers.items():
            for module in modules:
                self._hooks_of_layers += [
                    nn.Module.register_forward_pre_hook(
                        module, lambda *_, name=name: self._enter(name)
                    ),
                    nn.Module.register_forward_hook(
                        module, lambda *_: self._leave(), always_call=True
                    ),
                ]
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for hook in self._hooks_of_layers:
            hook.remove()

    @property
    def bytes_by_layer(self) -> dict[str, int]:
        """What is kept now for each of the layers, in their order."""
        return {
            name: self._kept_bytes(saved for saved in self._saved if saved.owner == name)
            for name in self._layers
        }

    def _pack(self, tensor: Tensor) -> Saved:
        saved = super()._pack(tensor)
        saved.owner = self._running[-1] if self._running else ""
        return saved

    def _enter(self, name: str) -> None:
        self._running.append(name)

    def _leave(self) -> None:
        self._running.pop()
