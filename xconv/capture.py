"""Refusal of CUDA graphs, which replay the random numbers that were drawn during capture."""

import torch


def refuse_capture(device: torch.device) -> None:
    """Raise RuntimeError while a CUDA graph is captured on ``device``'s current stream.

    A captured kernel would use the same random numbers in every replay: the mean over steps would
    no longer be the exact gradient, and nothing would show it.
    """
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "a CUDA graph would use the same random numbers in every replay; capture without "
            "gradients (torch.no_grad), or the model that xconv.revert gives back, or use "
            "torch.compile instead"
        )
