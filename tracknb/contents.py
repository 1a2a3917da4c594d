"""What people log as files, to bytes and back: dictionaries, figures, tables, images."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from tracknb.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    import pandas as pd
    import PIL.Image

# The longer side of the small copy that MLflow's pages show of a logged image.
_SMALL_IMAGE: Final = 256
_IMAGE_KEY: Final = re.compile(r"[\w\-. /]+\Z")


def dictionary_bytes(dictionary: Mapping[str, Any] | Sequence[Any], artifact_file: str) -> bytes:
    """Return a dictionary as JSON, or as YAML where the file is called ``.yml`` or ``.yaml``."""
    if re.search(r"\.ya?ml$", artifact_file):
        try:
            import yaml  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            # JSON is YAML: without the library the file is valid, if less pretty.
            pass
        else:
            return str(yaml.safe_dump(dictionary, sort_keys=False)).encode()
    return json.dumps(dictionary, indent=2, default=str).encode()


def figure_bytes(figure: Any, artifact_file: str, save_kwargs: Mapping[str, Any] | None) -> bytes:
    """Return a matplotlib, Plotly or Altair figure as the file its name's ending says."""
    suffix = PurePosixPath(artifact_file).suffix.lstrip(".") or "png"
    options = dict(save_kwargs or {})
    if hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        figure.savefig(buffer, **{"format": suffix, **options})
        return buffer.getvalue()
    if hasattr(figure, "write_html") and hasattr(figure, "to_image"):
        return (
            figure.to_html(**options).encode() if suffix == "html" else bytes(figure.to_image(format=suffix, **options))
        )
    if hasattr(figure, "to_html") and hasattr(figure, "to_json"):
        if suffix not in ("html", "json"):
            raise InvalidValue(f"An Altair chart is kept as .html or .json, not as '{artifact_file}'.")
        return str(figure.to_html(**options) if suffix == "html" else figure.to_json(**options)).encode()
    raise InvalidValue(
        f"log_figure takes a matplotlib, Plotly or Altair figure, not {type(figure).__name__}. Nothing was logged."
    )


# -- tables -------------------------------------------------------------------------------


def as_table(data: Any) -> pd.DataFrame:
    """Return a DataFrame; a dictionary gives its columns, or one row if its values are no lists."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, Mapping):
        raise InvalidValue(f"A table is a DataFrame or a dictionary, not {type(data).__name__}. Nothing was logged.")
    # Lists as they are: pandas would turn whole numbers beside a gap into floats.
    lengths = {len(values) for values in data.values() if isinstance(values, (list, tuple))}
    exact = {
        name: pd.Series(list(values), dtype=object) if isinstance(values, (list, tuple)) else values
        for name, values in data.items()
    }
    try:
        return pd.DataFrame(exact if len(lengths) < 2 else dict(data))
    except ValueError:
        try:
            return pd.DataFrame([dict(data)])
        except ValueError as error:
            raise InvalidValue(f"This dictionary makes no table: {error}. Nothing was logged.") from error


def table_bytes(table: pd.DataFrame, artifact_file: str, before: bytes | None = None) -> bytes:
    """Return a table as the file its name's ending says: ``.json`` (MLflow's form) or ``.parquet``.

    Parameters
    ----------
    table
        The rows.
    artifact_file
        The name.
    before
        The file to whose rows these are added.

    Raises
    ------
    InvalidValue
        A value or a column's name would not come back as it is.
    """
    check_table_name(artifact_file)
    if not table.columns.is_unique:
        raise InvalidValue(
            "The columns of a table have names that differ; two of these are the same. Nothing was logged."
        )
    odd = next((name for name in table.columns if not isinstance(name, (str, int))), None)
    if odd is not None:
        raise InvalidValue(
            f"A table's columns are called by a text or a whole number, not {odd!r:.60}. Nothing was logged."
        )
    if artifact_file.endswith(".parquet"):
        return _parquet_bytes(table, artifact_file, before)
    columns = {name: [_plain(item, name) for item in table[name].tolist()] for name in table.columns}
    count = len(table)
    if before is not None:
        held = _read_json(before, artifact_file)
        # Without rows there are no columns to take apart.
        by_column = zip(*held["data"], strict=True)
        earlier = {name: list(values) for name, values in zip(held["columns"], by_column, strict=False)}
        rows = len(held["data"])
        names = list(dict.fromkeys([*held["columns"], *columns]))
        columns = {name: [*earlier.get(name, [None] * rows), *columns.get(name, [None] * count)] for name in names}
    data = [list(row) for row in zip(*columns.values(), strict=True)]
    text = json.dumps({"columns": list(columns), "data": data}, separators=(",", ":"))
    # JSON has no word for infinities; a number beyond all floats reads as one.
    return _INFINITY.sub(r"\1\g<2>1e999", text).encode()


_INFINITY: Final = re.compile(r"([\[,])(-?)Infinity(?=[\],])")


def _plain(value: Any, column: object) -> Any:
    """Return a cell as JSON has it, so that it comes back as it is."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, column) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, column) for item in value]
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    for turn in ("tolist", "isoformat"):
        if callable(getattr(value, turn, None)):
            return _plain(getattr(value, turn)(), column)
    raise InvalidValue(
        f"The column {column!r} holds a {type(value).__name__}, which JSON cannot keep. Nothing was logged. "
        "Turn it into text or numbers first."
    )


def _parquet_bytes(table: pd.DataFrame, artifact_file: str, before: bytes | None) -> bytes:
    import pandas as pd

    buffer = io.BytesIO()
    try:
        if before is not None:
            table = pd.concat([read_table(before, artifact_file), table], ignore_index=True)
        table.to_parquet(buffer, index=False)
    except ImportError as error:
        raise _no_parquet() from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValue(f"The table cannot be kept as {artifact_file}: {error}. Nothing was logged.") from error
    return buffer.getvalue()


