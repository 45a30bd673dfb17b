# The front door: everything a person types. The build itself is CMake's (CMakePresets.json).
#   make run      build, then a conversation with the bundled model (or the answer to what comes on standard input)
#   make build    build/hadal only
#   make test     every check; STAGES="release asan" runs some of them (scripts/run_tests.py lists them)
#   make test-arm64   the kernels' tests for AArch64 (NEON), under an emulator
#   make bench    micro-benchmarks; BENCH=REGEX chooses
#   make fuzz     the fuzz targets, FUZZ_SECONDS=10 each
#   make format   clang-format on our files
#   make clean
MODEL ?= models/hadal-mini
STAGES ?=
BENCH ?= .
FUZZ_SECONDS ?= 10

.PHONY: run build test test-arm64 bench fuzz format clean
.DEFAULT_GOAL := build

define prepare
	@scripts/install_packages.sh build </dev/null 1>&2
	@scripts/configure.sh release build </dev/null 1>&2
endef

# Standard output belongs to the program: what building has to say goes to standard error, and only the first build, the
# long one, shows its progress.
run:
	$(prepare)
	@if [ -x build/hadal ]; then said=$$(ninja -C build --quiet hadal 2>&1) || { echo "$$said" >&2; exit 1; }; \
	  else ninja -C build hadal 1>&2; fi </dev/null
	@exec build/hadal chat "$(MODEL)"

build:
	$(prepare)
	@ninja -C build hadal </dev/null 1>&2

test:
	@scripts/install_packages.sh build test </dev/null
	@python3 scripts/run_tests.py --fuzz-seconds $(FUZZ_SECONDS) $(STAGES) </dev/null

test-arm64:
	@scripts/install_packages.sh build test arm64 </dev/null
	@python3 scripts/run_tests.py arm64 </dev/null

bench:
	@scripts/install_packages.sh build test </dev/null
	@scripts/configure.sh release-tests build -DHADAL_TESTS=ON -DHADAL_BENCH=ON
	@ninja -C build --quiet benchmarks
	@for binary in build/bench/*_bench; do "$$binary" --benchmark_filter='$(BENCH)' || exit 1; done

fuzz:
	@scripts/install_packages.sh build test </dev/null
	@python3 scripts/run_tests.py --fuzz-seconds $(FUZZ_SECONDS) fuzz </dev/null

format:
	@scripts/install_packages.sh test </dev/null
	@git ls-files -z --cached --others --exclude-standard -- '*.cc' '*.h' | xargs -0 clang-format-19 -i

clean:
	rm -rf build build-arm64 build-asan build-dev build-tsan
