"""The processes behind a lab: supervisor, lab host, zygote, actors; and the wire between them.

Read in this order: `wire` (how they talk), `actor` (a process that takes steps), `zygote`, `host`,
`supervisor`, `journal` (what may outlive them), `look` (facts); then `client` and `start`, the two
modules that run in the notebook.
"""
