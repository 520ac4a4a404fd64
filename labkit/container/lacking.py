"""What a lab may lack: cgroups where none was delegated, and all ids but some in a rootless one.

What can be known beforehand is refused before the kernel is asked. What only the kernel knows (in which user
namespace a number counts) it refuses itself, and it says EPERM or EINVAL for this as for much else: then the
error is told what this lab has to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labkit.agent.remedies import FEW_IDS, ONE_ID
from labkit.cgroups import above
from labkit.cgroups.change import WHY_NOT, SetLimit
from labkit.cgroups.hold import PLAIN, Held, Trees, change, hold
from labkit.cgroups.limits import Limits
from labkit.errors import SpecError
from labkit.image.accounts import Account
from labkit.linux.constants import EACCES, EINVAL, EPERM
from labkit.namespaces.users import BecomeUser, Extent, MapIds
from labkit.steps.step import Step
from labkit.steps.taking import StepFailed

_ALL = ((0, 2**32 - 1),)  # (uid_t) -1 is nobody's


class Lacking:
    """Made from what the agent says of its lab."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        self.rootless = bool(info.get("rootless"))
        self.cgroups = bool(info.get("cgroup"))
        self._no_cgroup = info.get("no_cgroup") or "none was delegated to it"
        controllers, trees = info.get("controllers", {}), info.get("trees", ())
        self._trees = Trees.of(controllers, trees, info.get("no_controllers", ""), programs=not self.rootless)
        self._ids = tuple((int(first), int(count)) for first, count in info.get("ids", _ALL))
        self.one_id = sum(count for _, count in self._ids) == 1  # everybody in it is its root

    def has_ids(self, first: int, count: int = 1) -> bool:
        """Whether the lab has these ids, and in one piece, as a map in it must have them."""
        return any(start <= first and first + count <= start + room for start, room in self._ids)

    def for_containers(self) -> tuple[Extent, ...]:
        """The ids that a container's user namespace gets."""
        if self.has_ids(100000, 65536):
            return ((0, 100000, 65536),)
        return ((0, 1, next((start + room - 1 for start, room in self._ids if start <= 1 < start + room), 0)),)

    def hold(self, wanted: Limits | None) -> Held:
        """What it takes to hold a container to what is `wanted` of it. Raises SpecError where this lab cannot."""
        if wanted is None:
            return PLAIN
        if not self.cgroups:
            raise SpecError("this lab has no cgroups: nobody here can hold a container to limits",
                            likely=self._no_cgroup, look="labkit doctor")  # fmt: skip
        return hold(wanted, self._trees)

    def change(self, before: Limits, after: Limits) -> Held:
        """What is to be written for a container that is held to `before`. Raises SpecError where this lab cannot."""
        return change(before, after, self._trees)

    def check_user(self, user: Account | None, namespaces: tuple[str, ...]) -> None:
        """Raises SpecError where a container cannot be of this user or in these namespaces."""
        if self.one_id and (user or "user" in namespaces):
            likely, look = ONE_ID
            raise SpecError("this lab has a single user id: everybody in it is its root", likely=likely, look=look)
        ids = (user.uid, user.gid, *user.groups) if user and "user" not in namespaces else ()
        beyond = [number for number in ids if not self.has_ids(number)]
        if beyond:
            likely, look = FEW_IDS
            raise SpecError(f"this lab has no user or group {beyond[0]}", likely=likely, look=look)

    def check_image(self, image: str, namespaces: tuple[str, ...], *, few_devices: bool) -> None:
        """Raises SpecError for somebody's directory, in which this lab could be led astray.

        Who may make no devices has to bind the machine's, as a rootless lab and a container with `few_devices`. Without
        a mount namespace it reaches them only as long as it has not changed its root. Until then a link that takes the
        place of the image's /proc leads out.
        """
        if (self.rootless or few_devices) and "/" in image and "mnt" not in namespaces:
            who = "a rootless lab" if self.rootless else "a container that may make no devices"
            raise SpecError(
                f"{who} mounts nothing in {image} from outside of it",
                likely="whoever can change that directory meanwhile could lead the mounts elsewhere", look='add "mnt"',
            )  # fmt: skip

    def check(self, steps: Iterable[Step]) -> None:
        """Raises StepFailed for one of which it is known beforehand that the lab cannot take it."""
        for step in steps if not self.cgroups else ():
            if "cgroup2" in step.needs():
                raise StepFailed(f"{step.title}: this lab has no cgroups", likely=self._no_cgroup, look="labkit doctor")

    def explain(
        self, fault: StepFailed, steps: Iterable[Step], ceilings: Callable[[], Iterable[above.Ceiling]] = tuple
    ) -> None:
        """Add the lab's own reason to the failure of one of `steps`, where it is one; `ceilings` reads those above."""
        from labkit.cgroups.devices import WHY_NOT_ALLOWED, AllowDevices  # imported here: only errors need it

        for kind, reasons in ((SetLimit, WHY_NOT), (AllowDevices, WHY_NOT_ALLOWED)):
            if fault.errno in reasons and any(isinstance(step, kind) for step in steps):
                fault.likely, fault.look = reasons[fault.errno]
        for step in steps if fault.errno in (EINVAL, EACCES) else ():
            if isinstance(step, SetLimit) and (reason := above.why(step.file, step.value, ceilings())):
                fault.likely, fault.look = reason
        wanted: list[tuple[int, int]] = []
        for step in steps:
            if isinstance(step, MapIds) and fault.errno == EPERM:
                wanted += [(first, count) for _, first, count in (*step.uids, *step.gids)]
            elif isinstance(step, BecomeUser) and fault.errno == EINVAL:
                wanted += [(step.uid, 1), (step.gid, 1)]
        if not all(self.has_ids(first, count) for first, count in wanted):
            fault.likely, fault.look = ONE_ID if self.one_id else FEW_IDS
