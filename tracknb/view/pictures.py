"""Charts as picture files. Vega-Lite is drawn by vl-convert, which needs no browser and no network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from tracknb.errors import MissingExtra

if TYPE_CHECKING:
    import altair as alt

ENDINGS: Final = (".svg", ".png", ".pdf")
# Twice the size of the screen: for print, and for screens with small pixels.
_SCALE: Final = 2


def drawn(chart: alt.TopLevelMixin, ending: str) -> bytes:
    """Return the picture of a chart, for a name that ends in ``.svg``, ``.png`` or ``.pdf``.

    Raises
    ------
    MissingExtra
        vl-convert is not installed.
    """
    try:
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            'Pictures are drawn by vl-convert. Install it with: pip install "tracknb[export]", or save a page: .html'
        ) from error
    kind: Any = ending.removeprefix(".")
    file: Any = io.StringIO() if kind == "svg" else io.BytesIO()
    options: dict[str, Any] = {"scale_factor": _SCALE} if kind == "png" else {}
    chart.save(file, format=kind, **options)
    content = file.getvalue()
    return content.encode() if isinstance(content, str) else bytes(content)
