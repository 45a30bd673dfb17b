// HADAL_CHECK(condition, "format", args...): a bug of ours ends the program with the place and a message.
// Never on user input. HADAL_DCHECK is compiled out of release builds.
#pragma once

#include <fmt/format.h>

#include <string>

namespace hadal {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace hadal

#define HADAL_CHECK(condition, ...)                                                         \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::hadal::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)

#ifdef NDEBUG
#define HADAL_DCHECK(condition, ...) \
  do {                               \
  } while (false)
#else
#define HADAL_DCHECK(condition, ...) HADAL_CHECK(condition, __VA_ARGS__)
#endif
