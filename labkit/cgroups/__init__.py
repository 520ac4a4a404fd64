"""Control groups as steps, and what a container may use."""

from labkit.cgroups.limits import Limits

__all__ = ["Limits"]
