// Conditions on a JSON value: boolean combinations of the subschemas of a document. Equal ones have equal
// ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sample/grammar/json_document.h"

namespace hadal::grammar {

using FormulaId = uint32_t;

struct Formula {
  enum class Kind : uint8_t {
    kNever,
    kAlways,
    kPlace,     // fits the subschema at `place`
    kConstant,  // equals `constant`
    kHas,       // an object with the key `key`, or no object
    kLacks,     // an object without it, or no object
    kAnd,
    kOr,
    kNot,  // not parts[0]
  };
  Kind kind = Kind::kNever;
  PlaceId place = 0;
  const JsonValue* constant = nullptr;
  std::string key{};
  std::vector<FormulaId> parts{};  // sorted
  bool operator<(const Formula& other) const;
};

// Not thread-safe. Throws Error{kInvalidInput} when there are too many.
class Formulas {
 public:
  static constexpr FormulaId kNever = 0, kAlways = 1;

  Formulas();
  const Formula& operator[](FormulaId id) const { return *formulas_[id]; }
  FormulaId place(const SchemaDocument& document, PlaceId place);
  FormulaId constant(const JsonValue& value);
  FormulaId has(std::string_view key);
  FormulaId lacks(std::string_view key);
  FormulaId all(std::vector<FormulaId> parts);
  FormulaId any(std::vector<FormulaId> parts);
  FormulaId negation(FormulaId part);
  size_t size() const { return formulas_.size(); }

 private:
  FormulaId intern(Formula formula);
  FormulaId many(Formula::Kind kind, std::vector<FormulaId> parts);

  std::map<Formula, FormulaId> index_;
  std::vector<const Formula*> formulas_;  // keys of the index
};

}  // namespace hadal::grammar
