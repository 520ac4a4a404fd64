"""Start, find and stop the JupyterLab of this checkout. Standard library only.

    python setup/server.py copies [DIRECTORY]               bring the student's copies there up to date
    python setup/server.py start PORT [--class on|off]      serve what `copies` has brought
    python setup/server.py address | stop
    python setup/server.py serve PORT ADDRESS | wait        for systemd: see vm/labkit.service.in

The server is known by pid, start time and boot id, written to `server.json` in the state directory; never by its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for a Python without the environment

from labkit import jupyter  # noqa: E402
from labkit.agent import delegation  # noqa: E402
from labkit.errors import LabError  # noqa: E402

STATE = jupyter.STATE
FILE = STATE / "server.json"
LOG = STATE / "jupyter.log"
TRIES = 3
PATIENCE = 60.0
A_SERVICES_PATIENCE = 300.0  # a machine in software emulation takes its time


def copies(directory: str) -> None:
    """Bring the copies up to date, and say what is new. Another directory than the running server's is refused."""
    from labkit import served  # needs more than the standard library where it has something to sign

    known = load()
    serves = Path(known.get("work", ROOT)) if known else None
    if serves and directory and serves != Path(directory):
        sys.exit(f"lab: JupyterLab runs and serves {serves}\n  look:   ./lab down, then ./lab up --work {directory}")
    try:
        served.bring(directory or str(serves or ""))
    except LabError as error:
        sys.exit(f"lab: {error}")


def start(first_port: int, gate: str = "") -> None:
    """Start the server unless it runs, and return when it answers.

    With `gate`, ``on`` or ``off``, it is started for a class: always anew, with a fresh book of answers. One that runs
    for a class is not taken over by an ordinary start: its answers are nobody's.
    """
    known = load()
    if known and not gate and not known.get("class") and answers(known, patience=5.0):
        return
    other = bool(known and (gate or known.get("class")))
    if gate:
        os.environ.update(jupyter.classroom(gate))
    stop()
    for _ in range(TRIES):  # somebody may take the port between our look and the server's bind
        server = launch(free_port(first_port))
        if answers(server, patience=PATIENCE):
            keep(server | {"replaced": other})
            return
        first_port = int(server["port"]) + 1
        stop()
        if "already in use" not in LOG.read_text(errors="replace"):
            break
    sys.exit(f"JupyterLab did not answer; the end of {LOG}:\n" + tail(LOG))


def launch(port: int) -> dict[str, Any]:
    """Start one server in a session of its own, and write down who it is."""
    command, environment = prepare(port)
    command = [*delegation.scope(), *command]  # systemd-run becomes what it runs: the pid stays
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a closed terminal is not a reason to stop
        )
    return write_down(process.pid, port)


def serve(port: int, address: str) -> None:
    """Become the server, on `address`; who started us reads its log and takes care of it. Never returns."""
    stop()  # one that ./lab up has started: there is one server for a checkout
    copies("")
    command, environment = prepare(port)
    write_down(os.getpid(), port)
    os.chdir(ROOT)
    os.execve(command[0], [*command, f"--ServerApp.ip={address}"], environment)


def prepare(port: int) -> tuple[list[str], dict[str, str]]:
    """The command of a server and its environment; makes what it wants to find."""
    return [sys.executable, "-m", "labkit.jupyter", *jupyter.options(port, work())], jupyter.surroundings()


def work() -> Path:
    """The directory with the copies that the server is to serve."""
    return Path(jupyter.WORK.read_text().rstrip("\n"))


def write_down(pid: int, port: int) -> dict[str, Any]:
    """Who the server is, so that `address` and `stop` find it."""
    token = jupyter.TOKEN.read_text()
    server = {"pid": pid, "born": born(pid), "boot": boot(), "port": port, "token": token}
    server["work"] = str(work())
    server["class"] = bool(os.environ.get(jupyter.CLASS))
    return keep(server)


def keep(server: dict[str, Any]) -> dict[str, Any]:
    """Write down what is known of the server."""
    jupyter.keep(FILE, json.dumps(server))
    return server


def wait() -> None:
    """Return when the server that `serve` has become answers; it may not even have written down who it is."""
    end = time.monotonic() + A_SERVICES_PATIENCE
    while time.monotonic() < end:
        server = load()
        if server and answers(server, patience=end - time.monotonic()):
            return
        if server and not alive(server):
            sys.exit("JupyterLab ended before it answered")
        time.sleep(0.2)
    sys.exit(f"JupyterLab does not answer after {A_SERVICES_PATIENCE:.0f} seconds")


def answers(server: dict[str, Any], *, patience: float) -> bool:
    """Wait until the server answers as ours does; False when it died or `patience` seconds are over."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server['port']}/api/status", headers={"Authorization": f"token {server['token']}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is not behind the proxy
    end = time.monotonic() + patience
    while time.monotonic() < end and alive(server):
        with contextlib.suppress(OSError, ValueError), opener.open(request, timeout=2) as reply:
            return bool(json.load(reply)["started"])
        time.sleep(0.1)
    return False


def stop() -> None:
    """Stop the server that is written down, if it is still that one; it stops its kernels itself."""
    server = load()
    if server:
        end_process(server)
    FILE.unlink(missing_ok=True)


def end_process(server: dict[str, Any]) -> None:
    """SIGTERM, ten seconds, SIGKILL, through a pidfd: it can never mean another process (pidfd_open(2))."""
    try:
        pidfd = os.pidfd_open(server["pid"])
    except ProcessLookupError:
        return
    try:
        if not alive(server):  # asked after the pidfd was opened, so the answer holds for the pidfd
            return
        for kind in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(pidfd, kind)
            if select.select([pidfd], [], [], 10)[0]:
                return
    finally:
        os.close(pidfd)


def load() -> dict[str, Any] | None:
    """What is written down, if that server is still alive."""
    try:
        server = json.loads(FILE.read_text())
        return server if alive(server) else None
    except (OSError, ValueError, KeyError):
        return None


def alive(server: dict[str, Any]) -> bool:
    """True while the very process that we started runs."""
    return bool(server["boot"] == boot() and server["born"] is not None and server["born"] == born(server["pid"]))


def born(pid: int) -> int | None:
    """When the process started, in clock ticks after boot; None for one that is gone or a zombie (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot() -> str:
    """This boot's id: after a restart the same pid and the same start time may be another process."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def free_port(first: int) -> int:
    """The first port from `first` that nobody listens on."""
    for port in range(first, min(first + 200, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    sys.exit(f"no free port from {first} on; choose another with ./lab up --port N")


def tail(file: Path) -> str:
    """The last lines of a log."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-8:])


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["copies"]:
            copies("")
        case ["copies", directory]:
            copies(directory)
        case ["start", port]:
            start(int(port))
        case ["start", port, "--class", "on" | "off" as gate]:
            start(int(port), gate)
        case ["address"]:
            server = load() or sys.exit("JupyterLab is not running; start it with ./lab up")
            if server.get("replaced"):
                print("the JupyterLab that ran before is stopped, with its kernels")
            if server.get("class"):
                print("for a class: theme stage, a fresh book of answers; ./lab up without --class is for yourself")
            print(jupyter.address(server["port"], server["token"]))
        case ["serve", port, address]:
            serve(int(port), address)
        case ["wait"]:
            wait()
        case ["stop"]:
            print("JupyterLab is stopped" if load() else "JupyterLab was not running")
            stop()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
