# What is tested from outside: the program as a user or another program meets it, and the rules of the source tree.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
set(golden ${CMAKE_SOURCE_DIR}/../shared/golden)

# hadal_script_test(name script arguments...): exit status 77 means that what it needs is not on this machine.
function(hadal_script_test name script)
  add_test(NAME ${name} COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS e2e TIMEOUT 1200 SKIP_RETURN_CODE 77)
endfunction()

hadal_script_test(cli tests/e2e/cli_test.py $<TARGET_FILE:hadal>)
hadal_script_test(bundled_model tests/e2e/bundled_model_test.py $<TARGET_FILE:hadal>)
if(NOT HADAL_SANITIZE)
  hadal_script_test(golden_model_1 tests/e2e/golden.py $<TARGET_FILE:hadal> ${golden} model 0)
  hadal_script_test(golden_model_2 tests/e2e/golden.py $<TARGET_FILE:hadal> ${golden} model 1)
  hadal_script_test(golden_tokenizer tests/e2e/golden.py $<TARGET_FILE:hadal> ${golden} tokenizer)
  hadal_script_test(golden_encoding tests/e2e/golden.py $<TARGET_FILE:hadal> ${golden} encoding)
  set_tests_properties(golden_model_1 golden_model_2 PROPERTIES COST 1000)
  hadal_script_test(tree scripts/check_tree.py --build ${CMAKE_BINARY_DIR})
  hadal_script_test(tree_rules tests/scripts/check_tree_test.py)
  hadal_script_test(test_counts tests/scripts/run_tests_test.py)
endif()
