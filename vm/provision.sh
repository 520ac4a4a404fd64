#!/usr/bin/env bash
# Make a Debian or Ubuntu the course's machine: packages, the project in its place, images, and a JupyterLab that
# systemd starts as an ordinary user. For Vagrant, cloud-init, Lima, `./lab vm --build` (a tree where no systemd runs)
# and a lab PC.
#
# Run it as often as you like. Each part looks at what is there, so that a run that was killed, or that ran out of
# disk, goes on where it stopped, and one that finds all done needs no network.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 # root leaves no .pyc in the user's directory

SOURCE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
ROOT=/var/lib/labkit # until the project is in its place
cd "$SOURCE"
{ : <&0; } 2>/dev/null || exec </dev/null

# shellcheck source=setup/lib.sh
source setup/lib.sh
# shellcheck source=setup/packages.sh
source setup/packages.sh
# shellcheck source=setup/python.sh
source setup/python.sh
# shellcheck source=setup/privilege.sh
source setup/privilege.sh
# shellcheck source=vm/user.sh
source vm/user.sh
# shellcheck source=vm/machine.sh
source vm/machine.sh

STATE=$ROOT/provision # root's logs and lock: those in the project's .lab belong to the user

usage() {
    cat <<'END'
usage: sudo vm/provision.sh [--vm] [--user NAME] [--place DIRECTORY] [--port N] [--saved FILE]

  --vm       this machine is made for the course: make the user, answer on all its addresses (a port that the
             host forwards does not arrive on loopback), greet who logs in, keep no downloads
  --user     whose JupyterLab it is: vagrant with --vm, else whoever called sudo
  --place    where the project goes: labkit in that user's home, or this directory itself if it is that user's
  --port     JupyterLab's port: 8888
  --saved    what vm/keep.sh saved on an earlier machine; taken, and removed, if it is there
END
}

main() {
    local vm='' port=8888 address=127.0.0.1 saved=''
    OWNER='' PLACE=''
    while (($#)); do
        case $1 in
            --vm) vm=yes address=0.0.0.0 ;;
            --user) OWNER=${2:?--user wants a name} && shift ;;
            --place) PLACE=${2:?--place wants a directory} && shift ;;
            --port) port=${2:?--port wants a number} && shift ;;
            --saved) saved=${2:?--saved wants a file} && shift ;;
            -h | --help) usage && return ;;
            *) fail "read the command line" "there is no option $1" "vm/provision.sh --help" ;;
        esac
        shift
    done
    ((EUID == 0)) || fail "begin" "$(me) is not root, and packages, a service and a sudo rule are root's affair" \
        "sudo vm/provision.sh; without sudo: ./lab up"
    : "${OWNER:=${vm:+vagrant}}" "${OWNER:=${SUDO_USER:-}}"
    mkdir -p "$ROOT" || fail "begin" "$ROOT cannot be made" "is the file system full, or read-only? df /var; findmnt /var"
    open_state
    the_user "$vm"
    packages need want machine
    put_in_place
    cd "$PLACE"
    bring_back "$saved"
    the_agent
    as_owner "set up labkit as $OWNER" "mend what the lines above name; the same command again goes on where it stopped" \
        ./lab up --no-start
    PYTHON=$PLACE/.venv/bin/python
    images
    as_owner "compile the lab's Python" "$PYTHON -m compileall $PLACE/labkit" \
        "$PYTHON" -m compileall -q labkit
    as_owner "gather the fonts for plots" "rm -r $HOUSE/.cache/matplotlib" "$PYTHON" -c 'import matplotlib.font_manager'
    user_namespaces
    delegation
    [[ -z $vm ]] || greeting "$port"
    service "$port" "$address"
    [[ -z $vm ]] || drop_downloads
}

put_in_place() { # the project as it is here, without touching what the student has changed there
    ROOT=$PLACE
    [[ $PLACE != "$SOURCE" ]] || return 0
    task "put the project into its place" "is there room? df $HOUSE" send_project
    sed 's/^/note: /' "$STATE/log/put-the-project-into-its-place.log" >&2
}

send_project() {
    tar -C "$SOURCE" --exclude-from=vm/not-placed.txt -cf - . |
        owner bash -c "$(<vm/place.sh)" place "$PLACE"
}

bring_back() { # FILE: the student's files of an earlier machine, before this one is used for the first time
    [[ -f $1 ]] || return 0
    task "bring back notebooks and answers" "is $1 whole? tar -tzf $1" restore "$1"
    rm -f "$1"
}

restore() { # FILE, which the user need not be allowed to read where it lies
    owner bash vm/keep.sh restore "$PLACE" <"$1"
}

the_agent() { # root's copy of it, and the rule that lets the user start it
    RULE_FOR=$OWNER RULE_UID=$OWNER_UID
    agent_is_current ||
        task "install the sudo rule" "look at the lines above; visudo -c shows a rule that sudo refuses" install_rule
}

drop_downloads() { # half a gigabyte that a second machine would have to carry as well
    apt-get -q clean
    rm -rf "$PLACE/.lab/pip"
}

main "$@"
