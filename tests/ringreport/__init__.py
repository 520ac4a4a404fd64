"""What ``./lab test --report DIR`` leaves in DIR for a machine that reads it, and for a person who looks at a failure.

machine.json            this machine: kernel, distribution, CPUs, memory, versions of packages; the commit
RING.xml                JUnit
RING.json               outcome, counts, seconds; each skip with its reason; failures; the slowest tests
RING-leftovers.txt      only where the ring failed: the lab's processes, mounts, cgroups, directories; links
RING-kernel.log         only where the ring failed: what the kernel has said since the ring began
screenshots/            of each page that was open when a test of the browser ring failed
summary.json            all rings of this call, each with its result and seconds
"""
