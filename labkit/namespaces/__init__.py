"""Namespaces as steps: making, joining and holding them, and what is done inside each kind."""
