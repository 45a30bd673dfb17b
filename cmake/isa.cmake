# Flags of the per-ISA translation units of src/cpu/isa. Always -O2 or more: at -O0 inline functions of the standard
# library would leave weak symbols compiled for one ISA in common code (scripts/check_tree.py looks for them).
set(HADAL_ISA_FLAGS_generic "")
set(HADAL_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(HADAL_ISA_FLAGS_avx512 ${HADAL_ISA_FLAGS_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd)
set(HADAL_ISA_FLAGS_avx512bf16 ${HADAL_ISA_FLAGS_avx512} -mavx512bf16 -mavx512vbmi -mavx512vbmi2)
