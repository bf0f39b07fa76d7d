"""Figures and images as the bytes of a file, in the form that the file's suffix names.

Nothing is imported here that draws: a figure or an image of PIL brings what writes it. Arrays become PNG by ourselves.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from fleetlog._values.values import Unusable, display, foreign

FIGURE_INVALID = "FIGURE_INVALID"
IMAGE_INVALID = "IMAGE_INVALID"
_COLOURS = {1: 0, 3: 2, 4: 6}
"""PNG's colour type by channels: grey, RGB, RGBA."""
_FORMATS = {".jpg": "jpeg", ".tif": "tiff"}


def figure_bytes(figure: Any, name: str, options: Mapping[str, Any]) -> bytes:
    """A figure of matplotlib (savefig) or plotly (HTML, or an image). Unusable: FIGURE_INVALID.

    `options` go to savefig, write_html or write_image.
    """
    with foreign(FIGURE_INVALID):
        suffix = PurePosixPath(name).suffix.lower()
        if callable(save := getattr(figure, "savefig", None)):
            out = io.BytesIO()
            save(out, **{"format": suffix[1:] or "png", **options})
            return out.getvalue()
        if not callable(getattr(figure, "write_html", None)):
            raise TypeError(f"{display(figure)} is no figure of matplotlib or plotly")
        if suffix in (".html", ".htm", ""):
            return str(figure.to_html(**{"include_plotlyjs": "cdn", **options})).encode()
        return bytes(figure.to_image(**{"format": suffix[1:], **options}))


def image_bytes(image: Any, name: str) -> bytes:
    """An image of PIL, or an array of pixels by rows: (height, width), or with 1, 3 or 4 channels behind.

    Whole numbers are 0 to 255, floats 0 to 1, truths black and white; what is beyond is cut. Unusable: IMAGE_INVALID.
    """
    with foreign(IMAGE_INVALID):
        suffix = PurePosixPath(name).suffix.lower() or ".png"
        if not callable(getattr(image, "save", None)):
            pixels = _pixels(image)
            if suffix == ".png":
                return _png(pixels)
            image = _pil(pixels)
        out = io.BytesIO()
        image.save(out, format=_FORMATS.get(suffix, suffix[1:]))
        return out.getvalue()


def _pixels(image: Any) -> Any:
    """Rows of bytes, as a numpy array of shape (height, width, channels)."""
    try:
        import numpy
    except ImportError:
        raise Unusable("PACKAGE_MISSING", "numpy is not installed: pip install 'fleetlog[numpy]'") from None
    found = image
    for step in ("detach", "cpu", "numpy"):
        # A tensor: what it holds, where this process can see it.
        if not isinstance(found, numpy.ndarray) and callable(convert := getattr(found, step, None)):
            found = convert()
    found = numpy.asarray(found)
    if found.ndim == 2:
        found = found[:, :, None]
    if found.ndim != 3 or found.shape[2] not in _COLOURS or not found.size:
        raise ValueError(
            f"an array of shape {tuple(found.shape)} is no image: (height, width) or with 1, 3, 4 channels"
        )
    if found.dtype.kind == "b":
        return found.astype(numpy.uint8) * numpy.uint8(255)
    if found.dtype.kind == "f":
        # NaN is black.
        return (numpy.nan_to_num(numpy.clip(found, 0.0, 1.0), nan=0.0) * 255.0).round().astype(numpy.uint8)
    if found.dtype.kind not in "iu":
        raise TypeError(f"an array of {found.dtype} is no image: give numbers")
    return numpy.clip(found, 0, 255).astype(numpy.uint8)


def _png(pixels: Any) -> bytes:
    """PNG (ISO/IEC 15948): 8 bits a channel, rows without a filter."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _pil(pixels: Any) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise Unusable(
            "PACKAGE_MISSING", "arrays become .png; for other images pillow is not installed: pip install pillow"
        ) from None
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
