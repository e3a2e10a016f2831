#!/usr/bin/env python3
"""Checks that code for better processors stays in its module: scripts/check-isa.py [--testing] LINK_FILE_LIST

Reads the object files of a linked product (SwiftPM's Objects.LinkFileList) and looks for
- instructions beyond plain x86-64 outside the kernel modules that are compiled for them;
- functions with such instructions that a kernel module emits as weak symbols under a name that other modules may emit
  too: the linker may pick that copy for everyone, and a lesser processor then dies of it;
- copies of kernel code in other modules, which run without vector instructions: a kernel module exports its table only.
Builds for testing (--testing) describe every type in each module that sees it: the copying of types is let pass there.
Exits with 1 when it finds one.
"""
import pathlib
import re
import subprocess
import sys

MODULES = ("KernelsAVX2", "KernelsAVX512", "KernelsAVX512VNNI")
KERNELS = MODULES + ("KernelsBaseline",)
# Vector instructions begin with v, those on masks with k; the rest came with AVX2's processors. (What disassembles to
# tzcnt may be a plain bsf.)
BEYOND = re.compile(r"\t(v(?!err|erw|mcall|mmcall)[a-z]\w+|k(mov|or|xor|and|test|unpck|shift)\w*|"
                    r"andn|bextr|bls[ir]|blsmsk|bzhi|pdep|pext|mulx|rorx|sarx|shlx|shrx|movbe|lzcnt|popcnt)(?=[ \t]|$)")


# Copying and describing types, and the generic functions that specialised code no longer calls.
TYPES = re.compile(r"__swift_|\$sSo|\$ss11InlineArray|\$ss24withUnsafeMutablePointer")


def output(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def demangled(names):
    names = sorted(names)
    if not names:
        return {}
    return dict(zip(names, output("swift", "demangle", "-compact", text="\n".join(names) + "\n").splitlines()))


def functions(path):
    """Each function of an object file, and whether it has an instruction beyond plain x86-64."""
    found, name = {}, None
    for line in output("objdump", "-d", "--no-show-raw-insn", path).splitlines():
        if line.endswith(">:"):
            name = line.split("<", 1)[1][:-2]
            found[name] = False
        elif name and not found[name] and BEYOND.search(line):
            found[name] = True
    return found


def is_owned(symbol, module):
    """A mangled name says which module it belongs to, by length and name."""
    return re.search(rf"(?<!\d){len(module)}{module}", symbol) is not None


def breaches(path, testing):
    module = next(part for part in reversed(path.parts) if part.endswith(".build")).removesuffix(".build")
    fields = [line.split() for line in output("nm", "--defined-only", str(path)).splitlines()]
    weak = {field[-1] for field in fields if len(field) == 3 and field[1] in "Ww"}
    code = functions(str(path))
    wide = {name for name, is_wide in code.items() if is_wide}
    if module in MODULES:
        shared = {name for name in wide & weak if not is_owned(name, module)}
        for name, text in demangled(name for name in shared if not (testing and TYPES.match(name))).items():
            yield f"{module}: weak function with vector code: {text}"
        return
    if module not in KERNELS:
        for name, text in demangled(name for name in code if "Kernels" in name).items():
            if any(re.search(rf"\b{kernels}\b", text) for kernels in KERNELS) and module not in text:
                yield f"{module}: copy of kernel code: {text}"
    for name, text in demangled(name for name in wide if not (testing and TYPES.match(name))).items():
        yield f"{module}: instruction beyond plain x86-64 in {text}"


def main():
    testing, listing = "--testing" in sys.argv, pathlib.Path(sys.argv[-1])
    objects = [pathlib.Path(line.strip("'\"")) for line in listing.read_text().splitlines() if line]
    found = [breach for path in objects if path.suffix == ".o" for breach in breaches(path, testing)]
    for breach in found[:40]:
        print(f"check-isa: {breach[:200]}", file=sys.stderr)
    print(f"check-isa: {len(objects)} objects, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
