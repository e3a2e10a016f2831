#!/usr/bin/env python3
"""Lets the linker drop what nothing refers to: scripts/release-sections.py OBJECT...

Swift marks what describes its types as to be retained, used or not, and so whatever that refers to: a tenth of the
library. Only the lists that the run time walks need to stay whole; what they list stays through them. The objects are
changed in place: the mark is one bit in a section's header.
"""
import struct
import sys

RETAIN = 0x200000
# Types, protocols and conformances are looked for by casts; the rest is reached from them or serves debuggers.
WALKED = {b"swift5_protocol_conformances", b"swift5_type_metadata", b"swift5_type_metadata_2", b"swift5_protocols"}


def release(path):
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        if data[:6] != b"\x7fELF\x02\x01":
            raise SystemExit(f"release-sections: {path} is no 64-bit little-endian object")
        start, = struct.unpack_from("<Q", data, 0x28)
        size, count, names = struct.unpack_from("<HHH", data, 0x3a)
        # Numbers that do not fit stand in the first section's header.
        count = count or struct.unpack_from("<Q", data, start + 0x20)[0]
        names = names if names != 0xffff else struct.unpack_from("<I", data, start + 0x28)[0]
        strings, = struct.unpack_from("<Q", data, start + names * size + 0x18)
        for at in range(start, start + count * size, size):
            name, _, flags = struct.unpack_from("<IIQ", data, at)
            text = strings + name
            if flags & RETAIN and bytes(data[text:data.index(0, text)]) not in WALKED:
                struct.pack_into("<Q", data, at + 8, flags & ~RETAIN)
        file.seek(0)
        file.write(data)


for object_path in sys.argv[1:]:
    release(object_path)
