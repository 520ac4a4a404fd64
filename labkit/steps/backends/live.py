"""A real kernel: parts of plans go to the actors of an agent, facts come from its supervisor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence

from labkit.agent.client import Channel, Client
from labkit.errors import AgentError, ClosedError, HostDied, ImageError, StepError, errno_meaning
from labkit.linux import ceilings, hierarchies, machine
from labkit.linux.calls import Fd, Pid, close, kill, mkdir, move_mount, umount2
from labkit.linux.constants import EEXIST, EINVAL, MNT_DETACH, MOVE_MOUNT_F_EMPTY_PATH
from labkit.steps.backends.actors import Actors
from labkit.steps.backends.base import Accounts, Ended, Facts, Images, Part, Row, Start
from labkit.steps.backends.programs import Programs


class Live:
    """One agent and the lab host of the moment."""

    name = "live"

    def __init__(self, images: Images, client: Client | None = None) -> None:
        self.images = images
        self.client = client or Client()
        self.actors = Actors(self.client)
        self.programs = Programs(self.actors)
        self.info: Facts = dict(self.client.info)
        images.own = bool(self.info["rootless"])
        self._lock = threading.RLock()
        try:
            self.renew()
        except BaseException:
            self.client.close()
            raise

    def hello(self) -> Facts:
        return {**self.info, "way": self.client.way}

    def machine(self, question: str, pids: Mapping[str, int]) -> Facts:
        if question == "traffic":  # in a lab's network namespaces the supervisor must open the door
            return self._traffic(pids)
        return machine.QUESTIONS[question](pids)

    def renew(self) -> Facts:
        with self._lock:
            self._settle()
            reply, fds = self.client.ask("host")  # the old one is gone when this returns
            self.programs.finish()
            self.actors.let_go()
            self.info |= reply
            self.actors.begin(Channel(socket.socket(fileno=fds.pop())), self._cgroup())
            return reply

    def _cgroup(self) -> str:
        """The lab host's cgroup of version 2 in the machine; empty without one."""
        return f"{self.info['cgroup']}/h{self.info['generation']}" if self.info["cgroup"] else ""

    def ends(self) -> Mapping[str, Ended]:
        return self.programs.ends

    def _settle(self) -> None:
        """Before the lab host is killed: the end of each program that has ended by itself is to be known."""
        if self.programs.any_running():
            self.actors.settle()

    def find(self, image: str) -> str:
        return self.images.find(image)

    def top(self, image: str) -> dict[str, str]:
        return self.images.top(image)

    def accounts(self, image: str) -> Accounts:
        return self.images.accounts(image)

    def attach(self, name: str, path: str) -> None:
        target = f"/run/lab/images/{name}"
        away = umount2(target, MNT_DETACH)._replace(tolerate=(EINVAL,))  # what lay there is another directory by now
        hang_up = move_mount(Fd("tree"), target, MOVE_MOUNT_F_EMPTY_PATH)
        part = Part("host", (mkdir(target, tolerate=(EEXIST,)), away, hang_up, close(Fd("tree"))))
        try:
            rows = self.actors.exchange(part, {"give": {"tree": 0}}, self.client.ask("attach", path=path)[1])
        except ClosedError:
            raise
        except AgentError as error:
            raise ImageError(f"{path} cannot serve as a root file system: {error.message}", likely=error.likely,
                             look=error.look) from error  # fmt: skip
        if rows[-1][1]:
            raise ImageError(f"image {name} cannot be attached: {errno_meaning(rows[-1][1])}", look="lab.reset()")

    def open_trees(self) -> None:
        reply, fds = self.client.ask("trees")
        intents = [mkdir("/run/cgroup1", tolerate=(EEXIST,))]
        for number, words in enumerate(reply["trees"]):
            target, tree = f"/run/cgroup1/{words}", Fd(f"tree{number}")
            intents += [mkdir(target), move_mount(tree, target, MOVE_MOUNT_F_EMPTY_PATH), close(tree)]
        given = {f"tree{number}": number for number in range(len(fds))}
        rows = self.actors.exchange(Part("host", tuple(intents)), {"give": given}, fds)
        if rows[-1][1]:
            raise StepError(f"the trees of cgroup version 1 cannot be attached: {errno_meaning(rows[-1][1])}",
                            errno=rows[-1][1], look="lab.reset()")  # fmt: skip

    def take(self, part: Part) -> list[Row]:
        return self.actors.take(part)

    def moment(self) -> str:
        return ""

    def returned(self, moment: str) -> None:
        return

    def look(self, probes: Sequence[str]) -> Facts:
        try:
            reply, fds = self.client.ask("look", probes=list(probes))
        except AgentError as error:
            if "lab host is gone" in error.message:
                raise HostDied(error.message, look="lab.reset() starts a fresh one") from error
            raise
        if fds:
            from labkit.linux import rtnl

            rtnl.fill(reply["net"], fds)
        reply.pop("seq", None)
        return reply

    def _traffic(self, pids: Mapping[str, int]) -> Facts:
        """The counters of all links in the network namespaces of these processes and of the ``lab host``.

        Raises LookupError for a process that has gone.
        """
        from labkit.linux import rtnl

        reply, fds = self.client.ask("look", probes=["net"])
        rtnl.fill(reply["net"], fds, rtnl.counters)
        counted = {row["ns"]: row["counters"] for row in reply["net"]}
        spaces = {row["pid"]: row["ns"].get("net") for row in reply["processes"]}
        init = reply["processes"][0]["pid"]
        return {name: counted[spaces[pid]] for name, pid in {**pids, "lab host": init}.items()}

    def start(self, start: Start) -> int:
        with self._lock:
            return self.programs.start(start)

    def started(self, name: str) -> Ended | None:
        return self.programs.started(name)

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return self.programs.wait(name, timeout)

    def ceilings(self) -> list[tuple[str, str, str]]:
        trees = hierarchies.read(self.client.supervisor)  # of version 1 labs have their places below its own
        places = [tree.directory for tree in trees if tree.version == 1 and tree.directory]
        return ceilings.read([*filter(None, [self._cgroup()]), *places])

    def frozen(self, name: str) -> tuple[str, str] | None:
        return self.actors.silence.frozen(name)

    def logs(self, name: str) -> tuple[bytes, bytes]:
        return self.programs.logs(name)

    def forget(self, name: str) -> None:
        self.programs.forget(name)

    def terminal(self, name: str) -> int:
        return self.programs.terminal(name)

    def killed(self) -> Facts:
        return self.client.ask("killed")[0]

    def signal(self, name: str, number: int) -> None:
        row = self.actors.exchange(Part("host", (kill(Pid(name), number),)), {})[0]
        if row[1]:
            raise StepError(f"signal {number} to {name}: {errno_meaning(row[1])}", errno=row[1])

    def freeze(self, frozen: bool) -> None:
        self.client.ask("freeze", frozen=frozen)

    def close(self) -> None:
        with self._lock:
            self._settle()
            self.programs.close()
            try:
                self.client.close()
            finally:
                self.programs.finish()
                self.actors.let_go()
