"""Where the store is and which options hold: the only reader of ``os.environ``.

The order is: a call, then an option of the magic or command, then the environment,
then the default ``tracknb.db`` in the working directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from tracknb.errors import InvalidValue

DEFAULT_URI: Final = "sqlite:///tracknb.db"
DEFAULT_BUSY_SECONDS: Final = 60.0
_KNOWN_FORMS: Final = (
    "sqlite:///runs.db, a plain path such as runs.db, postgresql://user@host/database or "
    "mysql+pymysql://user@host/database"
)
Backend = Literal["sqlite", "postgresql", "mysql"]
_SERVERS: Final[dict[str, Backend]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A store: a SQLite file, or a database on a server.

    Parameters
    ----------
    backend
        The kind of database.
    uri
        The address in full, with a password if it has one: for opening, never for showing.
    shown
        The file, or the server's address without password: what messages name.
    artifact_root
        Where the files of new experiments go, as the tables keep it: an absolute folder, a URL,
        or ``./`` and a folder beside the store file, which moves with it.
    spool_base
        What the names of this store's spools begin with.
    path
        The absolute path of the file with links resolved; None for a server.
    """

    backend: Backend
    uri: str = field(repr=False)
    shown: str
    artifact_root: str
    spool_base: Path
    path: Path | None = None


def environment_uri() -> str | None:
    """Return the tracking URI that the environment names, tracknb's own variable first."""
    return os.environ.get("TRACKNB_TRACKING_URI") or os.environ.get("MLFLOW_TRACKING_URI") or None


def environment_experiment() -> tuple[str | None, str | None]:
    """Return the experiment's id and name that the environment gives."""
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or None, os.environ.get("MLFLOW_EXPERIMENT_NAME") or None


def environment_run_id() -> str | None:
    """Return the id of the run that a launcher opened for this process."""
    return os.environ.get("MLFLOW_RUN_ID") or None


# Set for the kernel of a replay: the id of the run that is replayed.
REPLAY_VARIABLE: Final = "TRACKNB_REPLAY_OF"


def environment_replay_of() -> str | None:
    """Return the id of the run that this process replays."""
    return os.environ.get(REPLAY_VARIABLE) or None


def forget_environment_run_id() -> None:
    """Take the run that the environment names out of it: only the first run of a process is meant."""
    os.environ.pop("MLFLOW_RUN_ID", None)


def busy_seconds() -> float:
    """Return how long a call waits for a store that others hold, or that cannot be reached."""
    given = os.environ.get("TRACKNB_BUSY_SECONDS")
    if not given:
        return DEFAULT_BUSY_SECONDS
    with contextlib.suppress(ValueError):
        seconds = float(given)
        if 0 <= seconds < math.inf:
            # Beyond this the system's clocks do not count.
            return min(seconds, 1e6)
    raise InvalidValue(f"TRACKNB_BUSY_SECONDS is a number of seconds such as 60, not '{given}'.")


def may_overwrite_params() -> bool:
    """Tell whether the environment lets a param be logged again with another value."""
    return _is_set("TRACKNB_OVERWRITE_PARAMS")


def is_durable() -> bool:
    """Tell whether the environment asks that every call reaches the disk before it returns."""
    return _is_set("TRACKNB_DURABLE")


def keeps_outputs() -> bool:
    """Tell whether tracked cells keep what they display; the environment may say no."""
    return "TRACKNB_OUTPUTS" not in os.environ or _is_set("TRACKNB_OUTPUTS")


def allowed_variables() -> list[str]:
    """Return the names of environment variables that runs may keep besides the harmless ones."""
    return re.split(r"[\s,]+", os.environ.get("TRACKNB_ENV_ALLOW", "").strip())


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def resolve_uri(uri: str | os.PathLike[str]) -> str:
    """Return a tracking URI with its path made absolute, as it holds from now on.

    Relative paths are relative to the working directory of this moment, so a later
    ``os.chdir`` does not move the store. A password that was hidden by ``without_password``
    comes back.

    Raises
    ------
    InvalidValue
        The scheme is none that tracknb knows.
    """
    return locate(uri).uri


def locate(uri: str | os.PathLike[str]) -> StoreLocation:
    """Return what is behind a tracking URI or path.

    Raises
    ------
    InvalidValue
        The scheme is none that tracknb knows, or the path is a folder.
    """
    text = os.fsdecode(uri)
    if not text:
        raise InvalidValue(f"A tracking URI cannot be empty. Use {_KNOWN_FORMS}.")
    if text.startswith("sqlite:"):
        path = Path(_sqlite_path(text))
    elif text.startswith("file:"):
        path = Path(unquote(urlsplit(text).path))
    elif "://" in text:
        return _locate_server(text)
    else:
        # Unlike Path.expanduser this leaves the home of a user who is not there as it is.
        path = Path(os.path.expanduser(text))
    # With links resolved: SQLite keeps its own files beside the real one, and so do we.
    path = Path(os.path.realpath(path))
    if os.path.isdir(path):
        raise InvalidValue(f"{path} is a folder; a store is one file. Use sqlite:///{path / 'tracknb.db'}")
    return StoreLocation(
        backend="sqlite",
        uri=f"sqlite:///{path}",
        shown=str(path),
        artifact_root=_artifact_root(f"./{path.stem}-artifacts"),
        spool_base=path,
        path=path,
    )


