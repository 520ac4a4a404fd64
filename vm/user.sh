# shellcheck shell=bash
# The student of the machine: their account, and what is done as that user.

the_user() { # VM: sets OWNER, OWNER_UID and HOUSE, and PLACE unless it was given
    local key
    if [[ -z $OWNER ]]; then
        fail "choose the user" "this was not called through sudo, so the student is not known" \
            "vm/provision.sh --user NAME (or --vm on a machine made for the course)"
    fi
    if ! id -- "$OWNER" >/dev/null 2>&1; then
        [[ -n $1 ]] || fail "choose the user" "there is no user $OWNER on this machine" \
            "adduser $OWNER; or, if it is one of a directory service: getent passwd '$OWNER' has to find it"
        task "make the user $OWNER" \
            "useradd takes small letters, digits, - and _: make any other user yourself, then the same command again" \
            useradd --create-home --shell /bin/bash -- "$OWNER"
    fi
    OWNER_UID=$(id -u -- "$OWNER") key=$OWNER
    [[ $OWNER == *[!0-9]* ]] || key=$OWNER_UID # getent takes a name of digits for a number
    ((OWNER_UID != 0)) || fail "choose the user" "JupyterLab shall not run as root" "vm/provision.sh --user NAME"
    HOUSE=$(getent passwd "$key" | cut -d: -f6)
    if [[ -z $PLACE && $(stat -c %u "$SOURCE") == "$OWNER_UID" && -z $1 ]]; then
        PLACE=$SOURCE
    fi
    : "${PLACE:=$HOUSE/labkit}"
}

owner() { # COMMAND...: as the user, in the user's surroundings
    runuser -u "$OWNER" -- env -u XDG_DATA_HOME -u XDG_CONFIG_HOME -u XDG_CACHE_HOME \
        HOME="$HOUSE" USER="$OWNER" LOGNAME="$OWNER" PIP_CACHE_DIR="${PIP_CACHE_DIR:-$PLACE/.lab/pip}" "$@"
}

as_owner() { # TITLE REMEDY COMMAND...
    task "$1" "$2" owner "${@:3}"
}
