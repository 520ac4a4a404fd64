"""How the course's JupyterLab reads files: as any, but the index page is brought up to date when it is asked for.

Named in setup/jupyter/jupyter_server_config.py. No other module imports it, for it needs jupyter_server.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from labkit import copies
from labkit.errors import LabError


class CourseContents(AsyncLargeFileManager):
    """The files of the work directory."""

    async def get(self, path: str, *args: Any, **options: Any) -> Any:
        """The file, with its content unless ``content=False``."""
        if path.strip("/") == copies.INDEX:
            try:
                await asyncio.to_thread(copies.refresh, Path(self.root_dir))
            except LabError as error:  # a full disk, say: then the page as it was
                self.log.warning("%s", error)
        return await super().get(path, *args, **options)  # type: ignore[no-untyped-call]  # jupyter_server gives none
