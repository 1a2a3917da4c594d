"""Which data went into a run: its name, digest, schema, size and where it came from.

Names, digests and the texts that are stored are MLflow's, so that the same data logged
by both is known to be the same. Only the first 10,000 rows or values go into a digest;
``fingerprint`` looks at all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tracknb import config
from tracknb.capture import environment
from tracknb.entities import (
    DATASET_CONTEXT_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    USER_TAG,
    DatasetInput,
    InputTag,
)
from tracknb.entities import Dataset as DatasetEntity
from tracknb.errors import InvalidValue, NotFound, of_system

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Arrays = np.ndarray | Mapping[str, np.ndarray]

_DIGEST_ROWS: Final = 10_000
_DIGEST_LENGTH: Final = 8
_BYTES: Final = 1 << 20


class Source:
    """Where data came from: a path, an address, or the code that made it.

    Parameters
    ----------
    source_type
        ``"local"``, ``"http"``, ``"s3"`` and other schemes of addresses, or ``"code"``.
    fields
        What is stored of it: ``uri``, ``url`` or ``tags``.
    """

    def __init__(self, source_type: str, fields: Mapping[str, Any]) -> None:
        self.source_type = source_type
        self._fields = dict(fields)

    @property
    def uri(self) -> str | None:
        """Return the path or the address; None for code."""
        found = self._fields.get("uri", self._fields.get("url"))
        return None if found is None else str(found)

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self._fields)

    def to_json(self) -> str:
        """Return what is stored, as text."""
        return json.dumps(self._fields)

    def load(self) -> str:
        """Return the path of the data on this machine.

        Raises
        ------
        NotFound
            It is not a file of this machine; the message tells where it is.
        """
        if self.source_type == "local" and self.uri is not None and os.path.exists(self.uri):
            return self.uri
        place = f"at {self.uri}" if self.uri is not None else "made by code"
        raise NotFound(f"This data is no file of this machine: it is {place} ({self.source_type}). Read it from there.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and (self.source_type, self._fields) == (other.source_type, other._fields)

    def __hash__(self) -> int:
        return hash((self.source_type, self.to_json()))

    def __repr__(self) -> str:
        return f"Source({self.source_type!r}, {self._fields!r})"


class Dataset:
    """Data that can be given to ``log_input``; made by ``from_pandas``, ``from_numpy``, ``from_file``.

    Attributes
    ----------
    name, digest
        Together they name the data within an experiment.
    source
        Where it came from.
    """

    def __init__(self, source: Source, name: str | None, digest: str) -> None:
        self.source = source
        self.name = "dataset" if name is None else str(name)
        self.digest = str(digest)

    @property
    def schema(self) -> dict[str, Any] | None:
        """Return the names and types of the columns, in MLflow's form; None where they have none."""
        return None

    @property
    def profile(self) -> dict[str, Any] | None:
        """Return how much data it is."""
        return None

    def fingerprint(self) -> str:
        """Return a digest of the whole content: two that differ are different data."""
        return self.digest

    def to_dict(self) -> dict[str, str | None]:
        """Return what is stored; ``source``, ``schema`` and ``profile`` are JSON."""
        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": self.source.source_type,
            "schema": None if self.schema is None else json.dumps(self.schema, default=str),
            "profile": None if self.profile is None else json.dumps(self.profile, default=str),
        }

    def to_json(self) -> str:
        """Return what is stored, as one text."""
        return json.dumps(self.to_dict())

    def to_entity(self) -> DatasetEntity:
        """Return what the store keeps."""
        stored = self.to_dict()
        return DatasetEntity(
            name=self.name,
            digest=self.digest,
            source_type=self.source.source_type,
            source=self.source.to_json(),
            schema=stored["schema"],
            profile=stored["profile"],
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} ({self.digest}) from {self.source.uri or 'code'}>"


