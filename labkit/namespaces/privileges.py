"""What one may: capabilities taken away, and the promise never to gain any again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.linux import capabilities
from labkit.linux.calls import Intent, capset, keyctl_join_session_keyring, prctl
from labkit.linux.constants import (
    ENOSYS,
    EPERM,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_SET_NO_NEW_PRIVS,
)
from labkit.linux.signatures import signature
from labkit.steps.step import Step

#: What Docker leaves to root in a container, without CAP_MKNOD: there is no device cgroup here to
#: stand behind it, and with it root inside could make the host's disk and read it.
KEPT = tuple(name for name in capabilities.DOCKER_DEFAULT if name != "CAP_MKNOD")
_LAST = 40  # CAP_CHECKPOINT_RESTORE, since Linux 5.9


@dataclass(frozen=True, kw_only=True)
class DropCapabilities(Step):
    """Take away all capabilities but those named.

    root in a container is root: without this step it may load modules, set the clock, trace and mount.
    The bounding set is a ceiling for every later exec, so it goes first; then the process's own sets.

    See: capabilities(7), prctl(2) "PR_CAPBSET_DROP", capset(2).
    """

    keep: tuple[str, ...] = KEPT
    probes = ("caps",)
    no_way_back = "a capability taken out of the bounding set never comes back"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        kept = capabilities.mask(self.keep)
        for number in range(_LAST + 1):
            if not kept >> number & 1:
                yield prctl(PR_CAPBSET_DROP, number)
        yield capset(effective=kept, permitted=kept)

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return (what, why) if self.keep else ("Take away all capabilities.", why)

    def shell(self) -> str:
        return f"setpriv --inh-caps=-all --bounding-set=-all{_added(self.keep)}"

    @property
    def title(self) -> str:
        return f"keep {len(self.keep)} of {_LAST + 1} capabilities" if self.keep else "drop all capabilities"


@dataclass(frozen=True, kw_only=True)
class InheritCapabilities(Step):
    """Put capabilities into the inheritable set: a program may take them over if its file says so.

    By itself the set grants nothing; it is one half of a bargain whose other half stands in the file. A
    container's should be empty: with Docker's full one, files inside got more than was meant (CVE-2022-24769).
    The call sets all three sets at once, so what is `permitted` is said anew.

    See: capabilities(7) "Transformation of capabilities during execve()", capset(2).
    """

    names: tuple[str, ...]
    permitted: tuple[str, ...] = KEPT
    probes = ("caps",)
    no_way_back = "what the set held before is not kept"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        own = capabilities.mask(self.permitted)
        yield capset(effective=own, permitted=own, inheritable=capabilities.mask(self.names))

    def explanation(self) -> tuple[str, str]:
        what, why = super().explanation()
        return (what, why) if self.names else ("Empty the inheritable set.", why)

    def shell(self) -> str:
        return f"setpriv --inh-caps=-all{_added(self.names)}"

    @property
    def title(self) -> str:
        return f"let programs inherit {', '.join(self.names) or 'no capability'}"


@dataclass(frozen=True, kw_only=True)
class RaiseAmbient(Step):
    """Let capabilities survive an exec of an ordinary program, for a user who is not root.

    Without it a user other than root loses every capability at the next exec, whatever was permitted. Only
    what is permitted and inheritable can be raised, and it sinks again with either of them.

    See: capabilities(7) "Ambient", prctl(2) "PR_CAP_AMBIENT".
    """

    names: tuple[str, ...]
    probes = ("caps",)
    no_way_back = "it could be lowered; what was ambient before is not kept"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        for name in self.names:
            yield prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilities.number(name))

    def shell(self) -> str:
        return f"setpriv --ambient-caps={_added(self.names).lstrip(',')}"

    @property
    def title(self) -> str:
        return f"raise {', '.join(self.names)} into the ambient set"


def _added(names: tuple[str, ...]) -> str:
    """Capabilities as setpriv adds them: ``,+chown,+kill``."""
    return "".join(f",+{name.removeprefix('CAP_').lower()}" for name in names)


@dataclass(frozen=True, kw_only=True)
class NoNewPrivileges(Step):
    """Promise that no exec will ever grant more than the process has now.

    Set-user-id bits and file capabilities stop working, for this process and all that come of it. It is
    also what lets an ordinary user install a seccomp filter.

    See: prctl(2) "PR_SET_NO_NEW_PRIVS".
    """

    probes = ("caps",)
    no_way_back = "the bit can be set but never cleared"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:
        yield prctl(PR_SET_NO_NEW_PRIVS, 1)

    def shell(self) -> str:
        return "setpriv --no-new-privs"

    @property
    def title(self) -> str:
        return "allow no new privileges"


@dataclass(frozen=True, kw_only=True)
class NewSessionKeyring(Step):
    """Get an empty session keyring.

    Keys are not in any namespace but the user's: without this step a container inherits the keyring of
    whoever started it, with every key and ticket in it.

    See: keyctl(2) "KEYCTL_JOIN_SESSION_KEYRING", session-keyring(7).
    """

    no_way_back = "the old keyring may be gone with its last user"
    replaces_shell = True

    def calls(self) -> Iterator[Intent]:  # a kernel without keys, or a filter around us, leaves none to inherit
        yield keyctl_join_session_keyring(None)._replace(tolerate=(ENOSYS, EPERM))

    def shell(self) -> str:
        number = signature("keyctl").number  # perl has no name for it, and the machines have numbers of their own
        return f"perl -e 'syscall({number}, 1, 0); exec @ARGV'"

    @property
    def title(self) -> str:
        return "get an empty session keyring"
