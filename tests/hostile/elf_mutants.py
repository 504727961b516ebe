"""Broken executables made from good ones, the same for the same seed: `elf_mutants.py FOLDER COUNT SOURCE...`."""

import os
import random
import struct
import sys

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")  # ident type machine version entry phoff shoff flags ehsize phentsize phnum ...
PHDR = struct.Struct("<IIQQQQQQ")          # type flags offset vaddr paddr filesz memsz align
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS = 1, 2, 3, 7
ODD = [0, 1, 2, 3, 7, 8, 0xfff, 0x1000, 0x1001, 0x7fff, 0xffff, 0x10000, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 40,
       (1 << 47) - 4096, (1 << 47) - 1, 1 << 47, 0xffff800000000000, 0xffffffffff600000, (1 << 63) - 1, 1 << 63,
       (1 << 64) - 4096, (1 << 64) - 1]


class Elf:
    def __init__(self, data):
        self.data = bytearray(data)
        self.header = list(EHDR.unpack_from(data))
        self.phdrs = [list(PHDR.unpack_from(data, self.header[5] + i * PHDR.size)) for i in range(self.header[10])]

    def bytes(self):
        EHDR.pack_into(self.data, 0, *self.header)
        for i, phdr in enumerate(self.phdrs):
            at = self.header[5] + i * PHDR.size
            if 0 <= at <= len(self.data) - PHDR.size:
                PHDR.pack_into(self.data, at, *phdr)
        return bytes(self.data)


def odd(dice, bits):
    value = dice.choice(ODD) if dice.random() < 0.8 else dice.getrandbits(64)
    return value & ((1 << bits) - 1)


def header_field(elf, dice):
    field = dice.choice([1, 2, 4, 4, 5, 8, 9, 10, 10, 11, 12, 13])
    data = bytearray(elf.bytes())
    offset, size = {1: (16, 2), 2: (18, 2), 4: (24, 8), 5: (32, 8), 8: (52, 2), 9: (54, 2), 10: (56, 2), 11: (58, 2),
                    12: (60, 2), 13: (62, 2)}[field]
    data[offset:offset + size] = odd(dice, size * 8).to_bytes(size, "little")
    return bytes(data)


def ident(elf, dice):
    data = bytearray(elf.bytes())
    data[dice.randrange(16)] = dice.randrange(256)
    return bytes(data)


def segment_fields(elf, dice):
    for _ in range(dice.randint(1, 3)):
        phdr = dice.choice(elf.phdrs)
        field = dice.choice([0, 1, 2, 3, 3, 5, 5, 6, 6, 7])
        phdr[field] = odd(dice, 32 if field < 2 else 64)
    return elf.bytes()


def overlap(elf, dice):
    loads = [p for p in elf.phdrs if p[0] == PT_LOAD]
    one, other = dice.choice(loads), dice.choice(loads)
    one[3] = other[3] + dice.choice([0, 0, 0x1000, 0x800, 1])
    if dice.random() < 0.5:
        one[2] = other[2]
    return elf.bytes()


def huge(elf, dice):
    phdr = dice.choice([p for p in elf.phdrs if p[0] == PT_LOAD])
    size = dice.choice([1 << 30, 1 << 38, 1 << 46, (1 << 47) - 0x10000, 1 << 62, (1 << 64) - 0x2000])
    phdr[6] = size
    if dice.random() < 0.5:
        phdr[5] = size
    return elf.bytes()


def backwards(elf, dice):
    """Segments in another order, or one file size larger than its memory size."""
    if dice.random() < 0.5:
        dice.shuffle(elf.phdrs)
    else:
        phdr = dice.choice([p for p in elf.phdrs if p[0] == PT_LOAD])
        phdr[6] = dice.randrange(phdr[5] + 1)
    return elf.bytes()


def wrap(elf, dice):
    phdr = dice.choice([p for p in elf.phdrs if p[0] == PT_LOAD])
    phdr[3] = (1 << 64) - dice.choice([0x1000, 0x2000, 0x10000])
    phdr[6] = dice.choice([0x1000, 0x4000, 0x20000])
    return elf.bytes()


