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
  std::vector<Member> members;
  for (const uint32_t property : properties_to_come(state))
    for (const Way& way : property_ways(state, property))
      members.push_back(
          {objects_[state.shape].shape->properties[property].name, way.keys, way.value, way.then});
  for (const Way& way : other_ways(state)) members.push_back({{}, way.keys, way.value, way.then});
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
