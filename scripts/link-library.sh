#!/bin/sh
# Links libdlrt.so.1 from the objects of a release build: scripts/link-library.sh OBJECTS_LINK_FILE_LIST OUTPUT
#
# The library carries the Swift runtime, exports what Sources/DLRTC/dlrt.map names, and is made as small as it goes:
# functions that nothing needs are dropped, equal ones merged, relative relocations packed, and Swift's unwind tables, a
# ninth of the file, left out. Swift unwinds nothing; the C++ around protobuf keeps its tables, since it catches.
set -eu
list=$1 output=$2
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

without_unwind_tables() { objcopy --remove-section=.eh_frame --remove-section=.rela.eh_frame "$1" "$2"; }

number=0
tr -d "'" <"$list" | while read -r object; do
  number=$((number + 1))
  case "$object" in
    */COnnx.build/*) cp "$object" "$scratch/$number.o" ;;
    *) without_unwind_tables "$object" "$scratch/$number.o" ;;
  esac
  echo "$scratch/$number.o" >>"$scratch/objects"
done

swiftc=${SWIFTC:-swiftc}
resources=$($swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
without_unwind_tables "$(dirname "$resources")/swift_static/linux/libswiftCore.a" "$scratch/libswiftCore.a"

options="-soname=libdlrt.so.1 --version-script=Sources/DLRTC/dlrt.map --gc-sections --icf=all -s -z nodelete
  -z pack-relative-relocs"
# shellcheck disable=SC2046,SC2086
$swiftc -emit-library -static-stdlib -use-ld=lld -o "$output" @"$scratch/objects" "$scratch/libswiftCore.a" \
  $(printf -- '-Xlinker %s ' $options) -lonnx_proto -lprotobuf -lstdc++ -lm