def near_top(elf, dice):
    phdr = dice.choice([p for p in elf.phdrs if p[0] == PT_LOAD])
    phdr[3] = (1 << 47) - dice.choice([0x1000, 0x2000, 0x3000, 0x100000])
    return elf.bytes()


def truncated(elf, dice):
    data = elf.bytes()
    return data[:dice.choice([0, 1, 3, 4, 16, 63, 64, 65, 100, 64 + 56, 4096, dice.randrange(len(data))])]


def flips(elf, dice):
    data = bytearray(elf.bytes())
    for _ in range(dice.randint(1, 30)):
        data[dice.randrange(min(len(data), 1200))] ^= 1 << dice.randrange(8)
    return bytes(data)


def interpreter(elf, dice):
    found = [p for p in elf.phdrs if p[0] == PT_INTERP]
    phdr = found[0] if found else dice.choice(elf.phdrs)
    phdr[0] = PT_INTERP
    name = dice.choice([b"/dev/null\0", b"/dev/zero\0", b"/\0", b"\0", b"/proc/self/exe\0", b"/proc/self/mem\0", b"/bin/true\0",
                        b"relative\0", b"/etc/passwd\0", b"x" * 27, b"/dev/tty\0"])
    at = min(phdr[2], len(elf.data) - 64) if phdr[2] < len(elf.data) else 0x200
    phdr[2], phdr[5], phdr[6] = at, len(name), len(name)
    if dice.random() < 0.3:
        phdr[5] = odd(dice, 64)
    elf.data[at:at + len(name)] = name
    return elf.bytes()


def dynamic(elf, dice):
    """Tables that the loader of the C library reads: its trouble, not the kernel's, but it runs in the sandbox."""
    phdr = next((p for p in elf.phdrs if p[0] in (PT_DYNAMIC, PT_TLS)), elf.phdrs[0])
    data = bytearray(elf.bytes())
    for _ in range(dice.randint(1, 6)):
        at = phdr[2] + dice.randrange(max(1, min(phdr[5], 512)) // 8 + 1) * 8
        if at + 8 <= len(data):
            data[at:at + 8] = odd(dice, 64).to_bytes(8, "little")
    return bytes(data)


def many_headers(elf, dice):
    load = next(p for p in elf.phdrs if p[0] == PT_LOAD)
    count = dice.choice([73, 100, 1000, 1170])
    table = bytearray()
    for i in range(count):
        extra = list(load)
        extra[3] = load[3] + i * 0x10000
        table += PHDR.pack(*extra)
    elf.header[5], elf.header[10] = len(elf.data), count
    elf.phdrs = []
    return elf.bytes() + bytes(table)


def script(elf, dice):
    del elf
    return dice.choice([b"#!", b"#!\n", b"#! \t \n", b"#!/", b"#!" + b"/" * 300, b"#!/bin/sh" + b" " * 5000, b"#!/proc/self/exe\n",
                        b"#!\0/bin/sh\n", b"#!/bin/sh\0x\n", b"#!" + bytes(range(1, 200)), b"#!/mnt\n", b"#!/dev/zero\n"])


KINDS = [header_field, ident, segment_fields, segment_fields, segment_fields, overlap, huge, backwards, wrap, near_top, truncated,
         flips, flips, interpreter, dynamic, many_headers, script]


def make(folder, count, sources):
    os.makedirs(folder, exist_ok=True)
    originals = []
    for source in sources:
        with open(source, "rb") as file:
            originals.append(file.read())
    for number in range(count):
        dice = random.Random(number)
        kind = KINDS[number % len(KINDS)]
        path = os.path.join(folder, "%04d-%s" % (number, kind.__name__))
        with open(path, "wb") as file:
            file.write(kind(Elf(dice.choice(originals)), dice))
        os.chmod(path, 0o755)


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
