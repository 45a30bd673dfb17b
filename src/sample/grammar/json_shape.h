// What JSON values fit a condition, type by type: the form that an automaton can be made of. Strings and
// numbers are single languages; objects and arrays are a choice of shapes whose members are conditions again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sample/grammar/expr.h"
#include "sample/grammar/json_formula.h"

namespace hadal::grammar {

inline constexpr uint32_t kNoLimit = UINT32_MAX;

struct ObjectShape {
  struct Property {
    std::string name;
    FormulaId value = Formulas::kAlways;
    bool required = false;
    bool operator==(const Property&) const = default;
  };
  // Keys that are no property's name.
  struct KeyClass {
    ExprId keys = ExprPool::kAll;
    FormulaId value = Formulas::kAlways;
    bool operator==(const KeyClass&) const = default;
  };
  std::vector<Property> properties{};                      // in the order they are written
  std::vector<KeyClass> others{};                          // disjoint; other keys cannot be
  std::vector<KeyClass> needs{};                           // some key of each, with this value
  std::vector<std::pair<uint32_t, uint32_t>> dependent{};  // where the first property is, the second is too
  uint32_t min = 0, max = kNoLimit;                        // keys
  bool operator==(const ObjectShape&) const = default;

  static ObjectShape any() { return {.others = {{}}}; }
};

struct ArrayShape {
  struct Contains {
    FormulaId value = Formulas::kAlways;
    uint32_t min = 1, max = kNoLimit;  // elements that fit it
    bool operator==(const Contains&) const = default;
  };
  std::vector<FormulaId> prefix{};      // the first elements
  FormulaId items = Formulas::kAlways;  // the others
  uint32_t min = 0, max = kNoLimit;     // elements
  const std::string* unique = nullptr;  // no two are equal: who says so (a path); null: nobody
  std::vector<Contains> contains{};
  bool operator==(const ArrayShape&) const = default;

  FormulaId at(size_t i) const { return i < prefix.size() ? prefix[i] : items; }
};

struct ValueShape {
  bool has_null = false, has_true = false, has_false = false;
  ExprId number = ExprPool::kNone;  // of spellings
  ExprId string = ExprPool::kNone;  // of values
  std::vector<ObjectShape> objects{};
  std::vector<ArrayShape> arrays{};
};

}  // namespace hadal::grammar
