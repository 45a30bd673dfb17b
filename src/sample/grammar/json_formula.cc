#include "sample/grammar/json_formula.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace hadal::grammar {
namespace {

constexpr size_t kMostFormulas = 200'000;

}  // namespace

bool Formula::operator<(const Formula& other) const {
  return std::tie(kind, place, constant, key, parts) <
         std::tie(other.kind, other.place, other.constant, other.key, other.parts);
}

Formulas::Formulas() {
  intern({.kind = Formula::Kind::kNever});
  intern({.kind = Formula::Kind::kAlways});
}

FormulaId Formulas::intern(Formula formula) {
  const auto [it, is_new] = index_.try_emplace(std::move(formula), static_cast<FormulaId>(formulas_.size()));
  if (is_new) {
    if (formulas_.size() == kMostFormulas)
      fail(ErrorCode::kInvalidInput, "the schema is too complex: more than {} combinations of subschemas",
           kMostFormulas);
    formulas_.push_back(&it->first);
  }
  return it->second;
}

FormulaId Formulas::place(const SchemaDocument& document, PlaceId place) {
  const JsonValue& value = document.value(place);
  if (value.is(JsonValue::Kind::kTrue) || (value.is_object() && value.keys.empty())) return kAlways;
  if (value.is(JsonValue::Kind::kFalse)) return kNever;
  return intern({.kind = Formula::Kind::kPlace, .place = place});
}

FormulaId Formulas::constant(const JsonValue& value) {
  return intern({.kind = Formula::Kind::kConstant, .constant = &value});
}

FormulaId Formulas::has(std::string_view key) {
  return intern({.kind = Formula::Kind::kHas, .key = std::string(key)});
}

FormulaId Formulas::lacks(std::string_view key) {
  return intern({.kind = Formula::Kind::kLacks, .key = std::string(key)});
}

FormulaId Formulas::many(Formula::Kind kind, std::vector<FormulaId> parts) {
  const bool is_and = kind == Formula::Kind::kAnd;
  const FormulaId neutral = is_and ? kAlways : kNever, dominant = is_and ? kNever : kAlways;
  std::vector<FormulaId> flat;
  for (const FormulaId part : parts) {
    const Formula& formula = *formulas_[part];
    if (formula.kind == kind)
      flat.insert(flat.end(), formula.parts.begin(), formula.parts.end());
    else if (part != neutral)
      flat.push_back(part);
  }
  std::ranges::sort(flat);
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (std::ranges::binary_search(flat, dominant)) return dominant;
  if (flat.empty()) return neutral;
  if (flat.size() == 1) return flat[0];
  return intern({.kind = kind, .parts = std::move(flat)});
}

FormulaId Formulas::all(std::vector<FormulaId> parts) {
  return many(Formula::Kind::kAnd, std::move(parts));
}

FormulaId Formulas::any(std::vector<FormulaId> parts) {
  return many(Formula::Kind::kOr, std::move(parts));
}

FormulaId Formulas::negation(FormulaId part) {
  const Formula& formula = *formulas_[part];
  if (part == kNever) return kAlways;
  if (part == kAlways) return kNever;
  if (formula.kind == Formula::Kind::kNot) return formula.parts[0];
  return intern({.kind = Formula::Kind::kNot, .parts = {part}});
}

}  // namespace hadal::grammar
