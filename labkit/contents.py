"""How the course's JupyterLab reads and saves files.

The index page is brought up to date when it is asked for, and what is left of a widget goes with its notebook. Named in
setup/jupyter/jupyter_server_config.py. No other module imports it, for it needs jupyter_server.

See: `labkit.copies`, `labkit.view.saved`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from labkit import copies
from labkit.errors import LabError
from labkit.view import saved

OLD = 30 * 86400  # seconds after which the file of a widget is removed


class CourseContents(AsyncLargeFileManager):  # type: ignore[misc]  # jupyter_server gives no types
    """The files of the work directory; in notebooks the newest HTML of each widget of labkit."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._directory = Path(os.environ[saved.VARIABLE])
        for file in self._directory.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # a kernel may be writing it
                if time.time() - file.stat().st_mtime > OLD:
                    file.unlink()

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:
        """A file; in a notebook, what is left of widgets whose kernel has gone."""
        if path.strip("/") == copies.INDEX:
            try:
                await asyncio.to_thread(copies.refresh, Path(self.root_dir))
            except LabError as error:  # a full disk, say: then the page as it was
                self.log.warning("%s", error)
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
