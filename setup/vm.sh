# shellcheck shell=bash
# The lab's own virtual machines: those that tests run in.

test_in_vm() { # OPTION...: the kernel ring and the notebooks on other kernels; tests/vm/ says how
    open_state
    packages need want test emulator
    environment test
    flock -u 9
    PYTHONPATH=setup/vm exec "$PYTHON" tests/vm "$@" 9>&-
}
