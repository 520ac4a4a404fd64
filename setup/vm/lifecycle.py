"""Start, look at, stop and forget the course's machine.

It runs for as long as it can be talked to: there is no pid to write down, and none to mistake.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time

import command
import disk
import qemu
import server
import work
from places import HOUSE, SAVED, Place, images, mine
from talk import AGENT, QMP, STUDENT, Agent, Qemu, Refused, Silent
from trouble import Trouble

_PATIENCE = 300.0  # a machine in software emulation takes its time
_TRIES = 3
_ADDRESS = "cd ~/labkit && .venv/bin/python setup/server.py wait && .venv/bin/python setup/server.py address"
_LAST = 8  # lines of the console that a failure tells


def start() -> None:
    """Start the machine, unless it runs, and print the address when JupyterLab answers."""
    place = mine()
    if place is None:
        raise Trouble("find the machine", "there is no image of it yet", "./lab vm --build")
    if is_running(place):
        print("The machine is running already.")
        go_on(place)
        settle(place)
    else:
        wished = command.wishes(os.environ)
        disk.prepare(place)
        boot(place, wished)
    if place != images()[-1]:
        print("There is an image of a newer course; ./lab vm --reset, then ./lab vm begins with it.")
    print(f"\nOpen this in your browser:\n\n{address(place)}")


def boot(place: Place, wished: command.Wishes) -> None:
    """Start qemu. Returns when JupyterLab answers in it."""
    if not qemu.is_here():
        raise Trouble(
            "start qemu", f"{qemu.PROGRAM} is not installed", "Debian: qemu-system-x86; a Mac: brew install qemu"
        )
    accel = qemu.accelerator(place.kernel)
    kind = "in software: this takes a minute or two" if accel == qemu.EMULATION else accel
    print(f"Starting the machine: {wished.cpus} processors ({kind}), {wished.memory} MB", flush=True)
    began = time.monotonic()
    launch(place, wished, accel)
    place.unsaved.touch()
    settle(place)
    print(f"  {time.monotonic() - began:3.0f} s  Linux runs", flush=True)
    address(place)
    print(f"  {time.monotonic() - began:3.0f} s  JupyterLab answers", flush=True)


def settle(place: Place) -> None:
    """Wait for Linux, and give it what it cannot know: the time of day, and what earlier machines left.

    Its clock stands while this computer sleeps.
    """
    try:
        with Agent(place.path, patience=_PATIENCE) as agent:
            agent.run(f"date --utc --set=@{time.time():.3f}")
            said = work.bring_back(place, agent)
    except (Silent, Refused) as error:
        why = f"Linux does not answer: {error}; {last_words(place)}"
        raise Trouble("start the machine", why, "./lab vm --stop, ./lab vm; if it stays so, ./lab vm --reset") from None
    if said:
        print(said, flush=True)


def launch(place: Place, wished: command.Wishes, accel: str) -> None:
    """Start qemu and return when it listens; on other ports when somebody was quicker."""
    first = wished.port
    for _ in range(_TRIES):
        ports = {"jupyter": server.free_port(first), "ssh": server.free_port(2222)}
        place.port.write_text(json.dumps(ports))
        for name in (QMP, AGENT):
            (place.path / name).unlink(missing_ok=True)
        with place.console.open("wb") as said:
            process = subprocess.Popen(
                command.machine(accel, wished, ports), cwd=place.path, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True,
            )  # fmt: skip
        while process.poll() is None:
            if is_running(place):
                return
            time.sleep(0.1)
        if "host forwarding" not in place.console.read_text(errors="replace"):
            break
        first = ports["jupyter"] + 1
    raise Trouble("start qemu", last_words(place), "LABKIT_MEMORY=1024 ./lab vm, when memory is what it lacks")


def go_on(place: Place) -> None:
    """qemu holds a machine on when this computer's disk is full; when there is room again, it may go on."""
    with Qemu(place.path) as machine:
        if machine.ask("query-status")["status"] != "running":
            machine.ask("cont")