class PandasDataset(Dataset):
    """A DataFrame; see ``from_pandas``."""

    def __init__(
        self,
        df: pd.DataFrame,
        source: Source,
        targets: str | None,
        name: str | None,
        digest: str | None,
        predictions: str | None,
    ) -> None:
        for what, column in (("targets", targets), ("predictions", predictions)):
            if column is not None and column not in df.columns:
                raise InvalidValue(
                    f"The DataFrame has no column {column!r}, which was given as {what}. "
                    f"Its columns: {', '.join(map(str, list(df.columns)[:20]))}."
                )
        super().__init__(source, name, digest or _pandas_digest(df))
        self.df = df
        self.targets = targets
        self.predictions = predictions

    @property
    def schema(self) -> dict[str, Any] | None:
        """Return the names and types of the columns, in MLflow's form; None where a type has no name there."""
        columns = []
        for name, column in self.df.items():
            kind = _column_type(column)
            if kind is None:
                return None
            columns.append({"type": kind, "name": name, "required": not bool(column.isna().any())})
        return {"mlflow_colspec": columns}

    @property
    def profile(self) -> dict[str, Any] | None:
        """Return the numbers of rows and of values."""
        return {"num_rows": len(self.df), "num_elements": int(self.df.size)}

    def fingerprint(self) -> str:
        """Return a digest of every value of every column, of their order and the names."""
        import pandas as pd

        digest = hashlib.sha256(f"{len(self.df)}".encode())
        for name, column in self.df.items():
            digest.update(f"\0{name}\0{column.dtype}\0".encode(errors="surrogatepass"))
            try:
                hashes = pd.util.hash_pandas_object(column, index=False)
            except (TypeError, ValueError):
                # Lists and the like have no hash of their own.
                hashes = pd.util.hash_pandas_object(column.map(_told), index=False)
            digest.update(hashes.to_numpy().tobytes())
        return digest.hexdigest()


class NumpyDataset(Dataset):
    """An array, or several by name, with or without targets; see ``from_numpy``."""

    def __init__(
        self, features: Arrays, source: Source, targets: Arrays | None, name: str | None, digest: str | None
    ) -> None:
        super().__init__(source, name, digest or _numpy_digest(features, targets))
        self.features = features
        self.targets = targets

    @property
    def schema(self) -> dict[str, Any] | None:
        """Return the types and shapes, in MLflow's form."""
        return {
            "mlflow_tensorspec": {
                "features": _tensor_types(self.features),
                "targets": None if self.targets is None else _tensor_types(self.targets),
            }
        }

    @property
    def profile(self) -> dict[str, Any] | None:
        """Return shapes, numbers of values and bytes."""
        found = {}
        for what, arrays in (("features", self.features), ("targets", self.targets)):
            if arrays is None:
                continue
            for measure in ("shape", "size", "nbytes"):
                found[f"{what}_{measure}"] = (
                    {name: getattr(array, measure) for name, array in arrays.items()}
                    if isinstance(arrays, Mapping)
                    else getattr(arrays, measure)
                )
        return found

    def fingerprint(self) -> str:
        """Return a digest of all values."""
        import numpy as np

        digest = hashlib.sha256()
        for arrays in (self.features, self.targets):
            named = sorted(arrays.items()) if isinstance(arrays, Mapping) else [("", arrays)]
            for name, array in named:
                values = np.asarray(array)
                digest.update(f"\0{name}\0{values.dtype}\0{values.shape}\0".encode(errors="surrogatepass"))
                whole = np.ascontiguousarray(values)
                digest.update(repr(values.tolist()).encode() if values.dtype.hasobject else whole.tobytes())
        return digest.hexdigest()


class FileDataset(Dataset):
    """A file or a folder as it lies on the disk; see ``from_file``."""

    def __init__(self, path: Path, source: Source, name: str | None, digest: str | None) -> None:
        self._size, content = _file_digest(path)
        super().__init__(source, path.resolve().name if name is None else name, digest or content[:_DIGEST_LENGTH])
        self.path = path
        self._content = content

    @property
    def profile(self) -> dict[str, Any] | None:
        """Return the number of bytes."""
        return {"num_bytes": self._size}

    def fingerprint(self) -> str:
        """Return a digest of all bytes."""
        return self._content


