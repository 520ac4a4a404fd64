"""The calls of a plan as a C program: what the very same work costs when nothing but the kernel does it.

The floor (floor.c) makes the least that may be called a container. labkit's plan makes more of one: /sys, a /dev of
its own, hidden and read-only paths, fewer capabilities. This module writes that plan out as a C program, one line a
call, in the same order and with the same arguments; so the difference in time between it and labkit is labkit's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from labkit.linux import structs
from labkit.linux.calls import Intent, Ret
from labkit.linux.signatures import signature
from labkit.steps.backends.base import Part

_PROGRAM = r"""/* Written by benchmarks/same_calls.py: the calls of a container's plan, one line each. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long r[%(most)d]; /* what each call returned: later ones refer to it */
static char out[4096];   /* what the kernel writes into our memory; nobody reads it */

static void made(int line, int number, const int *tolerated)
{
    if (r[number] >= 0)
        return;
    for (; *tolerated; tolerated++)
        if (errno == *tolerated)
            return;
    dprintf(2, "call %%d of the plan: %%s\n", line, strerror(errno));
    _exit(125);
}

#define CALL(number, tolerated, ...) (r[number] = syscall(__VA_ARGS__), made(__LINE__, number, (const int[])tolerated))
#define BUT(...) {__VA_ARGS__}

static void become(void)
{
%(child)s
}

int main(void)
{
    int status;
%(parent)s
    waitpid((pid_t)r[%(born)d], &status, 0);
%(clear)s
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
"""


def program(parts: Sequence[Part], *, cgroup: str, directory: str) -> str:
    """The text of a C program that does what `parts` say: those of the process that is there, and of its child.

    It clears the `cgroup` and the overlay's `directory` afterwards, as the zygote does for a container.
    """
    parent, child = parts
    born = next(number for number, intent in enumerate(parent.intents) if intent.name == "clone3")
    lines = [_call(number, intent) for number, intent in enumerate(parent.intents)]
    lines.insert(born + 1, f"    if (r[{born}] == 0)\n        become();")
    emptied = ("upper", "work/work", "work", "root", ".")
    paths = [directory.rstrip("/") + f"/{below}".removesuffix("/.") for below in emptied]
    busy = f"    while (rmdir({_string(cgroup)}) < 0 && errno == EBUSY)\n        usleep(100);\n" if cgroup else ""
    return _PROGRAM % {
        "most": max(len(parent.intents), len(child.intents)),
        "child": "\n".join(_call(number, intent) for number, intent in enumerate(child.intents)),
        "parent": "\n".join(lines),
        "born": born,
        "clear": busy + "\n".join(f"    rmdir({_string(path)});" for path in paths),
    }


def _call(number: int, intent: Intent) -> str:
    call = signature(intent.name)
    words = [word for value, parameter in zip(intent.args, call.parameters, strict=True)
             for word in _words(value, parameter[1])]  # fmt: skip
    tolerated = ", ".join(str(each) for each in (*intent.tolerate, 0))
    return f"    CALL({number}, BUT({tolerated}), {', '.join([str(call.number), *words])}); /* {intent.name} */"


def _words(value: Any, kind: str) -> Iterator[str]:
    """The machine words of one argument, as `labkit.linux.syscalls` makes them, spelt in C."""
    if value is None:
        yield "0L"
    elif isinstance(value, Ret):
        yield f"r[{value.number}]"
    elif kind == "out":
        yield from ("out", f"{min(value, 4096)}L")
    elif kind == "strs":
        yield f"(char *[]){{{', '.join(map(_string, value))}, 0}}"
    elif kind == "buf":
        yield from (_string(value), f"{len(value)}L")
    elif kind == "clone_args":
        fields = ", ".join(f".{name} = {next(_words(item, 'int'))}" for name, item in value.items())
        yield f"(&(struct clone_args){{{fields}}})"
        yield "sizeof(struct clone_args)"
    elif isinstance(value, (dict, list)):
        yield _string(structs.pack(kind, value))
    elif isinstance(value, (str, bytes)):
        yield _string(value)
    else:
        yield f"{value}L"


def _string(text: str | bytes) -> str:
    """A string literal; what is not plain ASCII as three octal digits, which no following digit can lengthen."""
    raw = text.encode() if isinstance(text, str) else text
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in raw)
    return f'"{"".join(plain)}"'
