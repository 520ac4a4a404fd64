"""A string that is written for a shell, where none reads it.

``lab.run("busybox", "echo a | cat")`` splits the string into words, as `subprocess` does; it starts no shell, so echo
writes ``a | cat``. That is no error: a program may well want such a word. So the container says it in its text.

See: sh(1) "Quoting", "Redirections", execve(2), which knows words and nothing else.
"""

from __future__ import annotations

import re

_EXPANDED = re.compile(r"\$(?:[A-Za-z_]\w*|\{|\(|[0-9?!#@*$-])|`")  # inside double quotes, too
_OPERATOR = re.compile(r"&&|\|\||>>|<<|[|&;<>]|\*|~(?=/|\s|$)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def hint(argv: object) -> str:
    """What to say of a string with something in it that only a shell understands; empty for any other argv.

    >>> print(hint("echo a | cat"))
    no shell reads this string: | in it is a plain word. With one: ["sh", "-c", "echo a | cat"]
    >>> hint("grep 'a|b' /etc/passwd"), hint(["echo", "a", "|", "cat"])
    ('', '')
    """
    found = _for_a_shell(argv) if isinstance(argv, str) else ""
    if not found:
        return ""
    import json  # imported here: only a string that was meant for a shell needs it

    shell = json.dumps(["sh", "-c", argv], ensure_ascii=False)
    return f"no shell reads this string: {found} in it is a plain word. With one: {shell}"


def _for_a_shell(text: str) -> str:
    """The first of it that only a shell understands, outside quotes; $ and the backquote inside double ones as well."""
    if found := _ASSIGNMENT.match(text):
        return found.group()
    quote, number = "", 0
    while number < len(text):
        letter = text[number]
        if letter == "\\" and quote != "'":
            number += 1
        elif letter in ("'", '"') and quote in ("", letter):
            quote = "" if quote else letter
        elif quote != "'":
            found = _EXPANDED.match(text, number) or (None if quote else _OPERATOR.match(text, number))
            if found and (found.group() != "~" or not number or text[number - 1].isspace()):
                return found.group()
        number += 1
    return ""
