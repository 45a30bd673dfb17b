// The subcommands of the program, one file each: add_NAME(app) declares its options and its callback. A
// callback returns normally (exit 0), throws Error (exit 1, the message on standard error) or throws
// CLI::ValidationError / Error{kInvalidInput} (exit 2: the command line makes no sense).
#pragma once

#include <CLI/CLI.hpp>

namespace hadal::apps {

void add_tokenize(CLI::App& app);    // text to ids and back
void add_encode(CLI::App& app);      // chat messages to a prompt
void add_parse(CLI::App& app);       // a completion to a message
void add_inspect(CLI::App& app);     // what a checkpoint is and needs
void add_logits(CLI::App& app);      // ids to logits, for comparison
void add_trace(CLI::App& app);       // the residual stream of every layer
void add_perplexity(CLI::App& app);  // loss on a text
void add_generate(CLI::App& app);    // one prompt, one answer
void add_chat(CLI::App& app);        // a conversation in the terminal
void add_serve(CLI::App& app);       // an HTTP server
void add_batch(CLI::App& app);       // a file of prompts, a file of answers
void add_bench(CLI::App& app);       // measurements of a model on this machine
void add_synth(CLI::App& app);       // a random checkpoint
void add_cache(CLI::App& app);       // what lies in the cache folder
void add_keys(CLI::App& app);        // the API keys of a server
void add_selftest(CLI::App& app);    // every kernel against the reference, on this machine

}  // namespace hadal::apps
