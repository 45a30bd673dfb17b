#include "sample/grammar/json_shapes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"

namespace hadal::grammar {
namespace {

constexpr size_t kMostArrayStates = 20'000;

}  // namespace

Shapes::Shapes(ExprPool& pool, SchemaDocument& document, bool formats)
    : pool_(pool), document_(document), numbers_(pool), formats_(formats) {}

void Shapes::refuse(std::string_view why) const {
  fail(ErrorCode::kInvalidInput, "{}: {}", where_.empty() ? "#" : where_, why);
}

const ValueShape& Shapes::of(FormulaId formula) {
  if (const auto known = shapes_.find(formula); known != shapes_.end()) return known->second;
  if (computing_.contains(formula)) throw InProgress();
  computing_.insert(formula);
  const std::string where = where_;
  try {
    ValueShape shape = compute(formula);
    computing_.erase(formula);
    where_ = where;
    return shapes_.emplace(formula, std::move(shape)).first->second;
  } catch (const InProgress&) {
    computing_.erase(formula);
    where_ = where;
    if (!computing_.empty()) throw;
    where_ =
        formulas_[formula].kind == Formula::Kind::kPlace ? document_.path(formulas_[formula].place) : "#";
    refuse("refers to itself without anything in between");
  } catch (...) {
    computing_.erase(formula);
    throw;
  }
}

ValueShape Shapes::compute(FormulaId id) {
  const Formula& formula = formulas_[id];
  switch (formula.kind) {
    case Formula::Kind::kNever:
      return {};
    case Formula::Kind::kAlways:
      return any();
    case Formula::Kind::kPlace:
      return keywords(formula.place);
    case Formula::Kind::kConstant:
      return constant_shape(*formula.constant);
    case Formula::Kind::kHas:
    case Formula::Kind::kLacks: {
      const bool has = formula.kind == Formula::Kind::kHas;
      ValueShape shape = any();
      shape.objects[0].properties.push_back({formula.key, has ? Formulas::kAlways : Formulas::kNever, has});
      return shape;
    }
    case Formula::Kind::kAnd: {
      ValueShape shape = of(formula.parts[0]);
      for (size_t i = 1; i < formula.parts.size(); ++i) shape = intersect(shape, of(formula.parts[i]));
      return shape;
    }
    case Formula::Kind::kOr: {
      ValueShape shape = of(formula.parts[0]);
      for (size_t i = 1; i < formula.parts.size(); ++i) shape = unite(shape, of(formula.parts[i]));
      return shape;
    }
    case Formula::Kind::kNot:
      return negate(of(formula.parts[0]));
  }
  return {};
}

FormulaId Shapes::text(std::string text) {
  JsonValue& value = made_.emplace_back();
  value.kind = JsonValue::Kind::kString;
  value.text = std::move(text);
  return formulas_.constant(made_.back());
}

FormulaId Shapes::word(JsonValue::Kind kind) {
  made_.emplace_back().kind = kind;
  return formulas_.constant(made_.back());
}

FormulaId Shapes::other(const ObjectShape& shape, std::string_view key) {
  for (const ObjectShape::KeyClass& one : shape.others)
    if (pool_.matches(one.keys, key)) return one.value;
  return Formulas::kNever;
}

// While shapes are made, only what can be told without going round in circles.
bool Shapes::surely_empty(FormulaId formula, int depth) {
  if (formula == Formulas::kNever) return true;
  if (formula == Formulas::kAlways || depth == 0) return false;
  if (const auto known = known_.find(formula); known != known_.end()) return !known->second;
  try {
    const ValueShape& shape = of(formula);
    if (shape.has_null || shape.has_true || shape.has_false) return false;
    if (!pool_.empty(shape.number) || !pool_.empty(shape.string)) return false;
    for (const ObjectShape& object : shape.objects)
      if (!surely_empty(object, depth - 1)) return false;
    for (const ArrayShape& array : shape.arrays)
      if (!surely_empty(array, depth - 1)) return false;
  } catch (const InProgress&) {
    return false;
  }
  known_[formula] = false;
  return true;
}

bool Shapes::surely_empty(const ObjectShape& shape, int depth) {
  if (shape.min > shape.max) return true;
  uint32_t required = 0;
  for (const ObjectShape::Property& property : shape.properties) {
    if (!property.required) continue;
    ++required;
    if (surely_empty(property.value, depth)) return true;
  }
  return required > shape.max;
}

bool Shapes::surely_empty(const ArrayShape& shape, int depth) {
  if (shape.min > shape.max) return true;
  for (size_t i = 0; i < std::min<size_t>(shape.min, shape.prefix.size() + 1); ++i)
    if (surely_empty(shape.at(i), depth)) return true;
  return false;
}

// A value has finitely many levels: whether something fits is the least answer to a question that asks
// itself. One that was only assumed to be no is not kept.
bool Shapes::inhabited(FormulaId formula) {
  if (formula == Formulas::kNever) return false;
  if (formula == Formulas::kAlways) return true;
  if (const auto known = known_.find(formula); known != known_.end()) return known->second;
  const int depth = static_cast<int>(asking_.size());
  if (const auto asked = asking_.find(formula); asked != asking_.end()) {
    lowest_asked_ = std::min(lowest_asked_, asked->second);
    return false;
  }
  const ValueShape& shape = of(formula);
  bool found = shape.has_null || shape.has_true || shape.has_false || !pool_.empty(shape.number) ||
               !pool_.empty(shape.string);
  if (!found) {
    const int outer = std::exchange(lowest_asked_, INT32_MAX);
    asking_.emplace(formula, depth);
    found =
        std::ranges::any_of(shape.arrays, [this](const ArrayShape& array) { return inhabited(array); }) ||
        std::ranges::any_of(shape.objects, [this](const ObjectShape& object) { return inhabited(object); });
    asking_.erase(formula);
    if (!found && lowest_asked_ >= depth) known_[formula] = false;
    lowest_asked_ = std::min(outer, found || lowest_asked_ >= depth ? INT32_MAX : lowest_asked_);
  }
  if (found) known_[formula] = true;
  return found;
}

bool Shapes::inhabited(const ObjectShape& shape) {
  uint64_t possible = 0;
  uint32_t required = 0;
  std::vector<bool> must(shape.properties.size());
  for (size_t i = 0; i < must.size(); ++i) must[i] = shape.properties[i].required;
  for (bool more = true; more;) {
    more = false;
    for (const auto& [first, second] : shape.dependent)
      if (must[first] && !must[second]) must[second] = more = true;
  }
  for (size_t i = 0; i < must.size(); ++i) {
    required += must[i];
    const bool can_be = inhabited(shape.properties[i].value);
    if (must[i] && !can_be) return false;
    possible += can_be;
  }
  bool others = false;
  for (const ObjectShape::KeyClass& one : shape.others)
    if (required < shape.min || !shape.needs.empty()) others |= inhabited(one.value);
  // A writer may repeat an undeclared key and a reader count it once. Where that could matter the number of
  // keys is not known.
  if (others && shape.min > required + 1)
    refuse("minProperties: only up to one more than the keys that are required, where others may come");
  possible += others;
  if (!shape.needs.empty()) {
    std::vector<uint32_t> must_come, may_come;
    for (size_t i = 0; i < must.size(); ++i)
      (must[i] ? must_come : may_come).push_back(sets_met(shape, shape.properties[i]));
    for (const ObjectShape::KeyClass& one : shape.others) may_come.push_back(sets_met(shape, one));
    if (!can_meet_needs(shape, 0, 0, must_come, may_come)) return false;
  }
  return required <= shape.max && possible >= shape.min && shape.min <= shape.max;
}

FormulaId Shapes::with_needs(const ObjectShape& shape, FormulaId value, uint32_t needs) {
  std::vector<FormulaId> all{value};
  for (uint32_t n = 0; n < shape.needs.size(); ++n)
    if (needs >> n & 1) all.push_back(shape.needs[n].value);
  return formulas_.all(all);
}

uint32_t Shapes::sets_met(const ObjectShape& shape, const ObjectShape::Property& property) {
  uint32_t sets = 0;
  for (uint32_t met = 0; met < 1u << shape.needs.size(); ++met) {
    bool matches = true;
    for (uint32_t n = 0; n < shape.needs.size(); ++n)
      matches = matches && (!(met >> n & 1) || pool_.matches(shape.needs[n].keys, property.name));
    if (matches && inhabited(with_needs(shape, property.value, met))) sets |= 1u << met;
  }
  return sets;
}

uint32_t Shapes::sets_met(const ObjectShape& shape, const ObjectShape::KeyClass& other) {
  std::vector<std::string> names;
  for (const ObjectShape::Property& property : shape.properties) names.push_back(property.name);
  const ExprId undeclared = pool_.both({other.keys, pool_.negate(pool_.literals(names))});
  uint32_t sets = 0;
  for (uint32_t met = 0; met < 1u << shape.needs.size(); ++met) {
    std::vector<ExprId> keys{undeclared};
    for (uint32_t n = 0; n < shape.needs.size(); ++n)
      if (met >> n & 1) keys.push_back(shape.needs[n].keys);
    if (!pool_.empty(pool_.both(keys)) && inhabited(with_needs(shape, other.value, met))) sets |= 1u << met;
  }
  return sets;
}

bool Shapes::can_meet_needs(const ObjectShape& shape, uint32_t met, uint64_t count,
                            const std::vector<uint32_t>& must, const std::vector<uint32_t>& may) {
  // The sets that can be met, one more member at a time.
  const uint32_t n_sets = 1u << shape.needs.size();
  uint32_t reached = 1u << met;
  const auto add = [&reached, n_sets](uint32_t sets, uint32_t from) {
    for (uint32_t a = 0; a < n_sets; ++a)
      for (uint32_t b = 0; b < n_sets && (from >> a & 1); ++b)
        if (sets >> b & 1) reached |= 1u << (a | b);
  };
  for (const uint32_t sets : must) add(sets, reached);
  for (uint64_t more = 0; more <= shape.needs.size(); ++more) {
    if (count + must.size() + more > shape.max) return false;
    if (reached >> (n_sets - 1) & 1) return true;
    const uint32_t before = reached;
    for (const uint32_t sets : may) add(sets, before);
  }
  return false;
}

uint32_t Shapes::room(const ArrayShape& shape) {
  for (uint32_t i = 0; i <= shape.prefix.size(); ++i)
    if (i >= shape.max || !inhabited(shape.at(i))) return i;
  return shape.max;
}

bool Shapes::inhabited(const ArrayShape& shape) {
  if (shape.min > shape.max) return false;
  if (shape.min > 0 || !shape.contains.empty()) {
    const uint32_t room = std::min(shape.max, this->room(shape));
    if (shape.min > room) return false;
    if (!can_finish(shape, room, {})) return false;
  }
  return true;
}

bool Shapes::may_close(const ArrayShape& shape, const ArrayProgress& progress) {
  for (size_t i = 0; i < shape.contains.size(); ++i)
    if (progress.contains[i] < shape.contains[i].min) return false;
  return progress.count >= shape.min;
}

std::vector<Shapes::Element> Shapes::elements(const ArrayShape& shape, uint32_t room,
                                              const ArrayProgress& progress) {
  std::vector<Element> elements;
  if (progress.count >= room) return elements;
  // Beyond this the number of elements says nothing new.
  const auto enough = std::max(static_cast<uint32_t>(shape.prefix.size()), shape.min);
  // For each condition: the element meets it, or it does not matter (or, where too many may be, does not meet
  // it).
  for (uint32_t met = 0; met < 1u << shape.contains.size(); ++met) {
    std::vector<FormulaId> all{shape.at(progress.count)};
    ArrayProgress then = progress;
    then.count = room == kNoLimit ? std::min(progress.count + 1, enough) : progress.count + 1;
    bool possible = true;
    for (size_t i = 0; i < shape.contains.size(); ++i) {
      const ArrayShape::Contains& contains = shape.contains[i];
      const bool limited = contains.max != kNoLimit;
      if (met >> i & 1) {
        // Those that are enough already need not be told any more.
        possible = possible && progress.contains[i] < (limited ? contains.max : contains.min);
        all.push_back(contains.value);
        ++then.contains[i];
      } else if (limited) {
        all.push_back(formulas_.negation(contains.value));
      }
    }
    const FormulaId value = formulas_.all(all);
    if (possible && inhabited(value)) elements.push_back({value, then});
  }
  return elements;
}

bool Shapes::can_finish(const ArrayShape& shape, uint32_t room, const ArrayProgress& progress) {
  if (shape.contains.empty()) return true;
  std::vector<ArrayProgress> open{progress};
  std::set<ArrayProgress> seen{progress};
  while (!open.empty()) {
    const ArrayProgress now = open.back();
    open.pop_back();
    if (may_close(shape, now)) return true;
    if (seen.size() > kMostArrayStates) refuse("contains: too many elements to count");
    for (const Element& element : elements(shape, room, now))
      if (seen.insert(element.then).second) open.push_back(element.then);
  }
  return false;
}

}  // namespace hadal::grammar
