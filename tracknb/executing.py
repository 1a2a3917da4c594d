"""A notebook's cells, run one after the other in a kernel of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def execute(
    notebook: Any,
    *,
    folder: str,
    environment: Mapping[str, str],
    timeout_seconds: int | None,
    python: Path | None = None,
    done: Callable[[], None] | None = None,
) -> None:
    """Run the cells of a notebook; their outputs are in it afterwards, also where one failed.

    Parameters
    ----------
    notebook
        As nbformat holds it.
    folder
        Where the kernel works.
    environment
        All of the kernel's environment variables.
    timeout_seconds
        The longest that one cell may take; any time if None.
    python
        Which Python runs the kernel, with ipykernel installed; this one if left out.
    done
        Called after each cell.

    Raises
    ------
    CellExecutionError, CellTimeoutError, DeadKernelError
        nbclient's own, from ``nbclient.exceptions``.
    KeyboardInterrupt
        Somebody stopped it; the kernel is ended.
    """
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=timeout_seconds,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        # The kernel's own warnings would run through the progress bar, and it complains when it is stopped.
        extra_arguments=["--log-level=CRITICAL"],
        # Every panel ends as a static output; a saved widget beside it would be dead weight.
        store_widget_state=False,
        record_timing=False,
        # Its on_cell_complete comes when a cell was sent, not when it has run.
        on_cell_executed=lambda **_: done() if done is not None else None,
    )
    if python is not None:
        client.km = _manager(python)
    try:
        client.execute(env=dict(environment))
    except KeyboardInterrupt:
        # Where a loop runs already, as in a notebook, the cells run in a thread that would go on.
        _stop(client)
        raise
    except Exception:
        # Where none does, nbclient takes the signal itself, ends the kernel and stumbles over its end.
        if getattr(client, "_async_cleanup_kernel_future", None) is not None:
            raise KeyboardInterrupt from None
        raise


def _stop(client: Any) -> None:
    from jupyter_core.utils import run_sync

    if client.km is not None:
        with contextlib.suppress(Exception):
            run_sync(client.km.shutdown_kernel)(now=True)


def _manager(python: Path) -> Any:
    """Return what starts kernels of another Python; what is installed for this one is not looked for."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class Specs(KernelSpecManager):  # type: ignore[misc,unused-ignore]
        def get_kernel_spec(self, kernel_name: str) -> Any:
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=Specs())
