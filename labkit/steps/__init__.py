"""Steps, plans and walks: intended acts as data, what they did, and the way back.

Read in this order: `fact`, `snapshot`, `call`, `step`, `plan`, `walk`; then `backends`, the one seam
between a plan and a kernel.
"""