def _locate_server(text: str) -> StoreLocation:
    # Only the scheme is shown when it is refused: what follows may hold a password.
    scheme = text.split("://", 1)[0]
    backend = _SERVERS.get(scheme.split("+", 1)[0].lower())
    if backend is None:
        raise InvalidValue(f"This version of tracknb does not open '{scheme}://' stores. Use {_KNOWN_FORMS}.")
    text = _full.get(text, text)
    shown = without_password(text)
    if not urlsplit(shown).path.strip("/"):
        raise InvalidValue(f"'{shown}' names no database: write {scheme}://user@host/database.")
    digest = hashlib.sha256(shown.encode()).hexdigest()[:16]
    return StoreLocation(
        backend=backend,
        uri=text,
        shown=shown,
        artifact_root=_artifact_root(os.path.abspath("tracknb-artifacts")),
        spool_base=state_folder() / f"store-{digest}",
    )


# Addresses with their password, by how they are shown: what get_tracking_uri() returned
# can be given to set_tracking_uri() again.
_full: dict[str, str] = {}


def without_password(uri: str) -> str:
    """Return an address as it may be shown: a password, also one among its options, is ``***``."""
    parts = urlsplit(uri)
    place = parts.netloc
    login, at, host = place.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        place = f"{user}:***{at}{host}"
    options = "&".join(
        f"{item.partition('=')[0]}=***" if "pass" in item.partition("=")[0].lower() else item
        for item in parts.query.split("&")
    )
    if place == parts.netloc and options == parts.query:
        return uri
    shown = urlunsplit((parts.scheme, place, parts.path, options, parts.fragment))
    _full[shown] = uri
    return shown