def _read_json(content: bytes, artifact_file: str) -> dict[str, Any]:
    try:
        held = json.loads(content)
        columns, data = held["columns"], held["data"]
        if len(set(columns)) == len(columns) and all(len(row) == len(columns) for row in data):
            return {"columns": columns, "data": data}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidValue(f"The file {artifact_file} holds no table: {error}.") from error
    raise InvalidValue(f"The file {artifact_file} holds no table: its rows do not fit its columns.")


def read_table(content: bytes, artifact_file: str) -> pd.DataFrame:
    """Return the table that a file holds; texts stay texts, also those that look like numbers."""
    import pandas as pd

    if artifact_file.endswith(".parquet"):
        try:
            return pd.read_parquet(io.BytesIO(content))
        except ImportError as error:
            raise _no_parquet() from error
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise InvalidValue(f"The file {artifact_file} holds no table: {error}.") from error
    held = _read_json(content, artifact_file)
    columns = zip(*held["data"], strict=True) if held["data"] else [()] * len(held["columns"])
    return pd.DataFrame({name: _series(list(values)) for name, values in zip(held["columns"], columns, strict=True)})


def _series(values: list[Any]) -> pd.Series[Any]:
    """Return a column; whole numbers with gaps stay whole."""
    import pandas as pd

    is_whole = all(item is None or type(item) is int for item in values)
    if is_whole and None in values and any(item is not None for item in values):
        return pd.Series(values, dtype="Int64" if all(abs(item or 0) < 1 << 63 for item in values) else object)
    return pd.Series(values)


def check_table_name(artifact_file: str) -> None:
    """Refuse a name that is no table's."""
    if not artifact_file.endswith((".json", ".parquet")):
        raise InvalidValue(f"A table is kept as .json or .parquet, not as '{artifact_file}'. Nothing was logged.")


def _no_parquet() -> MissingExtra:
    return MissingExtra('Parquet files need pyarrow. Install: pip install "pyarrow", or keep the table as .json.')


# -- images -------------------------------------------------------------------------------


def as_image(image: Any) -> PIL.Image.Image:
    """Return a Pillow image for an array of pixels, or for what is one already.

    Parameters
    ----------
    image
        Height × width, or height × width × 1, 3 or 4. Whole numbers from 0 to 255, or floats
        from 0 to 1; floats beyond are stretched from their lowest to their highest.

    Raises
    ------
    InvalidValue
        It is no image.
    MissingExtra
        Pillow is not installed.
    """
    try:
        import PIL.Image
    except ImportError as error:
        raise _no_pillow() from error
    if isinstance(image, PIL.Image.Image):
        return image
    to_pil = getattr(image, "to_pil", None)
    if callable(to_pil):
        return to_pil()  # type: ignore[no-any-return]
    import numpy as np

    pixels = np.asarray(image)
    is_flat = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4))
    if pixels.dtype.kind not in "biuf" or not is_flat or pixels.size == 0:
        raise InvalidValue(
            f"An image is a Pillow image or an array of height × width (× 1, 3 or 4) numbers, not "
            f"{type(image).__name__} of shape {pixels.shape} and type {pixels.dtype}. Nothing was logged."
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return PIL.Image.fromarray(_as_bytes(pixels))


def _no_pillow() -> MissingExtra:
    return MissingExtra('Images need Pillow. Install: pip install "pillow"')


def _as_bytes(pixels: Any) -> Any:
    import numpy as np

    if pixels.dtype.kind in "iu":
        low, high = pixels.min(), pixels.max()
        if low < 0 or high > 255:
            raise InvalidValue(f"Whole pixels go from 0 to 255, these from {low} to {high}. Nothing was logged.")
        return pixels.astype(np.uint8)
    values = pixels.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidValue("An image has no NaN and no infinite pixels. Nothing was logged.")
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        values = (values - low) / (high - low) if high > low else np.clip(values, 0, 1)
    return (values * 255).astype(np.uint8)


def open_image(content: bytes, name: str) -> PIL.Image.Image:
    """Return the image that a file holds."""
    try:
        import PIL.Image
    except ImportError as error:
        raise _no_pillow() from error
    try:
        image = PIL.Image.open(io.BytesIO(content))
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidValue(f"The file {name} is no image: {error}.") from error
    return image


def image_bytes(image: PIL.Image.Image, artifact_file: str) -> bytes:
    """Return an image as the file its name's ending says."""
    import PIL.Image

    kind = PIL.Image.registered_extensions().get(PurePosixPath(artifact_file).suffix.lower())
    if kind is None:
        raise InvalidValue(f"'{artifact_file}' has no ending of an image, such as .png or .jpg. Nothing was logged.")
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=kind)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidValue(f"The image cannot be kept as {artifact_file}: {error}. Nothing was logged.") from error
    return buffer.getvalue()


def small(image: PIL.Image.Image) -> PIL.Image.Image:
    """Return a copy that fits into a square of 256 pixels."""
    scale = _SMALL_IMAGE / max(image.size)
    width, height = (max(1, int(side * scale)) for side in image.size)
    return image.resize((width, height))


def image_names(key: str, step: int, timestamp: int, unique: str) -> tuple[str, str]:
    """Return the files of an image of a series, and of its small copy, as MLflow 3 calls them."""
    if not _IMAGE_KEY.match(key):
        raise InvalidValue(
            f"The image key {key!r} holds a character that is refused. Use letters, digits, spaces and _ - . / . "
            "Nothing was logged."
        )
    base = f"images/{key.replace('/', '~')}+step+{step}+timestamp+{timestamp}+{unique}"
    return f"{base}.png", f"{base}+compressed.webp"
