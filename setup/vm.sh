# shellcheck shell=bash
# The lab's own virtual machines: the course's, and those that tests run in.

vm() { # OPTION: the course's machine; setup/vm/ says how
    local deed=start
    case ${1:-} in
        '') ;;
        --build | --stop | --reset | --shell) deed=${1#--} ;;
        *) wrong "vm does not know $1" ;;
    esac
    (($# < 2)) || wrong "vm takes one option at a time"
    open_state
    PYTHON=$(find_python) || fail "find Python" "there is no Python 3.11 or newer here" "install Python 3.11"
    case $deed in
        build) build_machine ;;
        start)
            compgen -G '.machine/*/stamp' >/dev/null || build_machine
            emulator
            ;;
    esac
    [[ $deed != shell ]] || exec 9>&- # as long as it is open, the other commands may run
    [[ $deed == build ]] || course_machine "$deed" 9>&-
}

build_machine() {
    if ! command -v apt-get >/dev/null && ! command -v mmdebstrap >/dev/null; then
        fail "build the machine" "that takes a Debian or Ubuntu" \
            "make it there, and bring its directory .machine here (docs/vm.md); or: vagrant up"
    fi
    packages builder
    if ((EUID != 0)) && ! cut -d: -f1 /etc/subuid 2>/dev/null | grep -qxF -e "$(me)" -e "$(id -u)"; then
        fail "build the machine" "$(me) has no user ids of its own to be root with (/etc/subuid)" \
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(me)"
    fi
    task "build the machine (five minutes, once)" \
        "is the package mirror reachable? Then the same command again; .machine/build.log tells all" course_machine build
}

emulator() {
    ! command -v apt-get >/dev/null || packages "emulator-$(dpkg --print-architecture)"
}

course_machine() { PYTHONPATH=setup PYTHONDONTWRITEBYTECODE=1 "$PYTHON" setup/vm "$@"; }

test_in_vm() { # OPTION...: the notebooks and the kernel ring on other kernels; tests/vm/ says how
    open_state
    packages need want test builder "emulator-$(dpkg --print-architecture)"
    environment test
    flock -u 9
    PYTHONPATH=setup/vm exec "$PYTHON" tests/vm "$@" 9>&-
}
