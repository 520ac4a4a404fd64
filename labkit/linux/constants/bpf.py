"""Constants of BPF: small programs that the kernel checks, compiles, and runs where it takes a decision.

Here it is the one about devices: may a process of this cgroup open, or make, that one? An instruction is eight
bytes, the first of which is put together: a class (BPF_JMP), an operation (BPF_JNE) and a source (BPF_K).

See: bpf(2), <linux/bpf.h>, <linux/bpf_common.h>, the kernel's bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

BPF_PROG_LOAD = 5
BPF_PROG_ATTACH = 8
BPF_PROG_DETACH = 9
BPF_PROG_GET_FD_BY_ID = 13
BPF_OBJ_GET_INFO_BY_FD = 15
BPF_PROG_QUERY = 16

BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6

# What the program is asked: the lower half of access_type is the type, the upper one what is wanted.
BPF_DEVCG_DEV_BLOCK = 1
BPF_DEVCG_DEV_CHAR = 2
BPF_DEVCG_ACC_MKNOD = 1
BPF_DEVCG_ACC_READ = 2
BPF_DEVCG_ACC_WRITE = 4

# Classes
BPF_LDX = 0x01
BPF_JMP = 0x05
BPF_ALU64 = 0x07
# Loads
BPF_W = 0x00
BPF_MEM = 0x60
# Arithmetic
BPF_AND = 0x50
BPF_RSH = 0x70
BPF_MOV = 0xB0
# Jumps
BPF_JSET = 0x40
BPF_JNE = 0x50
BPF_EXIT = 0x90
# The other operand: the number in the instruction, or a register
BPF_K = 0x00
BPF_X = 0x08
