# shellcheck shell=bash
# Debian packages: which are missing, and how they come.

listed() { # LIST...: the names in setup/apt/LIST.txt
    local list
    for list; do sed '/^#/d' "setup/apt/$list.txt"; done
}

absent() { # NAME...: those that are not installed
    local here
    here=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p') || true
    comm -23 <(printf '%s\n' "$@" | LC_ALL=C sort -u) <(LC_ALL=C sort -u <<<"$here")
}

packages() { # LIST...: install what is missing of these lists; only `need` is worth stopping for
    local names missing
    if ! command -v apt-get >/dev/null; then
        tools_are_here || fail "find packages" "this system has no apt-get, and something of the lab's is missing" \
            "use Debian 12, Debian 13 or Ubuntu 24.04, or install by hand: $(listed need | xargs)"
        return 0
    fi
    mapfile -t names < <(listed "$@")
    mapfile -t missing < <(absent "${names[@]}")
    if ((${#missing[@]})); then
        if may_be_root "install ${missing[*]}"; then
            say "packages to install: ${missing[*]}"
            task "install packages" "look at the lines above; then try: apt-get install ${missing[*]}" \
                install_packages "${missing[@]}"
        elif tools_are_here; then
            note "not installed, for want of root: ${missing[*]}"
        else
            fail "install packages" "${missing[*]}: missing, and $(me) has no sudo here" \
                "ask an administrator for: apt-get install ${missing[*]}"
        fi
    fi
    manual_pages
}

install_packages() { # NAME...
    local known cache=()
    if [[ -n ${LABKIT_CACHE:-} ]]; then
        mkdir -p "$LABKIT_CACHE/apt" || return 1
        cache=(-o "Dir::Cache::Archives=$LABKIT_CACHE/apt" -o APT::Keep-Downloaded-Packages=true)
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=180 update ||
        echo "some package lists could not be refreshed; trying with those that are here"
    # Ubuntu has no chromium package but a snap: the browser ring finds another browser there, or says so.
    mapfile -t known < <(apt-cache --names-only show "$@" 2>/dev/null | sed -n 's/^Package: //p' | sort -u)
    ((${#known[@]})) || known=("$@")
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a ||
        echo "what an interrupted installation left could not be finished; trying all the same"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=180 -o DPkg::Options::=--path-include='/usr/share/man/man[1-8]/*' "${cache[@]}" \
        install "${known[@]}" || return 1
    if [[ -n ${LABKIT_CACHE:-} ]]; then # only root may read it, and the cache may be packed by another user
        as_root rm -rf "$LABKIT_CACHE/apt/partial" "$LABKIT_CACHE/apt/lock" || return 1
    fi
    printf '%s\n' "${known[@]}" >>"$STATE/apt-installed"
}

# Container images of Debian and Ubuntu leave the manual out (path-exclude), but the lessons show it.
manual_pages() {
    [[ ! -e /usr/share/man/man7/namespaces.7.gz ]] || return 0
    [[ -z $(absent manpages manpages-dev) ]] && ((EUID == 0)) || return 0
    task "bring back the manual pages" "apt-get install --reinstall manpages manpages-dev" \
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --reinstall \
        -o DPkg::Options::=--path-include='/usr/share/man/man[1-8]/*' install manpages manpages-dev util-linux
}

tools_are_here() { # can the lab do without apt?
    local tool
    for tool in busybox setpriv unshare nsenter; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || return 1
    done
    find_python >/dev/null
}
