#!/usr/bin/env bash
# The job, inside the machine: each part by its way in, one JUnit file each, all of them on /dev/vdc after each.
#
# `parts` beside this file has a line for each: NAME WAY RING OPTION...; `seconds` says how long after the boot a part
# is broken off, as by Ctrl-C: then its file has what was done.
set -uo pipefail
job=$(dirname "$0") results=/var/tmp/results project=/home/student/labkit

say() { printf '\n=== %s\n' "$*"; }

prepare() {
    chown -R student: "$project"
    ln -s /opt/venv "$project/.venv"
    # The image knows where the code lies; what `pip install -e` writes beside that came with the job.
    mv "$job/labkit.dist-info" "$(echo /opt/venv/lib/python3.*/site-packages)/labkit-0.dist-info"
    install -d -o student "$results"
    # What a rootless lab asks for, where it has too few, to have the users that lesson 05 tells of.
    usermod --add-subuids 1000000-1196606 --add-subgids 1000000-1196606 student
    uname -r >"$results/release"
    python3 -I "$job/features.py" >"$results/features.json"
    # Modules that an ordinary user's namespaces cannot load; systemd-modules-load.service, on the product.
    modprobe -a overlay veth bridge macvlan vxlan nf_tables nft_chain_nat nft_masq nft_ct nft_redir tun loop
    (cd "$project" && /opt/venv/bin/python -m labkit image build busybox)
}

give_rule() { # as vm/provision.sh installs it
    # shellcheck disable=SC2034,SC2030
    (cd "$project" && ROOT=$PWD STATE=/var/tmp && source setup/lib.sh && source setup/privilege.sh && RULE_FOR=student &&
        install_rule)
}

left() { # seconds that a part may still take
    local gone
    gone=$(cut -d. -f1 /proc/uptime)
    echo $(($(<"$job/seconds") > gone ? $(<"$job/seconds") - gone : 1))
}

part() { # NAME WAY RING OPTION...: in a unit of its own, whose cgroup it may divide
    local name=$1 way=$2 ring=$3 who=student
    shift 3
    [[ $way != root ]] || who=root
    if [[ $way == sudo ]]; then
        give_rule || return 1
    else
        rm -f /etc/sudoers.d/labkit
    fi
    systemd-run --quiet --wait --collect --pty --unit="part-$name" --property=Delegate=yes --property=OOMPolicy=continue --uid="$who" \
        --working-directory="$project" --setenv=HOME="$(getent passwd "$who" | cut -d: -f6)" \
        --setenv=LABKIT_WAY="$way" --setenv=LABKIT_BACKEND=live --setenv=TERM=dumb --setenv=COLUMNS=120 \
        --setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --setenv=LC_ALL=C.UTF-8 \
        timeout --signal=INT --kill-after=60 "$(left)" bash "$job/ring.sh" "$ring" -vv --junitxml="$results/$name.xml" "$@"
}

say "prepare"
prepare
tar -C "$results" -cf /dev/vdc . # what is known by now, should a part never end
while read -r name way ring options; do
    say "$name"
    # shellcheck disable=SC2086
    part "$name" "$way" "$ring" $options </dev/null
    echo $? >"$results/$name.status"
    tar -C "$results" -cf /dev/vdc .
done <"$job/parts"
say "end of the job"
