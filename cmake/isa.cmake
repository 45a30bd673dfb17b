# Flags of the per-ISA translation units of src/cpu/isa. Always optimised: at -O0 inline functions would leave weak
# symbols compiled for one ISA in common code (scripts/check_tree.py looks for them). Kernels do not throw; without
# exceptions a sanitizer's build needs no weak reference to the personality routine either.
# -O3 makes the kernels of vector units faster; generic ones stay what they are and take three times as long to compile.
# A sanitizer looks at every access of a kernel; that the arithmetic of each pointer is looked at too would double the time
# to compile them and to run them.
set(HADAL_ISA_FLAGS_generic "")
set(HADAL_ISA_FLAGS_neon "")  # the least that AArch64 has
set(HADAL_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(HADAL_ISA_FLAGS_avx512 ${HADAL_ISA_FLAGS_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd)
set(HADAL_ISA_FLAGS_avx512bf16 ${HADAL_ISA_FLAGS_avx512} -mavx512bf16 -mavx512vnni -mavx512vbmi -mavx512vbmi2)

set(HADAL_ISA_SANITIZE)
if(HADAL_SANITIZE MATCHES "undefined")
  set(HADAL_ISA_SANITIZE -fno-sanitize=pointer-overflow)
endif()

# The table.cc of every ISA of this machine family, with its flags. Call from src/cpu/CMakeLists.txt.
function(hadal_isa_sources result)
  set(isas generic)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    list(APPEND isas avx2 avx512 avx512bf16)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    list(APPEND isas neon)
  endif()
  set(files)
  foreach(isa ${isas})
    set(file ${CMAKE_CURRENT_SOURCE_DIR}/isa/${isa}/table.cc)
    set(optimise $<IF:$<CONFIG:Debug>,-O1,-O3>)
    if(isa STREQUAL generic)
      set(optimise $<IF:$<CONFIG:Debug>,-O1,-O2>)
    endif()
    # GCC 12 lets a pointer of a loop into one array of the stack outlive it, beside another array that took its place.
    # GCC's own intrinsic headers start from uninitialised registers and warn about it where they are inlined;
    # -Wpsabi speaks of an ABI that calls inside one file do not have.
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS
      "${optimise};-fno-exceptions;${HADAL_ISA_SANITIZE};$<$<CXX_COMPILER_ID:GNU>:-fstack-reuse=none;-Wno-maybe-uninitialized;-Wno-uninitialized;-Wno-psabi>;${HADAL_ISA_FLAGS_${isa}}")
    list(APPEND files ${file})
  endforeach()
  set(${result} ${files} PARENT_SCOPE)
endfunction()