def from_pandas(
    df: pd.DataFrame,
    source: str | os.PathLike[str] | Source | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PandasDataset:
    """Say which DataFrame a run uses.

    Parameters
    ----------
    df
        The data; it is looked at, not kept.
    source
        The path or address that it was read from; this code if left out.
    targets, predictions
        Names of columns.
    name
        ``"dataset"`` if left out.
    digest
        At most 36 characters; made of the data if left out, as MLflow makes it.

    Raises
    ------
    InvalidValue
        A column that was named is not there.

    Examples
    --------
    >>> import pandas as pd, tracknb
    >>> data = tracknb.data.from_pandas(pd.DataFrame({"fare": [4.5, 12.0]}), source="taxi.csv", name="taxi")
    >>> data.digest, data.profile
    ('7cd1519e', {'num_rows': 2, 'num_elements': 2})
    """
    if not hasattr(df, "columns") or not hasattr(df, "select_dtypes"):
        raise InvalidValue(f"from_pandas takes a DataFrame, not {type(df).__name__}. Nothing was logged.")
    return PandasDataset(df, _as_source(source), targets, name, digest, predictions)


def from_numpy(
    features: Arrays,
    source: str | os.PathLike[str] | Source | None = None,
    targets: Arrays | None = None,
    name: str | None = None,
    digest: str | None = None,
) -> NumpyDataset:
    """Say which arrays a run uses; ``features`` and ``targets`` may be dictionaries of arrays."""
    given = _as_arrays(features)
    return NumpyDataset(given, _as_source(source), None if targets is None else _as_arrays(targets), name, digest)


def _as_arrays(values: Any) -> Arrays:
    import numpy as np

    try:
        if isinstance(values, Mapping):
            return {str(key): np.asarray(value) for key, value in values.items()}
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidValue(f"These values make no array: {error}. Nothing was logged.") from error
    if values is None:
        raise InvalidValue("from_numpy takes an array, or a dictionary of arrays, not None. Nothing was logged.")
    return array


def from_file(path: str | os.PathLike[str], name: str | None = None, digest: str | None = None) -> FileDataset:
    """Say which file, or which folder of files, a run uses; its bytes are read once for the digest.

    Raises
    ------
    NotFound
        Nothing is at this path.
    """
    found = Path(path)
    if not found.exists():
        raise NotFound(f"There is no file or folder {os.fspath(path)!r} to log as data.")
    if not found.is_dir() and not found.is_file():
        raise InvalidValue(f"{os.fspath(path)} is a pipe, socket or device, whose content cannot be named by a digest.")
    if config.is_of_store(found):
        raise InvalidValue(f"{os.fspath(path)} is the store itself, which SQLite must read alone. Log a copy of it.")
    return FileDataset(found, _as_source(path), name, digest)


def get_source(dataset: Dataset | DatasetEntity | DatasetInput) -> Source:
    """Return where data came from; it may be what ``run.inputs.dataset_inputs`` holds."""
    if isinstance(dataset, Dataset):
        return dataset.source
    entity = dataset.dataset if isinstance(dataset, DatasetInput) else dataset
    try:
        fields = json.loads(entity.source)
    except ValueError:
        fields = None
    return Source(entity.source_type, fields if isinstance(fields, dict) else {"uri": entity.source})


def as_dataset(data: Any) -> Dataset:
    """Return data as a dataset: a DataFrame, an array or a path will do.

    Raises
    ------
    InvalidValue
        It is something else.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, os.PathLike)):
        return from_file(data)
    kind = type(data)
    # Looked up by name: neither package is imported for this.
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in kind.__mro__}
    if "pandas.DataFrame" in names:
        return from_pandas(data)
    if "pandas.Series" in names:
        return from_pandas(data.to_frame())
    if "numpy.ndarray" in names:
        return from_numpy(data)
    if callable(getattr(data, "to_dict", None)) and hasattr(data, "digest"):
        return _Foreign(data)
    raise InvalidValue(
        f"log_input takes a dataset, a DataFrame, an array or a path, not {kind.__name__}. "
        "Make one with tracknb.data.from_pandas, from_numpy or from_file."
    )


class _Foreign(Dataset):
    """A dataset of MLflow's own classes."""

    def __init__(self, dataset: Any) -> None:
        try:
            stored = dict(dataset.to_dict())
            fields = json.loads(stored["source"])
            kind, name, digest = stored["source_type"], stored["name"], stored["digest"]
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidValue(f"This dataset does not say what it is ({error!r}). Nothing was logged.") from error
        if isinstance(fields, dict):
            fields = {
                key: _without_secrets(value) if isinstance(value, str) else value for key, value in fields.items()
            }
        else:
            fields = {"uri": _without_secrets(str(fields))}
        super().__init__(Source(kind, fields), name, digest)
        self._stored = stored

    @property
    def schema(self) -> dict[str, Any] | None:
        return None if self._stored.get("schema") is None else dict(json.loads(self._stored["schema"]))

    @property
    def profile(self) -> dict[str, Any] | None:
        return None if self._stored.get("profile") is None else dict(json.loads(self._stored["profile"]))


def as_input(data: Any, context: str | None, tags: Mapping[str, Any] | None) -> DatasetInput:
    """Return data with what it was used for."""
    if tags is not None and not isinstance(tags, Mapping):
        raise InvalidValue(f"Tags are a dictionary, not {type(tags).__name__}. Nothing was logged.")
    found = [InputTag(str(key), str(value)) for key, value in (tags or {}).items()]
    if context is not None:
        found.append(InputTag(DATASET_CONTEXT_TAG, str(context)))
    return DatasetInput(as_dataset(data).to_entity(), found)


def _as_source(source: str | os.PathLike[str] | Source | None) -> Source:
    if isinstance(source, Source):
        return source
    if source is None:
        return Source(
            "code",
            {
                "tags": {
                    USER_TAG: environment.user_name(),
                    SOURCE_NAME_TAG: config.script_name(),
                    SOURCE_TYPE_TAG: "LOCAL",
                }
            },
        )
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidValue(f"A source is a path or an address, not {type(source).__name__}. Nothing was logged.")
    text = os.fsdecode(source)
    try:
        scheme = urlsplit(text).scheme.lower() if config.is_url(text) else ""
    except ValueError as error:
        raise InvalidValue(f"{text[:80]!r} is no address: {error}.") from error
    if scheme in ("http", "https"):
        return Source("http", {"url": _without_secrets(text)})
    if scheme in ("", "file"):
        return Source("local", {"uri": _without_secrets(text)})
    return Source(scheme, {"uri": _without_secrets(text)})


def _without_secrets(address: str) -> str:
    """Return an address as it may be stored: whoever opens the store reads it.

    Logins and options go: both may be keys.
    """
    if "://" not in address:
        return address
    place, mark, _ = address.partition("#")[0].partition("?")
    return re.sub(r"://[^/@]+@", "://***@", place) + ("?***" if mark else "")


def _told(value: object) -> str:
    """Return what a value says of itself, as text that can be hashed."""
    return repr(value).encode("utf-8", "backslashreplace").decode()


def _md5(elements: Iterable[Any]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for element in elements:
        digest.update(element)
    return digest.hexdigest()[:_DIGEST_LENGTH]


def _pandas_digest(df: pd.DataFrame) -> str:
    """Return MLflow's digest: rows of text and number columns, the number of rows, the names."""
    import numpy as np
    import pandas as pd

    head = df.head(_DIGEST_ROWS)
    # ``str`` itself: MLflow leaves out a column that holds anything else besides.
    texts = head.columns[[all(type(item) is str for item in column) for _, column in head.items()]]
    chosen = texts.union(head.select_dtypes(include=[np.number]).columns)
    try:
        hashes = pd.util.hash_pandas_object(head[chosen]).to_numpy()
    except (TypeError, ValueError):
        # An index, or texts, that pandas cannot hash; MLflow refuses such data.
        hashes = np.frombuffer(repr(head.to_dict("split")).encode("utf-8", "backslashreplace"), np.uint8)
    return _md5([hashes, np.int64(len(df)), *(str(name).encode("utf-8", "backslashreplace") for name in df.columns)])


def _numpy_digest(features: Arrays, targets: Arrays | None) -> str:
    """Return MLflow's digest: values and shapes."""
    import numpy as np
    import pandas as pd

    elements: list[Any] = []
    for arrays in (features, targets):
        if arrays is None:
            continue
        for array in [arrays[key] for key in sorted(arrays)] if isinstance(arrays, Mapping) else [arrays]:
            flat = np.asarray(array).flatten()[:_DIGEST_ROWS]
            try:
                elements.append(pd.util.hash_array(flat))
            except (TypeError, ValueError):
                elements.append(np.int64(flat.size))
            elements += [np.int64(length) for length in np.shape(array)]
    return _md5(elements)


def _file_digest(path: Path) -> tuple[int, str]:
    """Return the bytes of a file, or of all files of a folder with their names, and a digest of them."""
    digest, size = hashlib.sha256(), 0
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    for file in files:
        if config.is_of_store(file):
            # Closing a SQLite file by hand drops the locks that this process holds on it.
            continue
        if file != path:
            told = f"{posixpath.join(*file.relative_to(path).parts)}\0{file.stat().st_size}\0"
            digest.update(told.encode(errors="surrogateescape"))
        try:
            with open(file, "rb") as content:
                while chunk := content.read(_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise of_system(error, file) from error
    return size, digest.hexdigest()


def _column_type(column: pd.Series[Any]) -> str | None:
    """Return MLflow's name of a column's type."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) or kind == "boolean":
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        name = str(dtype).lower()
        if name in ("uint64",):
            return None
        return "long" if name in ("int64", "uint32") else "integer"
    if pd.api.types.is_float_dtype(dtype):
        return "double" if str(dtype).lower() == "float64" else "float"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    return {"string": "string", "bytes": "binary", "empty": "string", "datetime": "datetime", "date": "datetime"}.get(
        kind
    )


def _tensor_types(arrays: Arrays) -> str:
    named = arrays.items() if isinstance(arrays, Mapping) else [(None, arrays)]
    found = []
    for name, array in named:
        kind = array.dtype.name if array.dtype.kind not in "US" else {"U": "str", "S": "bytes"}[array.dtype.kind]
        # The first axis is the one that counts rows, so its length is no part of the type.
        spec = {"type": "tensor", "tensor-spec": {"dtype": kind, "shape": [-1, *array.shape[1:]]}}
        found.append(spec if name is None else {"name": name, **spec})
    return json.dumps(found)
