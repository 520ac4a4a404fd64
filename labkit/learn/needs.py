"""What a lesson wants of the machine: the words in which it says so, and in which the doctor answers.

A word is that of `Step.needs` where there is one, so a test can hold a lesson to the steps that it takes. For
each there is a probe in `labkit.doctor.features`, which tries it on the machine at hand.
"""

from __future__ import annotations

from enum import Enum


class Need(Enum):
    """One thing that must be there: a word, and what it is for. `LAB` and those below it are asked of the kernel."""

    PLAYER = ("widgets", "the step player and the cards are widgets, in the kernel and in the browser")
    MANUAL = ("manual", "the step player opens the manual pages of the calls")
    LAB = ("lab", "a lab opens")
    MNT = ("namespace:mnt", "a process with a table of mounts of its own")
    UTS = ("namespace:uts", "a process with a host name of its own")
    IPC = ("namespace:ipc", "a process with message queues of its own")
    PID = ("namespace:pid", "a process with process numbers of its own")
    NET = ("namespace:net", "a process with interfaces and ports of its own")
    USER = ("namespace:user", "a process that is root in a user namespace")
    CGROUP_NAMESPACE = ("namespace:cgroup", "a process with a root of the cgroup tree of its own")
    TIME = ("namespace:time", "a process with clocks of its own")
    ROOTLESS = ("rootless", "an ordinary user of the lab makes a user namespace, and is root in it")
    ORDINARY_USER = ("uid:1000", "a lab in which there is an ordinary user, uid 1000, beside root")
    IDS = ("ids", "a lab in which there are several users")
    OVERLAY = ("overlay", "a root file system in layers")
    CGROUP = ("cgroup2", "a cgroup for each container")
    CPU = ("controller:cpu", "the CPU divided among containers, and not among processes")
    MEMORY = ("controller:memory", "the memory of a container counted, and limited")
    IO = ("controller:io", "what a container reads from disks and writes counted, and limited")
    PIDS = ("controller:pids", "the processes of a container counted, and limited")
    CPUSET = ("controller:cpuset", "a container kept to some of the CPUs")
    PRESSURE = ("pressure", "the time counted for which somebody waits for CPU, memory or a disk")
    BUSYBOX = ("image:busybox", "the image that containers are made from")
    PYTHON = ("tool:python3", "a Python in the lab host, for tiny.py")

    def __init__(self, word: str, purpose: str) -> None:
        self.word, self.purpose = word, purpose

    @property
    def recorded(self) -> bool:
        """Whether a lesson that is shown from its recording can do without it."""
        return self not in (Need.PLAYER, Need.MANUAL)


#: every notebook opens a lab, and shows it in a step player that opens the manual
EVERY_LESSON = (Need.LAB, Need.PLAYER, Need.MANUAL)
#: what a container of the plans is made of; its cgroup it does without where none was delegated
A_CONTAINER = (
    Need.MNT, Need.UTS, Need.IPC, Need.PID, Need.NET, Need.CGROUP_NAMESPACE, Need.OVERLAY, Need.BUSYBOX,
)  # fmt: skip
#: what it takes to count all that a container uses
COUNTING = (Need.CGROUP, Need.CPU, Need.MEMORY, Need.IO, Need.PIDS, Need.PRESSURE)
