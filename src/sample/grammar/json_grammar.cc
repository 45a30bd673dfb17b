#include "sample/grammar/json_grammar.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/error.h"

namespace hadal::grammar {
namespace {

constexpr size_t kMostUnique = 64;  // values that an array without repeats can be made of

constexpr uint8_t kMostSpace = 16;     // at a time
constexpr size_t kMostSpelled = 1024;  // texts of an expression

}  // namespace

JsonGrammar& JsonGrammar::add(Automaton& automaton, JsonValue schema, JsonStyle style) {
  std::unique_ptr<JsonGrammar> grammar(new JsonGrammar(automaton, std::move(schema), style));
  JsonGrammar& added = *grammar;
  added.source_ = automaton.add_source(std::move(grammar));
  added.visit_all();
  return added;
}

JsonGrammar::JsonGrammar(Automaton& automaton, JsonValue schema, JsonStyle style)
    : automaton_(automaton),
      pool_(automaton.pool()),
      style_(style),
      schema_(std::move(schema)),
      document_(schema_),
      shapes_(pool_, document_, !style.formats_by_dialect || !document_.formats_are_annotations()),
      root_(shapes_.root()) {}

// Everything that any value could come to, so that what cannot be kept to is found now and not in the middle
// of a text.
void JsonGrammar::visit_all() {
  Formulas& formulas = shapes_.formulas();
  std::vector<FormulaId> open{root_};
  std::unordered_set<FormulaId> seen{root_};
  const auto look_at = [&](FormulaId formula) {
    if (formula != Formulas::kNever && seen.insert(formula).second) open.push_back(formula);
  };
  while (!open.empty()) {
    const FormulaId formula = open.back();
    open.pop_back();
    const ValueShape& shape = shapes_.of(formula);
    for (const ObjectShape& object : shape.objects) {
      for (uint32_t met = 0; met < 1u << object.needs.size(); ++met) {
        for (const ObjectShape::Property& property : object.properties)
          look_at(shapes_.with_needs(object, property.value, met));
        for (const ObjectShape::KeyClass& other : object.others)
          look_at(shapes_.with_needs(object, other.value, met));
      }
    }
    for (const ArrayShape& array : shape.arrays)
      for (size_t i = 0; i <= array.prefix.size(); ++i) {
        look_at(array.at(i));
        for (const ArrayShape::Contains& contains : array.contains) {
          look_at(formulas.all({array.at(i), contains.value}));
          if (contains.max != kNoLimit)
            look_at(formulas.all({array.at(i), formulas.negation(contains.value)}));
        }
      }
  }
  for (const FormulaId formula : std::vector<FormulaId>(seen.begin(), seen.end())) {
    if (!shapes_.inhabited(formula)) continue;
    const ValueShape& shape = shapes_.of(formula);
    for (const ObjectShape& object : shape.objects)
      if (shapes_.inhabited(object)) object_index(object);
    for (const ArrayShape& array : shape.arrays)
      if (shapes_.inhabited(array)) array_index(array);
  }
}

uint32_t JsonGrammar::object_index(const ObjectShape& shape) {
  const auto [it, is_new] = object_index_.try_emplace(&shape, static_cast<uint32_t>(objects_.size()));
  if (!is_new) return it->second;
  Object object{.shape = &shape};
  std::vector<std::string> names;
  for (const ObjectShape::Property& property : shape.properties) {
    object.possible.push_back(shapes_.inhabited(property.value));
    names.push_back(property.name);
  }
  const ExprId undeclared = pool_.negate(pool_.literals(names));
  for (const ObjectShape::KeyClass& other : shape.others) {
    ExprId keys = shapes_.inhabited(other.value) ? pool_.both({other.keys, undeclared}) : ExprPool::kNone;
    if (pool_.empty(keys)) keys = ExprPool::kNone;
    object.other_keys.push_back(keys);
    object.has_others |= keys != ExprPool::kNone;
  }
  objects_.push_back(std::move(object));
  return it->second;
}

uint32_t JsonGrammar::array_index(const ArrayShape& shape) {
  const auto [it, is_new] = array_index_.try_emplace(&shape, static_cast<uint32_t>(arrays_.size()));
  if (!is_new) return it->second;
  Array array{.shape = &shape, .room = std::min(shape.max, shapes_.room(shape))};
  if (shape.unique && array.room > 1) {
    // Possible where all elements are one of a few values, which are then crossed off.
    const auto refuse = [&shape](std::string_view why) {
      fail(ErrorCode::kInvalidInput, "{}/uniqueItems: {}", *shape.unique, why);
    };
    if (!shape.prefix.empty() || !shape.contains.empty())
      refuse("not supported together with prefixItems, a list of items, or contains");
    const ValueShape& item = shapes_.of(shape.items);
    std::vector<std::string> texts;
    const bool finite = !shapes_.inhabited(shape.items) ||
                        (pool_.empty(item.number) && item.objects.empty() && item.arrays.empty() &&
                         pool_.enumerate(item.string, kMostUnique, texts));
    if (!finite)
      refuse(
          "supported only where an element has at most 64 possible values, each a string, true, false or "
          "null");
    for (std::string& text : texts) array.choices.push_back(shapes_.text(std::move(text)));
    if (item.has_null) array.choices.push_back(shapes_.word(JsonValue::Kind::kNull));
    if (item.has_true) array.choices.push_back(shapes_.word(JsonValue::Kind::kTrue));
    if (item.has_false) array.choices.push_back(shapes_.word(JsonValue::Kind::kFalse));
    array.room = std::min(array.room, static_cast<uint32_t>(array.choices.size()));
    if (array.room < shape.min) refuse("there are fewer values than minItems asks for");
  }
  arrays_.push_back(std::move(array));
  return it->second;
}

uint32_t JsonGrammar::intern(ObjectState state) {
  const auto [it, is_new] =
      object_states_.try_emplace(std::move(state), static_cast<uint32_t>(object_state_.size()));
  if (is_new) object_state_.push_back(&it->first);
  return it->second;
}

uint32_t JsonGrammar::intern(ArrayState state) {
  const auto [it, is_new] =
      array_states_.try_emplace(std::move(state), static_cast<uint32_t>(array_state_.size()));
  if (is_new) array_state_.push_back(&it->first);
  return it->second;
}

// White space where JSON may have it, or none.
ExprId JsonGrammar::space() {
  const ExprId one = pool_.set({{' ', ' '}, {'\t', '\n'}, {'\r', '\r'}});
  return pool_.repeat(one, 0, style_.any_spelling ? ExprPool::kUnbounded : kMostSpace);
}

// As it is written.
ExprId JsonGrammar::number(ExprId numbers) {
  if (style_.any_spelling) return numbers;
  const ExprId written = pool_.both({numbers, shapes_.numbers().written()});
  const ExprId brief = pool_.both({written, shapes_.numbers().brief()});
  try {
    return pool_.empty(brief) ? written : brief;
  } catch (const Error&) {  // takes too long to tell
    return written;
  }
}

// A string. Where the schema leaves few texts they are spelled in one way only.
StateId JsonGrammar::string(ExprId text) {
  const bool with_space = style_.space == JsonStyle::Space::kAny;
  std::vector<std::string> texts;
  if (!style_.any_spelling && pool_.enumerate(text, kMostSpelled, texts)) return spelled(texts);
  const uint8_t most = style_.any_spelling ? Terminals::kAnySpace : kMostSpace;
  return automaton_.terminals().json_string(text, with_space ? most : 0);
}

// One of these, whose tags are their places.
StateId JsonGrammar::key(const std::vector<std::string>& names) {
  return style_.any_spelling ? string(pool_.literals(names)) : spelled(names);
}

StateId JsonGrammar::spelled(const std::vector<std::string>& texts) {
  std::vector<std::string> spellings;
  for (const std::string& text : texts) spellings.push_back(json_quoted(text));
  ExprId e = pool_.literals(spellings);
  if (style_.space == JsonStyle::Space::kAny) e = pool_.concat(space(), e);
  return automaton_.terminals().raw(e);
}

// Punctuation, with the space that may be around it.
StateId JsonGrammar::mark(std::string_view text, bool space_after) {
  ExprId e = pool_.text(text);
  if (style_.space == JsonStyle::Space::kAny) e = pool_.concat(space(), e);
  if (style_.space == JsonStyle::Space::kPython && space_after) e = pool_.concat(e, pool_.text(" "));
  return automaton_.terminals().raw(e);
}

NodeId JsonGrammar::document() {
  const NodeId value = make(kValue, root_);
  if (style_.space != JsonStyle::Space::kAny) return value;
  const StateId space_after = automaton_.terminals().raw(space());
  return automaton_.call_node(value, automaton_.terminal_node(space_after, automaton_.end()));
}

void JsonGrammar::expand(const NodeKey& key, Expansion& into) {
  const uint32_t a = key.args[0], b = key.args[1];
  switch (static_cast<Kind>(key.kind)) {
    case kValue:
      return expand_value(a, b != 0, into);
    case kObjectOpen:
    case kObjectMore: {
      const ObjectState state = *object_state_[a];
      if (may_close(state)) into.terminal(mark("}"), automaton_.end());
      if (key.kind == kObjectOpen) return keys(a, into);
      Expansion more;
      keys(a, more);
      if (!more.empty()) into.terminal(mark(",", true), make(kObjectKey, a));
      return;
    }
    case kObjectKey:
      return keys(a, into);
    case kPropertyChosen:
      return;  // after_literal() leads past it
    case kProperty:
      return chosen_property(a, b, into);
    case kColon:
      return into.terminal(mark(":", true), make(kMember, a, b));
    case kMember:
      return into.call(make(kValue, a), make(kObjectMore, b));
    case kArrayOpen:
    case kArrayMore: {
      if (Shapes::may_close(*arrays_[array_state_[a]->shape].shape, array_state_[a]->progress))
        into.terminal(mark("]"), automaton_.end());
      if (key.kind == kArrayOpen) return items(a, into);
      Expansion more;
      items(a, more);
      if (!more.empty()) into.terminal(mark(",", true), make(kArrayItem, a));
      return;
    }
    case kArrayItem:
      return items(a, into);
  }
}

NodeId JsonGrammar::after_literal(const NodeKey& key, uint32_t tag) {
  return make(kProperty, key.args[0], literals_[key.args[1]][tag]);
}

void JsonGrammar::expand_value(FormulaId formula, bool without_strings, Expansion& into) {
  if (!shapes_.inhabited(formula)) return;
  const ValueShape& shape = shapes_.of(formula);
  std::vector<std::string> words;
  if (shape.has_null) words.emplace_back("null");
  if (shape.has_true) words.emplace_back("true");
  if (shape.has_false) words.emplace_back("false");
  ExprId bare = pool_.either({pool_.literals(words), number(shape.number)});
  if (style_.space == JsonStyle::Space::kAny) bare = pool_.concat(space(), bare);
  into.terminal(automaton_.terminals().raw(bare), automaton_.end());
  if (!without_strings) into.terminal(string(shape.string), automaton_.end());
  for (const ObjectShape& object : shape.objects) {
    if (!shapes_.inhabited(object)) continue;
    const uint32_t index = object_index(object);
    const uint32_t state = intern({.shape = index, .seen = std::vector<bool>(object.properties.size())});
    into.terminal(mark("{"), make(kObjectOpen, state));
  }
  for (const ArrayShape& array : shape.arrays) {
    if (!shapes_.inhabited(array)) continue;
    const uint32_t index = array_index(array);
    into.terminal(
        mark("["),
        make(kArrayOpen, intern({.shape = index, .used = std::vector<bool>(arrays_[index].choices.size())})));
  }
}

void JsonGrammar::keys(uint32_t id, Expansion& into) {
  const ObjectState state = *object_state_[id];
  const uint32_t index = state.shape;
  const ObjectShape& shape = *objects_[index].shape;
  const std::vector<uint32_t> properties = properties_to_come(state);
  std::vector<std::string> names;
  for (const uint32_t property : properties) names.push_back(shape.properties[property].name);
  if (!names.empty()) {
    const auto [it, is_new] =
        literals_index_.try_emplace(properties, static_cast<uint32_t>(literals_.size()));
    if (is_new) literals_.push_back(properties);
    into.terminal_by_literal(key(names), make(kPropertyChosen, id, it->second));
  }
  for (const Way& way : other_ways(state)) into.terminal(string(way.keys), make(kColon, way.value, way.then));
}

void JsonGrammar::chosen_property(uint32_t id, uint32_t property, Expansion& into) {
  const StateId colon = mark(":", true);
  for (const Way& way : property_ways(*object_state_[id], property))
    into.terminal(colon, make(kMember, way.value, way.then));
}

void JsonGrammar::items(uint32_t id, Expansion& into) {
  const ArrayState state = *array_state_[id];
  const uint32_t index = state.shape, room = arrays_[index].room;
  const ArrayShape& shape = *arrays_[index].shape;
  if (shape.unique && room > 1) {
    for (size_t i = 0; i < arrays_[index].choices.size() && state.progress.count < room; ++i) {
      if (state.used[i]) continue;
      ArrayState then = state;
      ++then.progress.count;
      then.used[i] = true;
      into.call(make(kValue, arrays_[index].choices[i]), make(kArrayMore, intern(std::move(then))));
    }
    return;
  }
  for (const Shapes::Element& element : shapes_.elements(shape, room, state.progress)) {
    if (!shapes_.can_finish(shape, room, element.then)) continue;
    into.call(make(kValue, element.value), make(kArrayMore, intern({index, element.then, state.used})));
  }
}

Result<std::shared_ptr<Grammar>> json_schema_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                     std::vector<int32_t> end_ids, const JsonValue& schema,
                                                     JsonStyle style, std::vector<SchemaNote>* notes) {
  return Grammar::make(std::move(vocabulary), std::move(end_ids), [&](Automaton& automaton) {
    JsonGrammar& json = JsonGrammar::add(automaton, schema, style);
    if (notes) *notes = json.notes();
    return json.document();
  });
}

Result<std::shared_ptr<Grammar>> json_object_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                     std::vector<int32_t> end_ids, JsonStyle style) {
  return json_schema_grammar(std::move(vocabulary), std::move(end_ids), *parse_json(R"({"type":"object"})"),
                             style);
}

}  // namespace hadal::grammar
