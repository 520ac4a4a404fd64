"""The command `labkit`: what there is to do from a terminal, outside a notebook."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import labkit


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; an error of labkit's own becomes one message and exit status 1."""
    parser = _parser()
    args = parser.parse_args(argv)
    command: Callable[[argparse.Namespace], int] | None = getattr(args, "command", None)
    if command is None:
        parser.print_help()
        return 0
    from labkit.errors import LabError
    from labkit.linux import home

    home.provide()
    try:
        status = command(args)
        sys.stdout.flush()
        return status
    except LabError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `labkit … | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush, at exit
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    about = (labkit.__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="labkit", description=about)
    parser.add_argument("--version", action="version", version=f"labkit {labkit.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="")

    doctor = commands.add_parser("doctor", help="say what this machine can do, and what is left of dead labs")
    doctor.add_argument("--fix", action="store_true", help="do what is safe: bury dead labs, build missing images")
    doctor.add_argument(
        "--verbose", "-v", action="store_true", help="also what is well, each thing with what was found"
    )
    doctor.add_argument("--json", action="store_true", help="the same as data")
    doctor.add_argument("--class", action="store_true", dest="in_class",
                        help="five minutes before a class: also reset, projector, offline")  # fmt: skip
    doctor.set_defaults(command=_doctor)

    agent = commands.add_parser("agent-command", help="print how the lab's agent is started on this machine")
    agent.set_defaults(command=_agent_command)

    top = commands.add_parser("top", help="what the containers of all running labs use, anew each second")
    top.add_argument("--once", action="store_true", help="one table as text, and no screen")
    top.add_argument("--json", action="store_true", help="the same as data")
    top.add_argument("--sort", default="name", help="by name, cpu, memory, disk or processes (the key s changes it)")
    top.set_defaults(command=_top)

    up = commands.add_parser("up", help="start JupyterLab on the recorded lessons, on any system")
    up.add_argument("--replay", action="store_true", required=True, help="nothing is live (for that: ./lab up)")
    up.add_argument("--port", type=int, default=8888, help="the first port to try (8888)")
    up.add_argument("--work", default="", metavar="DIR", help="where your copies of the lessons are: ~/labkit")
    up.add_argument("--class", dest="gate", choices=("on", "off"), default="", metavar="on|off",
                    help="for a projector, with a fresh book of answers; on: the player waits for them")  # fmt: skip
    up.set_defaults(command=_up)

    copy = commands.add_parser("copy", help="bring your copies of the lessons up to date, for a Jupyter of your own")
    copy.add_argument("directory", nargs="?", default="", metavar="DIR", help="where they are: ~/labkit")
    copy.set_defaults(command=_copy)

    record = commands.add_parser("record", help="make the recordings of the lessons anew, on a machine with a lab")
    record.add_argument("numbers", nargs="*", metavar="NN", help="of these lessons only: 03")
    record.set_defaults(command=_record)

    image = commands.add_parser("image", help="build an image, list them, or say where one is")
    what = image.add_subparsers(required=True, metavar="build|check|list|path")
    build = what.add_parser("build", help="build an image unless it is up to date")
    build.add_argument("name")
    build.set_defaults(command=_image_build)
    path = what.add_parser("path", help="print the directory of a built image")
    path.add_argument("name")
    path.set_defaults(command=_image_path)
    check = what.add_parser("check", help="exit status 0 when every image is built and up to date")
    check.set_defaults(command=_image_check)
    what.add_parser("list", help="the images, and whether they are built").set_defaults(command=_image_list)
    return parser


def _doctor(args: argparse.Namespace) -> int:
    from labkit.doctor import main as examine

    _as_in_jupyter()
    return examine(fix=args.fix, as_json=args.json, in_class=args.in_class, verbose=args.verbose)


def _agent_command(args: argparse.Namespace) -> int:
    from labkit.agent import start, sudo_rule

    way = start.choose()
    print(shlex.join(start.command(way)))
    print(f"# {way}; standard input is the lab's control socket", file=sys.stderr)
    if way == "rootless" and (reason := sudo_rule.refusal()):
        print(f"# not as root: {reason}; {sudo_rule.remedy()}", file=sys.stderr)
    return 0


def _top(args: argparse.Namespace) -> int:
    if sys.platform != "linux":
        from labkit.errors import LabError

        raise LabError("a lab runs on Linux, and this is none", look="labkit up --replay shows recorded ones")
    from labkit.top import main as top

    return top(once=args.once, as_json=args.json, order=args.sort)


def _up(args: argparse.Namespace) -> int:
    from labkit.up import main as up

    return up(args.port, args.work, args.gate)


def _copy(args: argparse.Namespace) -> int:
    from labkit import copies, served

    directory = Path(args.directory).absolute() if args.directory else copies.default()
    copied = copies.copy(directory)
    served.sign(copied)
    print(str(copied) or f"nothing is new; your copies of the lessons are in {directory}")
    return 0


def _record(args: argparse.Namespace) -> int:
    from labkit.record import main as record

    _as_in_jupyter()
    return record(args.numbers)


def _as_in_jupyter() -> None:
    """Labs of this command are to have the controllers that those of a notebook have."""
    if sys.platform == "linux":
        from labkit.agent import delegation

        delegation.enter()


def _image_build(args: argparse.Namespace) -> int:
    from labkit.image import rootfs

    print(rootfs.build(args.name))
    return 0


def _image_path(args: argparse.Namespace) -> int:
    from labkit.image import rootfs

    print(rootfs.image_path(args.name))
    return 0


def _image_check(args: argparse.Namespace) -> int:
    from labkit.image import rootfs

    return 0 if all(rootfs.is_current(name) for name in rootfs.names()) else 1


def _image_list(args: argparse.Namespace) -> int:
    from labkit.errors import LabError
    from labkit.image import rootfs

    for name in rootfs.names():
        try:
            print(f"{name:<16}{rootfs.image_path(name)}")
        except LabError:
            print(f"{name:<16}not built")
    return 0


if __name__ == "__main__":
    sys.exit(main())
