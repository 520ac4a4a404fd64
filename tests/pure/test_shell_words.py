"""A string written for a shell is told apart from one that is not; lists are never touched."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.container import shell_words


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("echo a | cat", "|"), ("cd /tmp && ls", "&&"), ("false || true", "||"), ("echo a >/tmp/x", ">"),
        ("echo a >> x", ">>"), ("cat </etc/passwd", "<"), ("echo a; echo b", ";"), ("sleep 5 &", "&"),
        ("echo $HOME", "$HOME"), ('echo "$HOME"', "$HOME"), ("echo ${HOME}", "${"), ("echo $(id)", "$("),
        ("echo `id`", "`"), ("ls /etc/*.conf", "*"), ("ls ~", "~"), ("ls ~/x", "~"), ("A=1 env", "A="),
        ("echo $?", "$?"),
    ],
)  # fmt: skip
def test_what_only_a_shell_understands(argv: str, found: str) -> None:
    said = shell_words.hint(argv)
    assert said.startswith(f"no shell reads this string: {found} in it ")
    words = eval(said[said.index("[") :], {"__builtins__": {}})
    assert words == ["sh", "-c", argv]


@pytest.mark.parametrize(
    "argv",
    [
        "echo hi", "grep 'a|b' /etc/passwd", 'grep "a|b" x', "echo '$HOME'", r"echo \$HOME", r"find / -name \*.py",
        "echo a~b", "echo 5$", "env A=1 sh", "sh -c 'echo a | cat'", "", ["echo", "a", "|", "cat"], ("echo", "$HOME"),
        None, 5,
    ],
)  # fmt: skip
def test_what_means_what_it_says(argv: object) -> None:
    assert shell_words.hint(argv) == ""


@given(st.text())
def test_any_text_at_all(text: str) -> None:
    shell_words.hint(text)
    plain = text.replace("'", "")  # shlex.quote would leave A= as it is
    assert shell_words.hint(f"'{plain}'") == ""


def test_the_examples_of_the_module() -> None:
    assert doctest.testmod(shell_words, raise_on_error=True).attempted
