#!/bin/sh
# Runs the samples as their readers would: scripts/test-samples.sh COMMAND
set -eu
command=$1
cd "$(dirname "$0")/.."

fail() {
  echo "test-samples: $*" >&2
  exit 1
}
passed() { echo "test-samples: $*"; }

python3 scripts/demo.py "$command" >build/demo.txt || fail "make demo: $(cat build/demo.txt)"
passed "the command reads all digits"

answer=$(${SWIFT:-swift} run --package-path samples/swift-package --scratch-path build/swift-package --quiet \
  read-digit samples/digits/digits.onnx) || fail "samples/swift-package"
echo "$answer" | grep -q '^7: ' || fail "samples/swift-package reads the seven as: $answer"
passed "a Swift package reads a digit"

make -s -C samples/plugin BUILD=../../build/plugin || fail "samples/plugin"
answer=$("$command" run samples/plugin/model.onnx --plugin build/plugin/operators.so --input samples/plugin/x.json)
[ "$answer" = "y: float32 [2]
  2.5, 54.5" ] || fail "samples/plugin answers: $answer"
passed "the command runs operators of a plugin"
