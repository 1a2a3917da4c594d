"""Our addresses under Jupyter's: ``tracknb/stores``, ``tracknb/runs``, ``tracknb/cells`` and ``tracknb/ask``.

Each asks Jupyter who is there and what they may do. The work is done by other threads, so
that a store on a slow disk never stops the kernels' messages.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from http import HTTPStatus
from logging import Logger, LoggerAdapter
from typing import Any, Final

import tornado.web
from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from traitlets import List, Unicode
from traitlets.config import LoggingConfigurable

from tracknb import answers, config
from tracknb.capture.environment import user_name
from tracknb.entities import star_tag
from tracknb.errors import TracknbError
from tracknb.jupyter.changes import Changes
from tracknb.jupyter.stores import ServedStore, Stores
from tracknb.jupyter.threads import Turns
from tracknb.looking.listing import RunList, cell_list, run_list

_ROWS: Final = 200
_MOST_ROWS: Final = 2_000
# An answer with binary parts: how long its JSON is, how many parts follow, how long each is; then all of them.
_PACKED: Final = "application/vnd.tracknb.answer"


class Tracknb(LoggingConfigurable):
    """What Jupyter's configuration says of tracknb, as ``c.Tracknb.stores = [...]``."""

    stores = List(
        Unicode(), help="Stores outside of the server's folder that its pages may look into: files, or addresses."
    ).tag(config=True)
    artifacts = List(
        Unicode(), help="Folders and addresses outside of the server's folder where files of runs may be read."
    ).tag(config=True)


class Desk:
    """What all handlers of one server share."""

    def __init__(self, root: str, options: Tracknb) -> None:
        self.stores = Stores(root, _sound([*options.stores, *_inherited()], options.log), options.artifacts)
        self.changes = Changes()
        self.turns = Turns()


def load(server: ServerApp) -> None:
    """Hang our addresses into a Jupyter server."""
    desk = Desk(server.root_dir, Tracknb(parent=server))
    base = url_path_join(server.web_app.settings["base_url"], "tracknb")
    handlers = {"stores": StoresHandler, "runs": RunsHandler, "cells": CellsHandler, "ask": AskHandler}
    server.web_app.add_handlers(  # type: ignore[no-untyped-call]
        ".*$", [(url_path_join(base, name), handler, {"desk": desk}) for name, handler in handlers.items()]
    )


class _Handler(APIHandler):
    # Who may not look at files may not look at runs.
    auth_resource = "contents"
    # A panel that asks every few seconds must not keep an idle server from being stopped.
    _track_activity = False

    def initialize(self, desk: Desk) -> None:
        self.desk = desk

    async def respond(self, step: Callable[[], tuple[bytes, str]]) -> None:
        """Answer with what a step makes, or with what was wrong."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        try:
            body, kind = await self.desk.turns.work(self.get_query_argument("store", ""), step)
        except TracknbError as problem:
            self.set_status(problem.get_http_status_code())
            body, kind = _as_json({"message": str(problem)})
        self.finish(body, set_content_type=kind)

    def store(self) -> ServedStore:
        """Return the store that the page names; looks at the disk, so not for the event loop."""
        return self.desk.stores.get(self.get_query_argument("store", ""))


class StoresHandler(_Handler):
    """The stores there are, and the one that a notebook most likely uses."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page that opens."""
        document = self.get_query_argument("document", "")

        def step() -> tuple[bytes, str]:
            found, likely, is_guess = self.desk.stores.around(document)
            return _as_json(
                {
                    "stores": [item.key for item in found],
                    "likely": likely.key if likely is not None else None,
                    "isGuess": is_guess,
                    "star": star_tag(user_name()),
                    "root": self.desk.stores.shown_root,
                }
            )

        await self.respond(step)


class RunsHandler(_Handler):
    """The newest runs of a store, or of one of its notebooks: all of them, or what changed since a revision."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the panel."""
        query, experiment, document, since = (
            self.get_query_argument(name, "") for name in ("query", "experiment", "document", "since")
        )
        starred = self.get_query_argument("starred", "") == "true"
        limit = _limit(self.get_query_argument("limit", str(_ROWS)))

        def step() -> tuple[bytes, str]:
            store, stores = self.store(), self.desk.stores
            notebook = stores.source_names(document, store) if document else ()

            def read() -> RunList:
                found = run_list(
                    stores.client(store),
                    query=query,
                    experiment=experiment or None,
                    notebook=notebook,
                    starred=starred,
                    limit=limit,
                )
                for row in found.rows.values():
                    name = row.pop("notebook")
                    row["document"] = document if name in notebook else stores.document(name)
                return found

            asked = ("runs", store.key, query, experiment, notebook, starred, limit)
            return _as_json(self.desk.changes.since(asked, since, store.state(), read))

        await self.respond(step)


class CellsHandler(_Handler):
    """What the runs of each cell of a notebook came to, or what changed of it since a revision."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a notebook's page."""
        document, since = self.get_query_argument("document", ""), self.get_query_argument("since", "")

        def step() -> tuple[bytes, str]:
            store, stores = self.store(), self.desk.stores
            names = stores.source_names(document, store)
            asked = ("cells", store.key, names)
            return _as_json(
                self.desk.changes.since(asked, since, store.state(), lambda: cell_list(stores.client(store), names))
            )

        await self.respond(step)


class AskHandler(_Handler):
    """Questions of views, as a kernel answers them; POST because a question may be long."""

    @tornado.web.authenticated
    @authorized("read", resource="contents")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Answer a view."""
        asked = self._question()
        if answers.is_writing(asked):
            # Stars, notes and tags: for those who may change files.
            may = await ensure_async(
                self.authorizer.is_authorized(self, self.current_user, "write", self.auth_resource)
            )
            if not may:
                raise tornado.web.HTTPError(HTTPStatus.FORBIDDEN, "You may look at runs here, but not change them.")

        def step() -> tuple[bytes, str]:
            found = answers.answer(asked, client=self.desk.stores.client(self.store()))
            return _packed(found) if found.buffers else _as_json(found.content)

        await self.respond(step)

    def _question(self) -> dict[str, Any]:
        try:
            asked = json.loads(self.request.body)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise tornado.web.HTTPError(HTTPStatus.BAD_REQUEST, "A question is a JSON object.")
        return asked


def _inherited() -> list[str]:
    """Return the store that the server's environment gives to every kernel."""
    uri = config.environment_uri()
    # A file that is relative is each folder's own.
    return [uri] if uri and not _is_relative(uri) else []


def _sound(named: Sequence[str], log: Logger | LoggerAdapter[Logger]) -> list[str]:
    """Return the addresses that are some; of the others the server's log tells."""
    sound = []
    for uri in named:
        try:
            config.locate(uri)
        except TracknbError as problem:
            log.warning("tracknb passes over a store that the configuration names: %s", problem)
        else:
            sound.append(uri)
    return sound


def _is_relative(uri: str) -> bool:
    path = uri.removeprefix("sqlite:///")
    return "://" not in path and not path.startswith(("/", "~")) and path[1:2] != ":"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _MOST_ROWS):
        raise tornado.web.HTTPError(HTTPStatus.BAD_REQUEST, f"limit is a number from 1 to {_MOST_ROWS}.")
    return int(text)


def _as_json(content: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode(), "application/json"


def _packed(answer: answers.Answer) -> tuple[bytes, str]:
    head, _ = _as_json(answer.content)
    sizes = [len(head), len(answer.buffers), *map(len, answer.buffers)]
    return b"".join([struct.pack(f"<{len(sizes)}I", *sizes), head, *answer.buffers]), _PACKED
