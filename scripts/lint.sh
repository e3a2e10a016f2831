#!/bin/sh
# Checks the whole source text: Swift's format, and rules that no compiler knows. Exits with 1 when something is wrong.
set -u
# Columns are characters, not bytes.
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 1
bad=0

complain() {
  bad=1
  echo "lint: $1" >&2
  shift
  printf '%s\n' "$@" >&2
}

# Tracked and new files alike; a link to a folder (the kernels' shared text) is one entry, so nothing is read twice.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [ -f "$file" ] && [ ! -L "$file" ] && printf '%s\n' "$file"
  done
}

swift_files=$(files '*.swift')
# shellcheck disable=SC2086
out=$(${SWIFT:-swift} format lint --strict --parallel --configuration .swift-format $swift_files 2>&1) ||
  complain "Swift format (make format mends most of it)" "$out"

check() { # check MESSAGE PATTERN FILES...: no line of the files may match
  message=$1 pattern=$2
  shift 2
  [ $# -gt 0 ] || return 0
  out=$(grep -nHE -e "$pattern" "$@") && complain "$message" "$out"
}

# shellcheck disable=SC2046
check "white space at the end of a line" '[[:space:]]$' $(files '*.c' '*.h' '*.cpp' '*.py' '*.sh' '*.swift' Makefile)
# shellcheck disable=SC2046
check "line longer than 120 characters" '^.{121,}' $(files '*.c' '*.h' '*.cpp' '*.py' '*.sh' Makefile)
# shellcheck disable=SC2046
check "tab in indentation" '^	' $(files '*.c' '*.h' '*.cpp' '*.py' '*.sh' '*.swift')
# shellcheck disable=SC2046
check "unfinished work" '\b(TODO|FIXME|XXX)\b' \
  $(files 'Sources/*' 'Tests/*' 'include/*' 'samples/*.c' 'samples/*.swift')
# shellcheck disable=SC2046
check "a crash where an error should be thrown" '\b(fatalError\(|preconditionFailure\(|try!)' \
  $(files 'Sources/*.swift')

# What goes into libdlrt.so links neither Foundation nor Dispatch: they would double its size.
engine=$(files 'Sources/*.swift' | grep -vE '^Sources/(dlrt|DLRTFiles)/')
# shellcheck disable=SC2086
check "Foundation or Dispatch in the engine" '^ *(@[a-zA-Z]+ |[a-z]+ )*import (Foundation.*|Dispatch)\b' $engine

# Each operator's file says which operator it is: ONNX's name and versions, as in "ONNX Add (1–14): …", or that dlrt or
# a user has made it up.
# shellcheck disable=SC2046
out=$(awk 'FNR == 1 { named = 0 }
  /^\/\/\/ .*(\([0-9]|dlrt|user)/ { named = 1 }
  /static let schema/ && !named { print FILENAME ":" FNR }' $(files 'Sources/DLRTOperators/*.swift'))
[ -z "$out" ] || complain "an operator without its name and versions in a comment" "$out"

for script in $(files '*.sh') .ci/run; do
  out=$(sh -n "$script" 2>&1) || complain "$script" "$out"
done

exit $bad
