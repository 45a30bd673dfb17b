// What may come next in an object, so that it can still be finished.
#include <algorithm>
#include <utility>

#include "sample/grammar/json_grammar.h"

namespace hadal::grammar {

// Properties that have to come yet, some of them because others have.
std::vector<bool> JsonGrammar::wanted(const ObjectState& state) const {
  const ObjectShape& shape = *objects_[state.shape].shape;
  std::vector<bool> wanted(shape.properties.size());
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = shape.properties[i].required;
  for (bool more = !shape.dependent.empty(); more;) {
    more = false;
    for (const auto& [first, second] : shape.dependent)
      if ((wanted[first] || state.seen[first]) && !wanted[second]) wanted[second] = more = true;
  }
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = wanted[i] && !state.seen[i];
  return wanted;
}

bool JsonGrammar::may_close(const ObjectState& state) const {
  const ObjectShape& shape = *objects_[state.shape].shape;
  const auto seen = static_cast<uint32_t>(std::ranges::count(state.seen, true));
  // Undeclared keys may be the same one again, which a reader would count once.
  if (seen + state.others < shape.min || state.needs + 1 != 1u << shape.needs.size()) return false;
  return std::ranges::count(wanted(state), true) == 0;
}

// Whether the property may be the next one and the object can still be finished.
bool JsonGrammar::may_come(const ObjectState& state, uint32_t property) const {
  const Object& object = objects_[state.shape];
  const ObjectShape& shape = *object.shape;
  if (state.seen[property] || !object.possible[property]) return false;
  if (!style_.any_order && property < state.position) return false;
  ObjectState then = state;
  then.seen[property] = true;
  uint64_t required = 0, possible = 0;
  const std::vector<bool> wanted = this->wanted(then);
  for (uint32_t i = 0; i < wanted.size(); ++i) {
    const bool still = !then.seen[i] && object.possible[i] && (style_.any_order || i > property);
    if (wanted[i] && !still) return false;
    required += wanted[i];
    possible += still;
  }
  if (state.count + 1 + required > shape.max) return false;
  const auto seen = static_cast<uint64_t>(std::ranges::count(then.seen, true));
  return seen + possible + std::max<uint32_t>(state.others, object.has_others) >= shape.min;
}

std::vector<uint32_t> JsonGrammar::properties_to_come(const ObjectState& state) {
  const Object& object = objects_[state.shape];
  const ObjectShape& shape = *object.shape;
  // Without these nothing that comes forbids anything else.
  const bool free = shape.dependent.empty() && shape.max == kNoLimit && (shape.min <= 1 || style_.any_order);
  const std::vector<bool> wanted = this->wanted(state);
  std::vector<uint32_t> properties;
  for (uint32_t i = style_.any_order ? 0 : state.position; i < shape.properties.size(); ++i) {
    if (state.seen[i]) continue;
    if ((free ? object.possible[i] : may_come(state, i)) &&
        (shape.needs.empty() || !property_ways(state, i).empty()))
      properties.push_back(i);
    if (!style_.any_order && wanted[i]) break;  // in order, nothing passes what has to come
  }
  return properties;
}

bool JsonGrammar::other_may_come(const ObjectState& state) const {
  const Object& object = objects_[state.shape];
  const ObjectShape& shape = *object.shape;
  uint64_t required = 0, possible = 0;
  const std::vector<bool> wanted = this->wanted(state);
  for (uint32_t i = 0; i < wanted.size(); ++i) {
    required += wanted[i];
    possible += !state.seen[i] && object.possible[i] && style_.any_order;
  }
  if (required > 0 && !style_.any_order) return false;
  if (state.count + 1 + required > shape.max) return false;
  return static_cast<uint64_t>(std::ranges::count(state.seen, true)) + possible + 1 >= shape.min;
}

// Whether members can still come that meet all needs, with as many as there is room for beside those that
// must come.
bool JsonGrammar::needs_can_be_met(const ObjectState& state) {
  Object& object = objects_[state.shape];
  const ObjectShape& shape = *object.shape;
  if (shape.needs.empty()) return true;
  if (object.property_sets.empty()) {
    for (const ObjectShape::Property& property : shape.properties)
      object.property_sets.push_back(shapes_.sets_met(shape, property));
    for (const ObjectShape::KeyClass& other : shape.others)
      object.other_sets.push_back(shapes_.sets_met(shape, other));
  }
  const std::vector<bool> wanted = this->wanted(state);
  std::vector<uint32_t> must, may = object.other_sets;
  for (uint32_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i])
      must.push_back(object.property_sets[i]);
    else if (!state.seen[i] && (style_.any_order || i >= state.position))
      may.push_back(object.property_sets[i]);
  }
  return Shapes::can_meet_needs(shape, state.needs, state.count, must, may);
}

std::vector<JsonGrammar::Way> JsonGrammar::property_ways(const ObjectState& state, uint32_t index) {
  const ObjectShape& shape = *objects_[state.shape].shape;
  const ObjectShape::Property& property = shape.properties[index];
  std::vector<Way> ways;
  for (uint32_t met = 0; met < 1u << shape.needs.size(); ++met) {
    bool matches = (met & state.needs) == 0;
    for (uint32_t n = 0; n < shape.needs.size(); ++n)
      matches = matches && (!(met >> n & 1) || pool_.matches(shape.needs[n].keys, property.name));
    if (!matches) continue;
    ObjectState then = state;
    then.seen[index] = true;
    then.count += shape.max != kNoLimit;
    then.needs |= met;
    if (!style_.any_order) then.position = index + 1;
    const FormulaId value = shapes_.with_needs(shape, property.value, met);
    if (!shapes_.inhabited(value) || !needs_can_be_met(then)) continue;
    ways.push_back({ExprPool::kNone, value, intern(std::move(then))});
  }
  return ways;
}

std::vector<JsonGrammar::Way> JsonGrammar::other_ways(const ObjectState& state) {
  const uint32_t index = state.shape;
  const ObjectShape& shape = *objects_[index].shape;
  std::vector<Way> ways;
  if (!other_may_come(state)) return ways;
  for (uint32_t c = 0; c < shape.others.size(); ++c) {
    const ExprId keys = objects_[index].other_keys[c];
    if (keys == ExprPool::kNone) continue;
    const uint32_t n_sets = 1u << shape.needs.size();
    for (uint32_t met = 0; met < n_sets; ++met)
      for (uint32_t again = 0; again < n_sets && !(met & state.needs); ++again) {
        if (again & ~state.held) continue;
        std::vector<ExprId> all{keys};
        ObjectState then = state;
        for (uint32_t n = 0; n < shape.needs.size(); ++n) {
          const uint32_t bit = 1u << n;
          if ((met | again) & bit)
            all.push_back(shape.needs[n].keys);
          else if (state.held & bit)
            all.push_back(pool_.negate(shape.needs[n].keys));
          if ((met & bit) && !style_.any_order && shape.needs[n].value != Formulas::kAlways) then.held |= bit;
        }
        then.count += shape.max != kNoLimit;
        then.others = 1;
        then.position = static_cast<uint32_t>(shape.properties.size());
        then.needs |= met;
        const ExprId narrowed = pool_.both(all);
        const FormulaId value = shapes_.with_needs(shape, shape.others[c].value, met | again);
        if (pool_.empty(narrowed) || !shapes_.inhabited(value) || !needs_can_be_met(then)) continue;
        ways.push_back({narrowed, value, intern(std::move(then))});
      }
  }
  return ways;
}

}  // namespace hadal::grammar
