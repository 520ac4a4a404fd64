# shellcheck shell=bash
# What the lab wants of the machine around it. Each part writes its file when it is not there as it should be.

UNIT=/etc/systemd/system/labkit.service
GREETING=/etc/update-motd.d/60-labkit
KNOBS=/etc/sysctl.d/60-labkit.conf
DELEGATION=/etc/systemd/system/user@.service.d/labkit.conf
# shellcheck disable=SC2034 # for ./lab remove
OF_THE_MACHINE=("$UNIT" "$GREETING" "$KNOBS" "$DELEGATION")

written() { # FILE [MODE]: standard input becomes FILE, whole or not at all; true when that changed something
    local fresh
    mkdir -p "$(dirname "$1")"
    fresh=$(mktemp "$1.XXXXXX")
    if ! cat >"$fresh"; then
        rm -f "$fresh"
        fail "write $1" "the file system did not take it" "df $(dirname "$1")"
    fi
    if cmp -s "$fresh" "$1"; then
        rm -f "$fresh"
        return 1
    fi
    chmod "${2:-0644}" "$fresh"
    mv -f "$fresh" "$1"
}

systemd_runs() { [[ -d /run/systemd/system ]]; } # sd_booted(3); in a tree that is being built it does not

user_namespaces() { # Ubuntu 23.10 and newer let only programs with an AppArmor profile make user namespaces
    local knob=kernel.apparmor_restrict_unprivileged_userns
    [[ -e /proc/sys/${knob//.//} ]] || grep -qs '^ID=ubuntu$' /etc/os-release || return 0
    written "$KNOBS" <<END && [[ -e /proc/sys/${knob//.//} ]] && sysctl -qw "$knob=0"
# Written by labkit's vm/provision.sh. Ubuntu keeps a user's programs from making user namespaces, because a hole in the
# kernel is easier to reach from within one. The course is about such namespaces, and its programs (Python, unshare)
# are no single program that a profile could name. The "-": a kernel without AppArmor has no such knob.
-$knob = 0
END
    return 0
}

delegation() { # a user's own cgroups, with the controllers that lessons limit, for labs without root (v2)
    written "$DELEGATION" <<'END' && systemd_runs && systemctl daemon-reload
# Written by labkit's vm/provision.sh: systemd gives a user memory and pids alone. cpu, cpuset and io as well, so that
# `systemd-run --user --scope -p Delegate=yes` can start a lab that limits them.
[Service]
Delegate=cpu cpuset io memory pids
END
    return 0
}

greeting() { # PORT: pam_motd runs it at each login
    local quoted
    printf -v quoted %q "${PLACE:?}"
    written "$GREETING" 0755 < <(fill_in vm/greeting.in "$quoted" "$1") || true
}

fill_in() { # FILE PLACE [PORT ADDRESS]: with what is known by now; PLACE as the language of the file has it
    local place=${2//[\\&|]/\\&} # the three have a meaning in the replacement of sed's s
    sed -e "s|@UID@|$OWNER_UID|g" -e "s|@PLACE@|$place|g" -e "s|@PORT@|${3:-}|g" -e "s|@ADDRESS@|${4:-}|g" "$1"
}

service() { # PORT ADDRESS: JupyterLab as the user, from boot on
    local changed=
    ! written "$UNIT" < <(fill_in vm/labkit.service.in "${PLACE//%/%%}" "$1" "$2") || changed=yes
    if ! command -v systemctl >/dev/null; then
        note "there is no systemd here, so nothing starts JupyterLab at boot; as $OWNER: cd $PLACE; ./lab up"
        return 0
    fi
    systemctl -q enable labkit.service 2>/dev/null ||
        fail "have JupyterLab started at boot" "systemctl enable labkit.service failed" "systemctl enable labkit.service"
    systemd_runs || return 0
    if [[ -n $changed ]]; then # else what runs may go on: a restart would end the student's kernels
        systemctl daemon-reload
        systemctl stop labkit.service
    fi
    task "start JupyterLab" "journalctl -u labkit; is port $1 free? ss -tlnp 'sport = $1'" start_and_wait
    owner "$PYTHON" setup/server.py address
}

start_and_wait() {
    systemctl start labkit.service && owner "$PYTHON" setup/server.py wait
}
