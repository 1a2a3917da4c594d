"""Older schemas made new: one Alembic revision in ``versions`` for each schema number.

A new store gets its tables from ``schema.py`` and never runs these. A released revision
is not edited any more; a mistake in it is a new revision. Revisions may be run again
after they were cut short: MySQL keeps every step of a transaction that failed.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from tracknb.store.upgrades import versions

if TYPE_CHECKING:
    import sqlalchemy as sa


def upgrade(connection: sa.Connection, version: int) -> None:
    """Bring the tables behind a connection from schema ``version`` to the newest."""
    # Imported here: only a store that is older than its reader needs Alembic.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
    with Operations.context(context):
        for number, name in _revisions():
            if number > version:
                importlib.import_module(f"{versions.__name__}.{name}").upgrade()


def _revisions() -> list[tuple[int, str]]:
    """Return the schema numbers and module names of the revisions, in order."""
    found = (module.name for module in pkgutil.iter_modules(versions.__path__))
    return sorted((int(name.split("_")[1]), name) for name in found)
