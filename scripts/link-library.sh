#!/bin/sh
# Links libdlrt.so.1 from the objects of a release build: scripts/link-library.sh OBJECTS_LINK_FILE_LIST OUTPUT
#
# The library carries the Swift runtime, exports what Sources/DLRTC/dlrt.map names, and is made as small as it goes:
# functions and descriptions of types that nothing needs are dropped, equal functions merged, relative relocations
# packed, and Swift's unwind tables, a ninth of the file, left out. Swift unwinds nothing; the C++ around protobuf keeps
# its tables, since it catches.
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
    *)
      without_unwind_tables "$object" "$scratch/$number.o"
      echo "$scratch/$number.o" >>"$scratch/swift"
      ;;
  esac
  echo "$scratch/$number.o" >>"$scratch/objects"
done

swiftc=${SWIFTC:-swiftc}
resources=$($swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
without_unwind_tables "$(dirname "$resources")/swift_static/linux/libswiftCore.a" "$scratch/libswiftCore.a"
(cd "$scratch" && ar x libswiftCore.a Swift.o Backtrace.cpp.o && ar d libswiftCore.a Swift.o)
# The run time's crash reporter sets itself up when it is loaded. A library leaves that to the program.
(cd "$scratch" && objcopy --remove-section=.init_array --remove-section=.rela.init_array Backtrace.cpp.o &&
  ar r libswiftCore.a Backtrace.cpp.o)
# Half a megabyte of tables holds the names of characters, which one function of the run time could be asked for.
if xargs nm -u <"$scratch/swift" | grep -q PropertiesV4nameSSSgvg; then
  echo "link-library: Unicode.Scalar.Properties.name is used, but left out here" >&2
  exit 1
fi
objcopy --redefine-sym _swift_stdlib_getScalarName=no_scalar_name "$scratch/Swift.o"
echo 'long no_scalar_name(void) { return 0; }' | ${CC:-cc} -fPIC -x c -c - -o "$scratch/name.o"
echo "$scratch/name.o" >>"$scratch/objects"
echo "$scratch/Swift.o" | tee -a "$scratch/swift" >>"$scratch/objects"
# shellcheck disable=SC2046
scripts/release-sections.py $(cat "$scratch/swift")

options="-soname=libdlrt.so.1 --version-script=Sources/DLRTC/dlrt.map --gc-sections -z start-stop-gc --icf=all -s
  -z nodelete -z pack-relative-relocs -O2 --build-id=none"
# shellcheck disable=SC2046,SC2086
$swiftc -emit-library -static-stdlib -use-ld=lld -o "$output" @"$scratch/objects" "$scratch/libswiftCore.a" \
  $(printf -- '-Xlinker %s ' $options) -lonnx_proto -lprotobuf -lstdc++ -lm
