# Flags for all of our code. -ffp-contract=off: a fused multiply-add is written out or it does not happen, so that
# every ISA gives the same bits (docs/numerics.md).
# Two warnings are false: g++ 12's -Wrestrict about std::string (GCC bug 105651), and clang's about a deprecated function
# that libstdc++'s own std::stable_sort calls.
add_library(hadal_flags INTERFACE)
target_compile_options(hadal_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  -ffp-contract=off -fno-math-errno
  $<$<BOOL:${HADAL_WERROR}>:-Werror>)
target_include_directories(hadal_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(HADAL_SANITIZE)
  target_compile_options(hadal_flags INTERFACE -fsanitize=${HADAL_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(hadal_flags INTERFACE -fsanitize=${HADAL_SANITIZE})
endif()
# What no fuzz target reaches does without the fuzzers' instrumentation.
set(HADAL_NOT_FUZZED_FLAGS)
if(HADAL_SANITIZE MATCHES "fuzzer-no-link")
  set(HADAL_NOT_FUZZED_FLAGS -fno-sanitize=fuzzer-no-link)
endif()
# Code that only drives the libraries, tests and commands: compiling it is most of the time to the first run.
set(HADAL_DRIVER_FLAGS $<IF:$<CONFIG:Debug>,-O0,-O1> ${HADAL_NOT_FUZZED_FLAGS})
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # So that ccache finds again what was compiled with a precompiled header of another build.
  list(APPEND HADAL_DRIVER_FLAGS "SHELL:-Xclang -fno-pch-timestamp")
endif()
