// The shapes of a schema's conditions. What a schema asks for and cannot be told apart or counted by an
// automaton is refused with the keyword's path, never dropped.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sample/grammar/json_numbers.h"
#include "sample/grammar/json_shape.h"

namespace hadal::grammar {

// Something of a schema that has no effect, as its specification says (an unknown keyword or format).
struct SchemaNote {
  std::string where, what;
};

// Borrows pool and document. Not thread-safe. Throws Error{kInvalidInput}: path of the keyword and why.
class Shapes {
 public:
  // formats: whether strings have to fit them.
  Shapes(ExprPool& pool, SchemaDocument& document, bool formats);

  Formulas& formulas() { return formulas_; }
  const NumberLanguages& numbers() const { return numbers_; }
  FormulaId root() { return formulas_.place(document_, document_.root()); }
  // The reference stays valid.
  const ValueShape& of(FormulaId formula);
  // Whether any value fits.
  bool inhabited(FormulaId formula);
  bool inhabited(const ObjectShape& shape);
  bool inhabited(const ArrayShape& shape);
  // Conditions that no schema has: a value that is this string, or this word.
  FormulaId text(std::string text);
  FormulaId word(JsonValue::Kind kind);
  // The condition on the value at a key that is no property's name.
  FormulaId other(const ObjectShape& shape, std::string_view key);
  // The condition on a value with which its member is one that these needs (a bit each) ask for.
  FormulaId with_needs(const ObjectShape& shape, FormulaId value, uint32_t needs);
  // The sets of needs that a member can meet at once: bit s for the set s, which is itself a bit for each
  // need.
  uint32_t sets_met(const ObjectShape& shape, const ObjectShape::Property& property);
  uint32_t sets_met(const ObjectShape& shape, const ObjectShape::KeyClass& other);
  // Whether all needs but those in `met` can be met by the members that must come and some of those that may,
  // each given by its sets_met, when there are `count` already.
  static bool can_meet_needs(const ObjectShape& shape, uint32_t met, uint64_t count,
                             const std::vector<uint32_t>& must, const std::vector<uint32_t>& may);
  // How far an array has come: elements, and how many of them fitted each condition, as far as it matters.
  struct ArrayProgress {
    uint32_t count = 0;
    std::array<uint32_t, 3> contains{};
    auto operator<=>(const ArrayProgress&) const = default;
  };
  struct Element {
    FormulaId value = 0;
    ArrayProgress then{};
  };
  static bool may_close(const ArrayShape& shape, const ArrayProgress& progress);
  // What the next element may be, whatever comes after it; room: elements at most.
  std::vector<Element> elements(const ArrayShape& shape, uint32_t room, const ArrayProgress& progress);
  // Whether some more elements make it an array of this shape.
  bool can_finish(const ArrayShape& shape, uint32_t room, const ArrayProgress& progress);
  // Elements that an array can have at most, where that is because there is nothing to put in.
  uint32_t room(const ArrayShape& shape);

  const std::vector<SchemaNote>& notes() const { return notes_; }

 private:
  struct InProgress {};  // thrown: a shape that is needed for itself

  // json_shapes.cc
  ValueShape compute(FormulaId formula);
  bool surely_empty(FormulaId formula, int depth);
  bool surely_empty(const ObjectShape& shape, int depth);
  bool surely_empty(const ArrayShape& shape, int depth);

  // json_algebra.cc
  ValueShape any() const;
  ValueShape intersect(const ValueShape& a, const ValueShape& b);
  ObjectShape intersect(const ObjectShape& a, const ObjectShape& b);
  ArrayShape intersect(const ArrayShape& a, const ArrayShape& b);
  ValueShape unite(const ValueShape& a, const ValueShape& b);
  ValueShape negate(const ValueShape& shape);
  std::vector<ObjectShape> negate(const ObjectShape& shape);
  std::vector<ArrayShape> negate(const ArrayShape& shape);
  template <class Shape>
  std::vector<Shape> without(std::vector<Shape> shapes, const Shape& taken);
  ValueShape exactly_one(const std::vector<ValueShape>& shapes);
  template <class Shape>
  std::vector<Shape> exactly_one_of(const std::vector<const std::vector<Shape>*>& choices);
  void spend();

  // json_keywords.cc
  ValueShape keywords(PlaceId place);
  void type_keyword(PlaceId place, ValueShape& shape);
  void string_keywords(PlaceId place, ValueShape& shape);
  void number_keywords(PlaceId place, ValueShape& shape);
  ObjectShape object_keywords(PlaceId place);
  ArrayShape array_keywords(PlaceId place);
  ValueShape applied(PlaceId place, ValueShape shape);
  ValueShape constant_shape(const JsonValue& value);
  ValueShape enumeration(const std::vector<JsonValue>& values);
  ValueShape implied(FormulaId condition, FormulaId consequence);
  FormulaId at(PlaceId place, std::string_view keyword);
  std::vector<FormulaId> list(PlaceId place, std::string_view keyword);
  uint32_t count(PlaceId place, std::string_view keyword, uint32_t otherwise);
  void look_at_keys(PlaceId place);
  void note(PlaceId place, std::string_view keyword, std::string what);
  [[noreturn]] void refuse(std::string_view why) const;

  ExprPool& pool_;
  SchemaDocument& document_;
  NumberLanguages numbers_;
  const bool formats_;
  Formulas formulas_;
  std::unordered_map<FormulaId, ValueShape> shapes_;
  std::unordered_set<FormulaId> computing_;
  std::unordered_map<FormulaId, bool> known_;  // whether it is inhabited
  std::unordered_map<FormulaId, int> asking_;  // inhabited() asks already: how deep
  int lowest_asked_ = INT32_MAX;               // the least deep of those that an answer was assumed for
  std::string where_;                          // the keyword at hand
  std::deque<JsonValue> made_;                 // constants that no schema has
  std::vector<SchemaNote> notes_;
  int64_t work_ = 0;
};

}  // namespace hadal::grammar
