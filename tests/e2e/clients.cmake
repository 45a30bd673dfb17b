# Real clients against a running server (tests/e2e/clients). They come from PyPI and npm, once for each build folder; what
# cannot be had is skipped with a message.
set(clients ${CMAKE_BINARY_DIR}/clients)

function(hadal_client_environment kind)
  hadal_script_test(clients_${kind} tests/e2e/clients/environment.py make ${kind} ${clients})
  set_tests_properties(clients_${kind} PROPERTIES FIXTURES_SETUP clients_${kind} COST 1000)
endfunction()

# hadal_client_test(name kind): tests/e2e/clients/<name>_test.py with the packages of this kind.
function(hadal_client_test name kind)
  hadal_script_test(clients_${name} tests/e2e/clients/environment.py run ${kind} ${clients}
                    ${CMAKE_SOURCE_DIR}/tests/e2e/clients/${name}_test.py $<TARGET_FILE:hadal>)
  set_tests_properties(clients_${name} PROPERTIES FIXTURES_REQUIRED clients_${kind})
endfunction()

hadal_client_environment(python)
hadal_client_environment(node)
foreach(name openai openai_responses anthropic ollama langchain litellm lm_eval metrics openapi)
  hadal_client_test(${name} python)
endforeach()
foreach(name openai_node anthropic_node ai_sdk claude_code codex opencode)
  hadal_client_test(${name} node)
endforeach()
# The longest first.
set_tests_properties(clients_claude_code clients_codex clients_opencode clients_openapi PROPERTIES COST 900)
