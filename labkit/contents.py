"""Notebooks as JupyterLab's server reads and writes them: what is left of a widget goes with its notebook.

`./lab up` lets JupyterLab use this class (setup/jupyter/jupyter_server_config.py). See: `labkit.view.saved`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from labkit.view import saved

OLD = 30 * 86400  # seconds after which the file of a widget is removed


class Contents(AsyncLargeFileManager):  # type: ignore[misc]  # it has no types
    """Files, and in notebooks the newest HTML of each widget of labkit."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._directory = Path(os.environ[saved.VARIABLE])
        for file in self._directory.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # a kernel may be writing it
                if time.time() - file.stat().st_mtime > OLD:
                    file.unlink()

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:
        """A file; in a notebook, what is left of widgets whose kernel has gone."""
        model: dict[str, Any] = await super().get(path, content, **options)
        if content and model["type"] == "notebook":
            saved.replace_dead(model["content"], self._directory, self._kernels())
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Save a file; a notebook with the newest HTML of its widgets."""
        if model.get("type") == "notebook" and model.get("content"):
            saved.refresh(model["content"], self._directory)
        saved_model: dict[str, Any] = await super().save(model, path)
        return saved_model

    def _kernels(self) -> Iterator[int]:
        """The processes of all kernels."""
        manager = self.parent.kernel_manager
        for name in manager.list_kernel_ids():
            provisioner = manager.get_kernel(name).provisioner
            if provisioner is not None and provisioner.has_process:
                yield provisioner.pid
