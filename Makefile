# Everything starts here, on a bare Debian 12: git, make and root.
#   make          set up and build
#   make test     all tests
#   make test-matrix   every strategy on every recorded model, with proof of the split
#   make test-differential   thousands of random graphs against ONNX Runtime
#   make test-mutations   thousands of damaged and changed models of the ONNX suite
#   make test-cuts   every operator with a sharding rule, cut in every way over 2 and 3 ranks
#   make test-reshard   thousands of moves between shardings: cheapest, and right
#   make test-exports   recorded models as ONNX files of stages and ranks, in onnxruntime
#   make test-asan   packages, the runtime and fleets, with sanitizers
#   make demo     the main job, end to end
#   make docs     the reference pages, from the TableGen sources
#   make conformance   the whole ONNX suite, in its three forms
PRESET ?= dev
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)
VENV   := build/venv/bin
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_BASEDIR := $(CURDIR)

.PHONY: all setup configure build test test-matrix test-differential test-cuts test-mutations test-reshard test-exports test-asan conformance demo docs format clean
all: build

setup:
	@bash cmake/setup/setup.sh

configure: setup
	@test -f $(BUILD)/build.ninja || $(VENV)/cmake --preset $(PRESET)

build: configure
	@$(VENV)/cmake --build $(BUILD) -j $(JOBS)

test: build
	@$(VENV)/python test/run.py --build $(BUILD) --jobs $(JOBS)

test-matrix: build
	@$(VENV)/python test/run.py --build $(BUILD) --jobs $(JOBS) --only matrix

test-differential: build
	@$(VENV)/python test/run.py --build $(BUILD) --only differential

test-mutations: build
	@$(VENV)/python test/run.py --build $(BUILD) --jobs $(JOBS) --only mutations

test-cuts: build
	@$(VENV)/python test/run.py --build $(BUILD) --only cuts

test-reshard: build
	@$(VENV)/python test/run.py --build $(BUILD) --only reshard

test-exports: build
	@$(VENV)/python test/run.py --build $(BUILD) --only exports

test-asan:
	@$(MAKE) --no-print-directory configure PRESET=asan
	@$(VENV)/cmake --build build/asan -j $(JOBS) --target SupportTests PackageTests RuntimeTests FleetTests
	@$(VENV)/python test/run.py --build build/asan --only unit

conformance: build
	@$(BUILD)/bin/dougong-conformance --jobs $(JOBS) --summary

demo: build
	@$(VENV)/python tools/demo/demo.py --build $(BUILD)

docs: build
	@$(VENV)/python docs/generate.py --build $(BUILD)

format:
	@git ls-files '*.cpp' '*.h' '*.c' | xargs clang-format-22 -i

clean:
	rm -rf build