def state_folder() -> Path:
    """Return a folder of this user's for what must outlive the process, made if it is new.

    ``TRACKNB_STATE_DIR`` or the desktop's state folder; where neither can be written, a
    folder in the system's place for temporary files.
    """
    given = os.environ.get("TRACKNB_STATE_DIR")
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    # The user's number in the name: on a shared machine each needs a folder of their own.
    own = getattr(os, "getuid", lambda: "user")()
    for folder in (
        Path(given) if given else Path(home, "tracknb"),
        Path(tempfile.gettempdir(), f"tracknb-{own}"),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return Path(os.path.realpath(folder))
    return folder


def _artifact_root(default: str) -> str:
    given = os.environ.get("TRACKNB_ARTIFACT_ROOT")
    return artifact_place(given) if given else default


_store_paths: set[str] = set()


def note_store(path: Path) -> None:
    """Remember a SQLite store that this process has open: its files are not to be opened by hand."""
    _store_paths.add(str(path))


def is_of_store(path: Path) -> bool:
    """Tell whether a file belongs to a store that this process has open, by whatever name it is reached."""
    for store in _store_paths:
        if path.name.startswith(f"{os.path.basename(store)}-"):
            # The WAL, its index, a spool.
            return True
        with contextlib.suppress(OSError):
            if os.path.samefile(path, store):
                return True
    return False


def is_url(place: str) -> bool:
    """Tell whether files lie somewhere else than in a folder of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.\-]+://", place) is not None


def artifact_place(given: str | os.PathLike[str]) -> str:
    """Return where files go as it holds from now on: an absolute folder, or a URL.

    Raises
    ------
    InvalidValue
        The address holds a password or options, or is no address.

    Examples
    --------
    >>> artifact_place("s3://bucket/team/")
    's3://bucket/team'
    >>> artifact_place("file:///srv/artifacts")
    '/srv/artifacts'
    """
    text = os.fsdecode(given)
    if text.startswith("file:"):
        return os.path.abspath(unquote(urlsplit(text).path))
    if not is_url(text):
        if re.match(r"(s3a?|gs|gcs|abfss?|az|https?):", text):
            raise InvalidValue(f"'{text}' has too few slashes: write {text.split(':')[0]}://bucket/folder.")
        if "://" in text:
            raise InvalidValue(
                "An artifact address is a folder, or a URL such as s3://bucket/folder, not a chain of them."
            )
        return os.path.abspath(os.path.expanduser(text))
    scheme, rest = text.split("://", 1)
    host = rest.split("/", 1)[0]
    # Only the scheme is shown: what follows may hold a key.
    if "?" in rest or "#" in rest or "::" in rest:
        raise InvalidValue(
            f"The artifact address '{scheme}://...' has options, which would be kept in the store. "
            f"Write {scheme}://bucket/folder; credentials and options come from the environment."
        )
    if ":" in host.rpartition("@")[0] or ("@" in host and scheme.lower() in ("s3", "s3a", "gs", "gcs")):
        raise InvalidValue(
            f"The artifact address '{scheme}://***@{host.rpartition('@')[2]}/...' holds a key or a password, which "
            f"would be kept in the store. Leave it out; credentials come from the environment, as {scheme}:// has them."
        )
    if not host or ".." in rest.split("/") or "\x00" in rest:
        raise InvalidValue(f"'{text}' is no address of a folder: write {scheme}://bucket/folder.")
    return f"{scheme.lower()}://{rest.rstrip('/')}"


def s3_endpoint() -> str | None:
    """Return the S3 service that the environment names if it is not AWS, without a password."""
    # botocore reads AWS's variables by itself; MLflow's own one goes before them there as well.
    for variable in ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        given = os.environ.get(variable)
        if given:
            if without_password(given) != given:
                raise InvalidValue(f"{variable} holds a password. Leave it out: {without_password(given)}")
            return given
    return None


def cloud_digest() -> str:
    """Return what changes when the environment's cloud credentials do, and tells nothing of them."""
    named = sorted(
        item for item in os.environ.items() if item[0].startswith(("AWS_", "AZURE_", "GOOGLE_", "MLFLOW_S3"))
    )
    return hashlib.sha256(repr(named).encode()).hexdigest()


def _sqlite_path(text: str) -> str:
    if not text.startswith("sqlite:///"):
        raise InvalidValue(f"'{text}' has too few slashes: write sqlite:///runs.db, or sqlite:////folder/runs.db.")
    # Options are passed over; a question mark may also stand in a file's name.
    path = re.sub(r"\?\w+=[^?]*\Z", "", text.removeprefix("sqlite:///"))
    if not path or path == ":memory:":
        raise InvalidValue("A store in memory would be lost with the kernel. Use sqlite:///runs.db.")
    return path


def script_name() -> str:
    """Return what started this process, as the source of runs that no notebook owns."""
    name = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c") else "python"
    # A file's name may be no text: what is not becomes question marks.
    return name.encode("utf-8", "replace").decode()


@dataclass(slots=True)
class _SystemMetrics:
    """What calls have chosen; None leaves it to the environment."""

    enabled: bool | None = None
    interval: float | None = None
    samples: int | None = None
    node: str | None = None


_system = _SystemMetrics()
_SYSTEM_INTERVAL: Final = 10.0


def choose_system_metrics(**chosen: Any) -> None:
    """Choose ``enabled``, ``interval``, ``samples`` or ``node`` for this process; None goes back to the environment."""
    interval, samples = chosen.get("interval"), chosen.get("samples")
    if interval is not None and not (isinstance(interval, (int, float)) and 0 < interval < float("inf")):
        raise InvalidValue(f"The sampling interval is a number of seconds above 0, not {interval!r}.")
    if samples is not None and not (isinstance(samples, int) and samples > 0):
        raise InvalidValue(f"Samples before logging are a whole number from 1 on, not {samples!r}.")
    for name, value in chosen.items():
        setattr(_system, name, value)


def wants_system_metrics() -> bool:
    """Tell whether runs are to log system metrics that do not say it themselves."""
    return _is_set("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING") if _system.enabled is None else _system.enabled


def system_metrics_interval() -> float:
    """Return the seconds between two samples."""
    if _system.interval is not None:
        return float(_system.interval)
    return _positive("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", _SYSTEM_INTERVAL)


def system_metrics_samples() -> int:
    """Return how many samples become one point."""
    return _system.samples or max(1, int(_positive("MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", 1)))


def system_metrics_node() -> str:
    """Return what this machine is called among those of one run; nothing where it is alone."""
    return _system.node or os.environ.get("MLFLOW_SYSTEM_METRICS_NODE_ID", "")


def _positive(variable: str, default: float) -> float:
    given = os.environ.get(variable)
    if not given:
        return default
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise InvalidValue(f"{variable} is a number above 0, not {given!r}.")
    return number


@dataclass(slots=True)
class _Choice:
    """The tracking URI of this process: as it was given, and as it holds."""

    given: str | None = None
    resolved: str | None = None


_choice = _Choice()


def choose_uri(uri: str | os.PathLike[str] | None) -> None:
    """Make a tracking URI the one of this process; None goes back to environment and default."""
    if uri is None:
        _choice.given = _choice.resolved = None
        return
    resolved = resolve_uri(uri)
    _choice.given, _choice.resolved = os.fsdecode(uri), resolved


def is_chosen() -> bool:
    """Tell whether this process has chosen a tracking URI itself."""
    return _choice.given is not None


def tracking_uri() -> str:
    """Return the tracking URI that holds, as it was given but for a password."""
    return without_password(_choice.given or environment_uri() or DEFAULT_URI)


def resolved_uri() -> str:
    """Return the tracking URI that holds, with its path absolute."""
    return _choice.resolved or resolve_uri(environment_uri() or DEFAULT_URI)
