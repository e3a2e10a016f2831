# Everything a person does with this project: `make help` lists it.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
ARGS ?=
TEST_ARGS ?=
MODELS ?=

VERSION := $(shell sed -n 's/^\#define DLRT_VERSION_STRING "\(.*\)"/\1/p' include/dlrt.h)
RELEASE := .build/release
RELEASE_FLAGS := -c release --static-swift-stdlib
COMMAND := build/bin/dlrt
LIBRARY := build/lib/libdlrt.so.1
SANITIZER_FLAGS := --disable-xctest

export SWIFT

.DEFAULT_GOAL := help
.PHONY: help deps demo test lint format lib command install uninstall conformance differential mutants bench sanitize
.PHONY: docs digits clean
.PHONY: test-swift test-isa test-allocations test-library test-models test-samples conformance-all venv

help:  ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

deps:  ## Installs the Debian packages that the build needs, where they are missing
	@scripts/deps.sh

demo: command  ## Reads handwritten digits with the sample model
	@python3 scripts/demo.py $(COMMAND)

test: lint test-swift test-isa test-allocations test-library test-models test-samples conformance-all  ## Checks all
	@echo "test: all passed"

test-swift: deps
	$(SWIFT) test --disable-xctest $(TEST_ARGS)

# The suites whose results depend on the kernels, once more on each lower level that this processor has; those of the
# kernels themselves take every level each time.
test-isa: test-swift
	@for isa in $$(scripts/isa-levels.sh | tail -n +2); do \
	  echo "test: DLRT_ISA=$$isa"; \
	  DLRT_ISA=$$isa $(SWIFT) test --disable-xctest --skip-build --filter 'DLRTOperatorsTests|DLRTTests' || exit 1; \
	done

# Only optimised code promises to leave the heap alone.
test-allocations: command
	$(SWIFT) build $(RELEASE_FLAGS) --product allocation-check
	@$(RELEASE)/allocation-check

test-library: lib command  ## Checks libdlrt.so: size, exports, installation, consumers without a Swift toolchain
	@scripts/deps.sh cmake
	@scripts/check-isa.py $(RELEASE)/DLRTC.product/Objects.LinkFileList
	@scripts/test-library.sh

test-models: command
	@scripts/test-models.sh $(COMMAND)

test-samples: command
	@scripts/test-samples.sh $(COMMAND)

lint:  ## Checks the format of the source text
	@scripts/lint.sh

format:  ## Formats the Swift sources in place
	@git ls-files --cached --others --exclude-standard -- '*.swift' | while read -r file; do \
	  if [ -f "$$file" ] && [ ! -L "$$file" ]; then echo "$$file"; fi; \
	done | xargs $(SWIFT) format --in-place --parallel --configuration .swift-format

command: deps  ## Builds the command: build/bin/dlrt
	$(SWIFT) build $(RELEASE_FLAGS) --product dlrt
	@mkdir -p build/bin
	@strip -o $(COMMAND) $(RELEASE)/dlrt

lib: deps  ## Builds the self-contained C library: build/lib/libdlrt.so.1
	$(SWIFT) build $(RELEASE_FLAGS) --product DLRTC
	@mkdir -p build/lib
	@scripts/link-library.sh $(RELEASE)/DLRTC.product/Objects.LinkFileList $(LIBRARY)
	@ln -sf libdlrt.so.1 build/lib/libdlrt.so
	@ls -l $(LIBRARY) | awk '{ printf "$(LIBRARY): %.2f MB\n", $$5 / 1e6 }'

install: command lib  ## Installs command, library, header, pkg-config and CMake files: PREFIX=/usr/local DESTDIR=
	@scripts/install.sh "$(VERSION)" "$(PREFIX)" "$(LIBDIR)" "$(DESTDIR)"

uninstall:  ## Removes what `make install` with the same PREFIX and DESTDIR put there
	@scripts/install.sh --remove "$(VERSION)" "$(PREFIX)" "$(LIBDIR)" "$(DESTDIR)"

conformance: command venv  ## Runs ONNX's own operator tests: make conformance ARGS="--update"
	@python3 scripts/conformance.py $(COMMAND) $(ARGS)
	@python3 scripts/conformance.py $(COMMAND) --suites $(ARGS)

# Optimised and as the file has it, on every level that this processor has.
conformance-all: command venv
	@for isa in $$(scripts/isa-levels.sh); do for option in "" --no-optimize; do for suites in "" --suites; do \
	  echo "conformance: DLRT_ISA=$$isa $$option $$suites"; \
	  DLRT_ISA=$$isa python3 scripts/conformance.py $(COMMAND) $$suites $$option || exit 1; \
	done; done; done

differential: command venv  ## Compares random models with ONNX Runtime: make differential ARGS="--seed 7"
	@python3 scripts/differential.py run $(COMMAND) $(ARGS)

mutants: command venv  ## Runs broken models, which must be refused: make mutants ARGS="--seed 7"
	@python3 scripts/differential.py mutate $(COMMAND) $(ARGS)

bench: command venv  ## Compares speed with other runtimes: make bench ARGS="--threads 2" MODELS="a.onnx b.onnx"
	@python3 scripts/bench.py $(COMMAND) $(ARGS) $(MODELS)

# Debian keeps the making of Python environments in a package of its own.
venv:
	@python3 -c 'import ensurepip' 2>/dev/null || scripts/deps.sh python3-venv

sanitize: deps  ## Runs the tests under the address and the thread sanitizer
	LSAN_OPTIONS=suppressions=scripts/lsan.supp \
	  $(SWIFT) test --sanitize=address --scratch-path .build-address $(SANITIZER_FLAGS) $(TEST_ARGS)
	TSAN_OPTIONS=halt_on_error=1 \
	  $(SWIFT) test --sanitize=thread --scratch-path .build-thread $(SANITIZER_FLAGS) $(TEST_ARGS)

docs: command  ## Writes docs/operators.md from the registry
	@$(COMMAND) operators --markdown >build/operators.md
	@cp build/operators.md docs/operators.md

digits: venv  ## Trains the sample digit classifier anew: samples/digits
	$(MAKE) -C samples/digits

clean:  ## Removes everything that was built
	rm -rf .build .build-address .build-thread build
