#pragma once
#include <optional>
#include <string_view>
#include "sample/grammar/expr.h"
namespace hadal::grammar { inline std::optional<ExprId> format_expr(ExprPool&, std::string_view) { return std::nullopt; } }
