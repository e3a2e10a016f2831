#!/bin/sh
# Checks the built C library as its users meet it: size, exports, dependencies, installation, C programs through
# pkg-config and CMake, all without a Swift toolchain in sight.
set -eu
cd "$(dirname "$0")/.."

library=build/lib/libdlrt.so.1
max_bytes=9000000
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "test-library: $*" >&2
  exit 1
}
passed() { echo "test-library: $*"; }

size=$(stat -c %s "$library")
[ "$size" -lt $max_bytes ] || fail "$library has $size bytes; the limit is $max_bytes"
passed "$size bytes"

# Exactly the functions of the header, all under one symbol version.
sed -n 's/^[a-z].*[ *]\(dlrt_[a-z_]*\)(.*/\1/p' include/dlrt.h | sort >"$scratch/declared"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$scratch/exported"
sed 's/$/@@DLRT_1/' "$scratch/declared" | diff - "$scratch/exported" >"$scratch/difference" ||
  fail "declared (<) and exported (>) functions differ:
$(cat "$scratch/difference")"
passed "exports the $(wc -l <"$scratch/declared") functions of dlrt.h and nothing else"

needed=$(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }')
for file in $needed; do
  case "$file" in
    libonnx_proto.so.* | libprotobuf.so.* | libstdc++.so.* | libgcc_s.so.*) ;;
    libm.so.* | libc.so.* | ld-linux-x86-64.so.*) ;;
    *) fail "depends on $file" ;;
  esac
done
objdump -p "$library" | grep -q 'SONAME *libdlrt.so.1$' || fail "soname is not libdlrt.so.1"
! objdump -p "$library" | grep -E 'RUNPATH|RPATH' || fail "carries a search path of this machine"
passed "depends on $(echo "$needed" | tr '\n' ' ')"

for standard in c99 c11 c17; do
  gcc -std=$standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c include/dlrt.h
done
for standard in c++11 c++17 c++20; do
  g++ -std=$standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ include/dlrt.h
done
passed "header is clean in C and C++"

# A staged installation: paths in its files are those of PREFIX, so the consumers below use one without DESTDIR.
make -s --no-print-directory install PREFIX=/opt/dlrt DESTDIR="$scratch/stage" -o command -o lib >/dev/null
[ -x "$scratch/stage/opt/dlrt/bin/dlrt" ] || fail "DESTDIR is not respected"
make -s --no-print-directory uninstall PREFIX=/opt/dlrt DESTDIR="$scratch/stage"
left=$(find "$scratch/stage" -type f -o -type l)
[ -z "$left" ] || fail "uninstall leaves $left"

prefix="$scratch/prefix"
make -s --no-print-directory install PREFIX="$prefix" -o command -o lib >/dev/null
passed "installs and uninstalls"

# No Swift toolchain on any path from here on.
bare() { env -i PATH=/usr/bin:/bin LD_LIBRARY_PATH="$prefix/lib" PKG_CONFIG_PATH="$prefix/lib/pkgconfig" "$@"; }
digits="$(ls samples/digits/images/*.png)"
right_answers() { # right_answers FILE: the image of each digit was read as that digit
  for digit in 0 1 2 3 4 5 6 7 8 9; do
    grep -q "/$digit.png: $digit " "$1" || fail "digit $digit was read wrong:
$(cat "$1")"
  done
}

bare make -s -C samples/c BUILD="$scratch/c"
# shellcheck disable=SC2086
bare "$scratch/c/classify" samples/digits/digits.onnx $digits >"$scratch/answers"
right_answers "$scratch/answers"
passed "C program through pkg-config reads all digits"

if command -v cmake >/dev/null 2>&1; then
  mv "$prefix" "$scratch/moved"
  prefix="$scratch/moved"
  bare cmake -S samples/c -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/cmake.log" 2>&1 &&
    bare cmake --build "$scratch/cmake" >>"$scratch/cmake.log" 2>&1 || fail "CMake: $(cat "$scratch/cmake.log")"
  # shellcheck disable=SC2086
  bare "$scratch/cmake/classify" samples/digits/digits.onnx $digits >"$scratch/answers"
  right_answers "$scratch/answers"
  passed "C program through CMake reads all digits, from a moved installation"
else
  passed "cmake is not installed: the CMake files were not tried"
fi

bare make -s -C samples/plugin HEADERS="$prefix/include" BUILD="$scratch/plugin"
gcc -std=c11 -O1 -g -Wall -Wextra -Werror -I"$prefix/include" Tests/CInterface/*.c -o "$scratch/interface" \
  -L"$prefix/lib" -ldlrt -lpthread -lm
bare "$scratch/interface" samples/digits/digits.onnx samples/plugin/model.onnx "$scratch/plugin/operators.so" ||
  fail "C interface"
