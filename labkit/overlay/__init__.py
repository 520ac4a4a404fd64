"""Overlay mounts as steps: read-only layers below, one thin writable layer on top."""
