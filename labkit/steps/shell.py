"""A plan as a shell script that does the same.

Each process that a plan spawns becomes a second shell, fed through a pipe and answering "done" on
descriptor 9, so that the script reads in the order of the steps whoever takes them:

    spawn c1 host unshare --uts          # a shell called c1, child of this one, in a new uts namespace
    tell c1 'hostname c1'

A step that only a new program can take (setpriv, nsenter, chroot) replaces the shell by a new one.
In a line, ``$PID_c1`` is the pid of c1 as the lab host sees it.

See: bash(1) "REDIRECTION", fifo(7).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from labkit.linux.constants import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from labkit.steps.step import Step

_NOTE = """#!/usr/bin/env bash
# {name}: what labkit does by system calls, as a script. Run it as root: bash -eu FILE
set -eu
"""
_HELPERS = r"""declare -A order answer
spawn() { # spawn NAME PARENT COMMAND: PARENT starts a shell under COMMAND, which `tell NAME` feeds
  local name=$1 parent=$2 dir fd; shift 2; dir=$(mktemp -d)
  mkfifo "$dir/order" "$dir/answer"
  exec {fd}<>"$dir/order"; order[$name]=$fd
  exec {fd}<>"$dir/answer"; answer[$name]=$fd
  if [ "$parent" = host ]; then
    "$@" /bin/sh -eu <"$dir/order" 9>"$dir/answer" &
  else
    tell "$parent" "$* /bin/sh -eu <$dir/order 9>$dir/answer &"
  fi
  tell "$name" :
  local variable=PID_${name//[^a-zA-Z0-9_]/_}
  if [ "$parent" = host ]; then # unshare --fork has forked by now
    local kid; read -r kid <"/proc/$!/task/$!/children" || kid=$!
    declare -g "$variable=${kid:-$!}"
  fi
  exec {fd}<"$dir/answer"; answer[$name]=$fd
  rm -r "$dir"
}
tell() { # tell NAME LINE: let it run LINE and wait until it has
  printf '%s\n' "{ $2" "} >&2; echo done >&9" >&"${order[$1]}"
  local line; read -r line <&"${answer[$1]}"; [ "$line" = done ]
}
become() { # become NAME COMMAND: let it go on as a new shell under COMMAND
  printf '%s\n' "exec $2 /bin/sh -euc 'echo done >&9; exec /bin/sh -eu'" >&"${order[$1]}"
  local line; read -r line <&"${answer[$1]}"; [ "$line" = done ]
}
finally() { # finally NAME COMMAND: let it turn into its program
  printf '%s\n' "exec $2 9>&-" >&"${order[$1]}"
  local line; ! read -r line <&"${answer[$1]}"
}
"""
_ODD = re.compile(r"\W")
_PID = re.compile(r"\$PID_\w+")


_OPTIONS = {MS_RDONLY: "ro", MS_NOSUID: "nosuid", MS_NODEV: "nodev", MS_NOEXEC: "noexec"}


def mount_options(flags: int) -> list[str]:
    """The flags of a mount as mount(8) spells them."""
    return [word for flag, word in _OPTIONS.items() if flags & flag]


def pid_of(name: str) -> str:
    """The shell variable that holds the pid of process `name`: ``$PID_c1``."""
    return f"$PID_{_ODD.sub('_', name)}"


def first_line(text: str) -> str:
    """The first line, with a mark if there are more."""
    head, newline, _ = text.partition("\n")
    return head + " …" * bool(newline)


def script(name: str, steps: Iterable[Step]) -> str:
    """The script for `steps`: bash here, /bin/sh in the spawned processes."""
    taken = tuple(steps)
    lines = [_NOTE.format(name=name.replace("\n", " ")) + _HELPERS * any(step.children for step in taken)]
    for number, step in enumerate(taken, 1):
        lines += [f"\n# {number}. {step.title}", _line(step)]
    return "\n".join(lines) + "\n"


def _line(step: Step) -> str:
    text = step.shell()
    if step.children:
        return f"spawn {step.children[0]} {step.who} {text}"
    if step.who == "host":
        return text
    verb = "become" if step.replaces_shell else "finally" if step.ends_shell else "tell"
    return f"{verb} {step.who} {_quoted(text)}"


def _quoted(text: str) -> str:
    """Quoted for the outer shell, except for the pids that only it knows."""
    return _PID.sub(lambda found: f"'\"{found.group()}\"'", shlex.quote(text))