def address(place: Place) -> str:
    """Where JupyterLab answers on this computer, token included; waits for it."""
    try:
        with Agent(place.path) as agent:
            said = agent.run(_ADDRESS, student=True, patience=_PATIENCE)
    except (Silent, Refused) as error:
        raise Trouble(
            "find JupyterLab", f"it does not answer in the machine: {error}",
            "./lab vm --shell, and there: journalctl -u labkit; or ./lab vm --stop, then ./lab vm",
        ) from None  # fmt: skip
    port = json.loads(place.port.read_text())["jupyter"]
    return re.sub("//[^/]*", f"//localhost:{port}", said.strip().splitlines()[-1], count=1)


def stop() -> None:
    """Save the work, and shut the machine down as its power button would."""
    place = mine()
    if place is None or not is_running(place):
        print("The machine does not run.")
        return
    go_on(place)
    why = work.save(place)
    print(f"Your notebooks and answers are in {SAVED}" if why is None else f"note: not copied, but on its disk: {why}")
    with Qemu(place.path) as machine:
        machine.ask("system_powerdown")
        if not machine.wait_for_its_end(120):
            machine.patient(10)
            machine.ask("quit")
            print("note: it did not shut down in two minutes, and was switched off")
    print("The machine is stopped; its disk stays. ./lab vm starts it again.")


def reset() -> None:
    """Throw the disk away, with all that is not in vm/saved."""
    place = mine()
    if place is None or not place.disk.exists():
        print("There is no disk to throw away.")
        return
    forget = os.environ.get("LABKIT_FORGET") == "1"
    why = "the machine has run since your work was last copied"
    if is_running(place):
        why = (None if forget else work.save(place)) or ""
    elif not place.unsaved.exists():
        why = ""
    if why and not forget:
        raise Trouble(
            "throw the disk away", f"{why}, so your notebooks and answers would be lost",
            "./lab vm, then ./lab vm --reset; or LABKIT_FORGET=1 ./lab vm --reset, if nothing is worth keeping",
        )  # fmt: skip
    if is_running(place):
        with Qemu(place.path) as machine:
            machine.ask("quit")
            machine.wait_for_its_end(10)
    for each in (place.disk, place.unsaved, place.fresh, place.port):
        each.unlink(missing_ok=True)
    print("The disk is thrown away, and what was installed or changed on it.")
    if SAVED.exists():
        print(f"Notebooks and answers are in {SAVED}; the next machine begins with them.")


def shell() -> None:
    """Become an ssh into the machine, as the student."""
    place = mine()
    if place is None or not is_running(place):
        raise Trouble("reach the machine", "it does not run", "./lab vm")
    if not shutil.which("ssh-keygen"):
        raise Trouble("reach the machine", "ssh is not installed here", "Debian: apt-get install openssh-client")
    key = HOUSE / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "labkit", "-f", key], check=True)
    with Agent(place.path, patience=_PATIENCE) as agent:
        public = key.with_suffix(".pub").read_text().strip()
        agent.ask("guest-ssh-add-authorized-keys", username=STUDENT, keys=[public], reset=True)
    port = json.loads(place.port.read_text())["ssh"]
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
    words = [f"-o{option}" for option in options]
    os.execvp("ssh", ["ssh", *words, "-i", str(key), "-p", str(port), f"{STUDENT}@127.0.0.1"])


def is_running(place: Place) -> bool:
    try:
        with Qemu(place.path, patience=5):
            return True
    except Silent:
        return False


def last_words(place: Place) -> str:
    """Of qemu, or of the kernel in it."""
    lines = [line for line in place.console.read_text(errors="replace").splitlines() if line.strip()]
    return "the last lines of its console:" + "".join(f"\n  | {line}" for line in lines[-_LAST:])
