// JSON texts that fit a schema, as a grammar. Objects and arrays are states of their own: which keys have
// come, how many elements; nothing is unrolled ahead of time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sample/grammar/grammar.h"
#include "sample/grammar/json_shapes.h"
#include "text/json_value.h"

namespace hadal::grammar {

struct JsonStyle {
  enum class Space : uint8_t {
    kCompact,  // none
    kPython,   // one behind every comma and colon, as json.dumps writes it
    kAny,      // whatever JSON allows, up to a bound at a time: some models would never stop
  };
  Space space = Space::kCompact;
  bool any_order = false;  // keys in any order; otherwise in the schema's, the undeclared ones last
  // Of whole numbers (1.0, 1e2), of keys and texts that the schema spells out ("\\u0061"), and any amount of
  // space where there may be any: for who reads instead of writing.
  bool any_spelling = false;
  // Formats only where the schema's dialect asserts them: from 2019-09 on they are annotations unless a
  // reader chooses otherwise. A writer keeps to them always.
  bool formats_by_dialect = false;
};

// A schema's values within an automaton that owns it.
class JsonGrammar : public NodeSource {
 public:
  // Reads all of the schema. Throws Error{kInvalidInput}: the keyword's path and why it cannot be kept to.
  static JsonGrammar& add(Automaton& automaton, JsonValue schema, JsonStyle style);

  // A value that fits the schema and nothing else, but for space.
  NodeId document();
  // Its objects key by key, for formats that do not write them as JSON: where they begin; whether one may end
  // here; and what may come, which is a property or some other key.
  struct Member {
    std::string name;
    ExprId keys = ExprPool::kNone;  // instead of the name
    FormulaId value = 0;
    uint32_t then = 0;  // the object with it
  };
  std::vector<uint32_t> objects();
  bool is_whole(uint32_t object) const { return may_close(*object_state_[object]); }
  std::vector<Member> members(uint32_t object);
  // The strings among the values, without quotes; and the others, as JSON.
  ExprId strings(FormulaId value) { return shapes_.of(value).string; }
  bool has_other_than_strings(FormulaId value);
  NodeId other_than_strings(FormulaId value, NodeId next);
  const std::vector<SchemaNote>& notes() const { return shapes_.notes(); }

  void expand(const NodeKey& key, Expansion& into) override;
  NodeId after_literal(const NodeKey& key, uint32_t tag) override;

 private:
  enum Kind : uint32_t {
    kValue = 1,       // {formula, without strings}
    kObjectOpen,      // {state}: behind "{"
    kObjectKey,       // {state}: behind ","
    kObjectMore,      // {state}: behind a value
    kPropertyChosen,  // {state, literals}: behind a key; which one decides
    kProperty,        // {state, property}: behind its key
    kColon,           // {formula, state}: behind an undeclared key; then kMember
    kMember,          // {formula, state}: behind the colon; then kObjectMore
    kArrayOpen,       // {state}
    kArrayItem,       // {state}: behind ","
    kArrayMore,       // {state}: behind an element
  };
  struct ObjectState {
    uint32_t shape = 0;     // in objects_
    uint32_t position = 0;  // the first property that may still come, where they come in order
    uint32_t count = 0;     // keys so far, where there is a limit
    uint32_t others = 0;    // whether one of them was undeclared
    uint32_t needs = 0;     // that are met, a bit each
    uint32_t held = 0;  // those that an undeclared key met, which must not be undone by writing the key again
    std::vector<bool> seen;  // properties
    auto operator<=>(const ObjectState&) const = default;
  };
  struct ArrayState {
    uint32_t shape = 0;  // in arrays_
    Shapes::ArrayProgress progress{};
    std::vector<bool> used;  // of the values there are, where none may repeat
    auto operator<=>(const ArrayState&) const = default;
  };
  struct Object {
    const ObjectShape* shape;
    std::vector<bool> possible{};      // properties with a value that fits
    std::vector<ExprId> other_keys{};  // of each class, less the properties' names; kNone if no value fits
    bool has_others = false;
    std::vector<uint32_t> property_sets{}, other_sets{};  // Shapes::sets_met of each, when asked for
  };
  struct Array {
    const ArrayShape* shape;
    uint32_t room = 0;                 // elements at most
    std::vector<FormulaId> choices{};  // where no element may repeat: every value there is
  };

  JsonGrammar(Automaton& automaton, JsonValue schema, JsonStyle style);
  void visit_all();
  uint32_t object_index(const ObjectShape& shape);
  uint32_t array_index(const ArrayShape& shape);
  NodeId make(Kind kind, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    return automaton_.node({source_, kind, {a, b, c}});
  }
  ExprId space();
  StateId mark(std::string_view text, bool space_after = false);
  ExprId number(ExprId numbers);
  StateId string(ExprId text);
  StateId key(const std::vector<std::string>& names);
  StateId spelled(const std::vector<std::string>& texts);
  uint32_t intern(ObjectState state);
  uint32_t intern(ArrayState state);

  void expand_value(FormulaId formula, bool without_strings, Expansion& into);
  void keys(uint32_t state, Expansion& into);
  void chosen_property(uint32_t state, uint32_t property, Expansion& into);
  bool may_close(const ObjectState& state) const;
  std::vector<uint32_t> properties_to_come(const ObjectState& state);
  bool may_come(const ObjectState& state, uint32_t property) const;
  bool other_may_come(const ObjectState& state) const;
  std::vector<bool> wanted(const ObjectState& state) const;
  // A member that may come next: its key, undeclared ones only; the condition on its value; the state after
  // it.
  struct Way {
    ExprId keys = ExprPool::kNone;
    FormulaId value = 0;
    uint32_t then = 0;
  };
  std::vector<Way> property_ways(const ObjectState& state, uint32_t property);
  std::vector<Way> other_ways(const ObjectState& state);
  bool needs_can_be_met(const ObjectState& state);
  void items(uint32_t state, Expansion& into);

  Automaton& automaton_;
  ExprPool& pool_;
  uint32_t source_ = 0;
  const JsonStyle style_;
  const JsonValue schema_;
  SchemaDocument document_;
  Shapes shapes_;
  FormulaId root_ = 0;
  std::vector<Object> objects_;
  std::vector<Array> arrays_;
  std::unordered_map<const ObjectShape*, uint32_t> object_index_;
  std::unordered_map<const ArrayShape*, uint32_t> array_index_;
  std::map<ObjectState, uint32_t> object_states_;
  std::vector<const ObjectState*> object_state_;
  std::map<ArrayState, uint32_t> array_states_;
  std::vector<const ArrayState*> array_state_;
  std::vector<std::vector<uint32_t>> literals_;  // properties by the tag of a literal
  std::map<std::vector<uint32_t>, uint32_t> literals_index_;
};

// Texts that are one JSON value, which fits the schema (draft 4 to 2020-12). Notes: what of it has no effect.
Result<std::shared_ptr<Grammar>> json_schema_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                     std::vector<int32_t> end_ids, const JsonValue& schema,
                                                     JsonStyle style = {},
                                                     std::vector<SchemaNote>* notes = nullptr);
// Texts that are one JSON object.
Result<std::shared_ptr<Grammar>> json_object_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                     std::vector<int32_t> end_ids, JsonStyle style = {});

}  // namespace hadal::grammar
