# shellcheck shell=bash
# What the long trials of a machine share: stages with their time, what must be so, and JupyterLab asked as a browser asks.

step() { printf '\n=== %s  (%d s)\n' "$*" "$SECONDS"; }

must() { "$@" || { echo "FAILED: $*" >&2 && exit 1; }; }

ask() { # METHOD PATH [BODY]: JupyterLab's own interface at ADDRESS, which tells port and token
    curl --silent --fail --noproxy '*' -X "$1" "${ADDRESS%%/lab*}/api/$2?token=${ADDRESS##*token=}" ${3:+-d "$3"}
}

new_notebook() { # NAME: saved by JupyterLab, as the browser has it saved
    ask PUT "contents/$1.ipynb" '{"type": "notebook", "format": "json",
        "content": {"cells": [], "metadata": {"mine": 1}, "nbformat": 4, "nbformat_minor": 5}}' >/dev/null
}
