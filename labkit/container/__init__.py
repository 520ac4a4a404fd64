"""Containers: from a description to a plan, and the handle of one that runs."""
