"""A plan as a shell script that does the same.

Each process that a plan spawns becomes a second shell, fed through a pipe and answering "done" on
descriptor 9, so that the script reads in the order of the steps whoever takes them:

    spawn c1 host unshare --uts          # a shell called c1, child of this one, in a new uts namespace
    tell c1 'hostname c1'

A step that only a new program can take (setpriv, nsenter, chroot) replaces the shell by a new one.
In a line, ``$PID_c1`` is the pid of c1 as the process that runs the line knows it. All pipes are there
before the first process, because one that has left for another root could not find them any more.

See: bash(1) "REDIRECTION", fifo(7), proc(5) "NSpid".
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
_HELPERS = r"""declare -A order answer job pid=([host]=$$)
# turn into the program $1 of the PATH: busybox's shell would take the setpriv that it has built in
program='IFS=:; for d in $PATH; do [ ! -x "$d/$1" ] || exec "$d/$@"; done; exit 127'
pipes() { # pipes NAME...: one for orders to each process to come and one for its answers
  local dir name a b; dir=$(mktemp -d)
  for name; do
    mkfifo -m 666 "$dir/order" "$dir/answer" # for shells that have become somebody else
    exec {a}<>"$dir/order" {b}<>"$dir/answer"; order[$name]=$a answer[$name]=$b
    rm "$dir"/*
  done
  rmdir "$dir"
}
spawn() { # spawn NAME PARENT COMMAND: PARENT starts a shell under COMMAND, which `tell NAME` feeds
  local name=$1 parent=$2 mother=${pid[$2]} kids hers a b; shift 2
  if [ "$parent" = host ]; then
    "$@" /bin/sh -eu <&"${order[$name]}" 9>&"${answer[$name]}" &
    job[$name]=$! pid[$name]=$!
  else
    a=/proc/self/fd/${order[$name]} b=/proc/self/fd/${answer[$name]}
    tell "$parent" "(set -- ${*@Q} /bin/sh -eu; $program) <$a 9>$b &"
  fi
  send "$name" "echo done >&9"
  if [ "$parent" = host ]; then hear "$name"; else pid[$name]=$mother; read -r -t 10 _ <&"${answer[$name]}"; fi
  while kids=($(<"/proc/${pid[$name]}/task/${pid[$name]}/children")); ((${#kids[@]})); do
    pid[$name]=${kids[-1]} # the newest of the newest: `unshare --fork` stands between the two
  done
  kids=($(numbers "${pid[$name]}")) hers=($(numbers "$mother")) # its pid as the parent knows it
  a="export PID_${name//[^a-zA-Z0-9_]/_}=${kids[${#hers[@]} - 1]}"
  if [ "$parent" = host ]; then eval "$a"; else tell "$parent" "$a"; fi
}
numbers() { sed -n 's/^NSpid:[[:space:]]*//p' "/proc/$1/status"; } # the pids of a process, ours first
send() { printf '%s\n' "$2" >&"${order[$1]}"; }
alive() { grep -q '^State:.[^XZ]' "/proc/${pid[$1]}/status"; } 2>/dev/null
runs() { tr '\0' ' ' <"/proc/${pid[$1]}/cmdline"; } 2>/dev/null # its words; none at all in the middle of an execve
hear() { until read -r -t 0.2 _ <&"${answer[$1]}"; do alive "$1"; done; } # a shell ends where a line fails
tell() { # tell NAME LINE: let it run LINE and wait until it has
  send "$1" "{ $2
} >&2; echo done >&9"
  hear "$1"
}
become() { # become NAME COMMAND: let it go on as a new shell under COMMAND
  send "$1" "set -- $2 /bin/sh -euc 'echo done >&9; exec /bin/sh -eu'; $program"
  hear "$1"
}
finally() { # finally NAME COMMAND: let it turn into its program, which gets no descriptor but the standard three
  local words shell; shell=$(runs "$1")
  send "$1" "exec $2 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"
  while alive "$1" && words=$(runs "$1") && [ -z "${words#"$shell"}" ]; do sleep 0.01; done
  alive "$1" || wait "${job[$1]:-}" # it has ended: well, or as a shell says that there is no such program
}
leave() { send "$1" "$2"; } # leave NAME LINE: let it run LINE for the rest of its life
bury() { # bury PID: kill all that came of it
  local kid
  for kid in $(cat "/proc/$1/task/$1/children"); do bury "$kid"; kill -KILL "$kid" || :; done 2>/dev/null
}
trap 'bury $$' EXIT
"""
_END = """
# what was started lives until it ends by itself, or this script is ended: Ctrl-C
unset 'pid[host]'
for name in "${!pid[@]}"; do echo "$name is pid ${pid[$name]}" >&2; done
wait
"""
PLAIN = "sh"  # the line that starts a process with nothing of its own
_ODD, _SPACE = re.compile(r"\W"), re.compile(r"\s+")
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
    born = [child for step in taken for child in step.children]
    lines = [_NOTE.format(name=_SPACE.sub(" ", name))]
    if born:
        lines += [_HELPERS, f"pipes {' '.join(map(shlex.quote, born))}"]
    for number, step in enumerate(taken, 1):
        lines += [f"\n# {number}. {_SPACE.sub(' ', step.title)}", _line(step)]
    return "\n".join(lines) + "\n" + _END * bool(born)


def _line(step: Step) -> str:
    text = step.shell()
    if step.children:
        command = "env" if text == PLAIN else text  # `spawn` adds the shell, and env starts it as it is
        return f"spawn {shlex.quote(step.children[0])} {shlex.quote(step.who)} {command}"
    if step.who == "host":
        return text
    verb = "become" if step.replaces_shell else "finally" if step.ends_shell else "leave" if step.init else "tell"
    return f"{verb} {shlex.quote(step.who)} {shlex.quote(text)}"
