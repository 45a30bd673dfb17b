// Objects of a schema key by key, for formats that do not write them as JSON.
#include <utility>

#include "sample/grammar/json_grammar.h"

namespace hadal::grammar {

std::vector<uint32_t> JsonGrammar::objects() {
  std::vector<uint32_t> states;
  for (const ObjectShape& object : shapes_.of(root_).objects) {
    if (!shapes_.inhabited(object)) continue;
    const uint32_t index = object_index(object);
    states.push_back(intern({.shape = index, .seen = std::vector<bool>(object.properties.size())}));
  }
  return states;
}

std::vector<JsonGrammar::Member> JsonGrammar::members(uint32_t object) {
  const ObjectState state = *object_state_[object];
  const uint32_t index = state.shape;
  const ObjectShape& shape = *objects_[index].shape;
  Formulas& formulas = shapes_.formulas();
  std::vector<Member> members;
  for (const uint32_t i : properties_to_come(state)) {
    const ObjectShape::Property& property = shape.properties[i];
    members.push_back({property.name, ExprPool::kNone, property.value, after_property(state, i, 0)});
    for (uint32_t n = 0; n < shape.needs.size(); ++n) {
      if ((state.needs >> n & 1) || !pool_.matches(shape.needs[n].keys, property.name)) continue;
      const FormulaId value = formulas.all({property.value, shape.needs[n].value});
      if (shapes_.inhabited(value))
        members.push_back(
            {property.name, ExprPool::kNone, value, after_property(state, i, uint64_t{1} << n)});
    }
  }
  if (!other_may_come(state)) return members;
  ObjectState then = state;
  then.count += shape.max != kNoLimit;
  then.others = 1;
  then.position = static_cast<uint32_t>(shape.properties.size());
  for (uint32_t c = 0; c < shape.others.size(); ++c) {
    const ExprId keys = objects_[index].other_keys[c];
    if (keys == ExprPool::kNone) continue;
    members.push_back({{}, keys, shape.others[c].value, intern(then)});
    for (uint32_t n = 0; n < shape.needs.size(); ++n) {
      const ExprId both = pool_.both({keys, shape.needs[n].keys});
      const FormulaId value = formulas.all({shape.others[c].value, shape.needs[n].value});
      if ((state.needs >> n & 1) || pool_.empty(both) || !shapes_.inhabited(value)) continue;
      ObjectState met = then;
      met.needs |= uint64_t{1} << n;
      members.push_back({{}, both, value, intern(std::move(met))});
    }
  }
  return members;
}

bool JsonGrammar::has_other_than_strings(FormulaId value) {
  const ValueShape& shape = shapes_.of(value);
  if (shape.has_null || shape.has_true || shape.has_false || shape.number != ExprPool::kNone) return true;
  for (const ObjectShape& object : shape.objects)
    if (shapes_.inhabited(object)) return true;
  for (const ArrayShape& array : shape.arrays)
    if (shapes_.inhabited(array)) return true;
  return false;
}

NodeId JsonGrammar::other_than_strings(FormulaId value, NodeId next) {
  return automaton_.call_node(make(kValue, value, 1), next);
}

}  // namespace hadal::grammar
