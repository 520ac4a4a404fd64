"""The processes behind a lab: supervisor, lab host, zygote, actors; and the wire between them.

Read in this order: `wire` (how they talk), `actor` (a process that takes steps), `zygote`, `host`,
`supervisor`, `journal` (what may outlive them), `rootless` (root without being root), `look` (facts) and
`window` (who else may look); then what runs in the notebook: `start` and `sudo_rule` (the ways in),
`client`, `running`, and `remedies` for when it does not go well.
"""
