// What the keywords of one subschema say.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "sample/grammar/formats.h"
#include "sample/grammar/json_shapes.h"
#include "sample/grammar/regex.h"

namespace hadal::grammar {
namespace {

// Keywords with an effect here, and those whose specification gives them none on what is valid.
constexpr std::array kEffective = {"$ref",
                                   "additionalItems",
                                   "additionalProperties",
                                   "allOf",
                                   "anyOf",
                                   "const",
                                   "contains",
                                   "dependencies",
                                   "dependentRequired",
                                   "dependentSchemas",
                                   "else",
                                   "enum",
                                   "exclusiveMaximum",
                                   "exclusiveMinimum",
                                   "format",
                                   "if",
                                   "items",
                                   "maxContains",
                                   "maxItems",
                                   "maxLength",
                                   "maxProperties",
                                   "maximum",
                                   "minContains",
                                   "minItems",
                                   "minLength",
                                   "minProperties",
                                   "minimum",
                                   "multipleOf",
                                   "not",
                                   "oneOf",
                                   "pattern",
                                   "patternProperties",
                                   "prefixItems",
                                   "properties",
                                   "propertyNames",
                                   "required",
                                   "then",
                                   "type",
                                   "uniqueItems"};
constexpr std::array kAnnotations = {"$anchor",       "$comment", "$defs",           "$dynamicAnchor",
                                     "$id",           "$schema",  "contentEncoding", "contentMediaType",
                                     "contentSchema", "default",  "definitions",     "deprecated",
                                     "description",   "examples", "example",         "id",
                                     "readOnly",      "title",    "writeOnly"};
constexpr std::array kRefused = {"$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties",
                                 "$vocabulary"};

using Kind = JsonValue::Kind;

}  // namespace

void Shapes::note(PlaceId place, std::string_view keyword, std::string what) {
  notes_.push_back({document_.path(place) + "/" + pointer_part(keyword), std::move(what)});
}

FormulaId Shapes::at(PlaceId place, std::string_view keyword) {
  const JsonValue& value = *member(document_.value(place), keyword);
  if (!value.is_object() && !value.is_bool()) refuse("expected a schema: an object, true or false");
  return formulas_.place(document_, document_.child(place, keyword, value));
}

std::vector<FormulaId> Shapes::list(PlaceId place, std::string_view keyword) {
  const JsonValue& value = *member(document_.value(place), keyword);
  if (!value.is_array()) refuse("expected an array of schemas");
  std::vector<FormulaId> list;
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (!value.items[i].is_object() && !value.items[i].is_bool()) refuse("expected an array of schemas");
    list.push_back(
        formulas_.place(document_, document_.child(place, keyword, std::to_string(i), value.items[i])));
  }
  return list;
}

// A size: whole, not negative. Sizes beyond 2^32 are as good as none.
uint32_t Shapes::count(PlaceId place, std::string_view keyword, uint32_t otherwise) {
  const JsonValue* value = member(document_.value(place), keyword);
  if (!value) return otherwise;
  where_ = document_.path(place) + "/" + std::string(keyword);
  const auto number = value->is(Kind::kNumber) ? Decimal::parse(value->text) : std::nullopt;
  if (!number || number->negative || !number->is_whole()) refuse("expected a whole number, 0 or more");
  uint32_t size = 0;
  const auto [end, error] =
      std::from_chars(number->whole.data(), number->whole.data() + number->whole.size(), size);
  return error == std::errc() ? size : kNoLimit;
}

void Shapes::look_at_keys(PlaceId place) {
  const JsonValue& schema = document_.value(place);
  for (const std::string& key : schema.keys) {
    if (std::ranges::find(kRefused, key) != kRefused.end()) {
      where_ = document_.path(place) + "/" + pointer_part(key);
      refuse("this keyword is not supported");
    }
    if (std::ranges::find(kEffective, key) == kEffective.end() &&
        std::ranges::find(kAnnotations, key) == kAnnotations.end())
      note(place, key, "not a keyword of JSON Schema: no effect");
  }
}

ValueShape Shapes::keywords(PlaceId place) {
  const JsonValue& schema = document_.value(place);
  where_ = document_.path(place);
  if (schema.is_bool()) return schema.is(Kind::kTrue) ? any() : ValueShape{};
  if (!schema.is_object()) refuse("expected a schema: an object, true or false");
  if (const JsonValue* reference = member(schema, "$ref"); reference && document_.reference_stands_alone()) {
    if (!reference->is_string()) refuse("$ref: expected a string");
    for (const std::string& key : schema.keys)
      if (key != "$ref" && std::ranges::find(kAnnotations, key) == kAnnotations.end())
        note(place, key, "beside $ref, which in this draft makes everything else without effect");
    return of(formulas_.place(document_, document_.target(place, reference->text)));
  }
  look_at_keys(place);
  ValueShape shape = any();
  type_keyword(place, shape);
  if (shape.string != ExprPool::kNone) string_keywords(place, shape);
  if (shape.number != ExprPool::kNone) number_keywords(place, shape);
  if (!shape.objects.empty()) shape.objects = {object_keywords(place)};
  if (!shape.arrays.empty()) shape.arrays = {array_keywords(place)};
  return applied(place, std::move(shape));
}

void Shapes::type_keyword(PlaceId place, ValueShape& shape) {
  const JsonValue* type = member(document_.value(place), "type");
  if (!type) return;
  where_ = document_.path(place) + "/type";
  const ValueShape all = std::exchange(shape, ValueShape{});
  std::vector<const JsonValue*> names;
  if (type->is_array())
    for (const JsonValue& name : type->items) names.push_back(&name);
  else
    names.push_back(type);
  for (const JsonValue* name : names) {
    if (!name->is_string()) refuse("expected the name of a type, or several");
    const std::string& text = name->text;
    if (text == "null")
      shape.has_null = true;
    else if (text == "boolean")
      shape.has_true = shape.has_false = true;
    else if (text == "number")
      shape.number = all.number;
    else if (text == "integer")
      shape.number = pool_.either({shape.number, numbers_.integer()});
    else if (text == "string")
      shape.string = all.string;
    else if (text == "object")
      shape.objects = all.objects;
    else if (text == "array")
      shape.arrays = all.arrays;
    else
      refuse("\"" + text + "\" is not a type: null, boolean, number, integer, string, object, array");
  }
}

void Shapes::string_keywords(PlaceId place, ValueShape& shape) {
  const JsonValue& schema = document_.value(place);
  const uint32_t min = count(place, "minLength", 0), max = count(place, "maxLength", kNoLimit);
  std::vector<ExprId> all{shape.string};
  if (min > 0 || max != kNoLimit) all.push_back(pool_.repeat(ExprPool::kAnyChar, min, max));
  if (const JsonValue* pattern = member(schema, "pattern")) {
    where_ = document_.path(place) + "/pattern";
    if (!pattern->is_string()) refuse("expected a regular expression");
    const auto expr = search_regex(pool_, pattern->text);
    if (!expr) refuse(expr.error().to_string());
    all.push_back(*expr);
  }
  if (const JsonValue* format = member(schema, "format")) {
    where_ = document_.path(place) + "/format";
    if (!format->is_string()) refuse("expected the name of a format");
    if (!formats_)
      note(place, "format", "an annotation in this dialect: no effect");
    else if (const auto expr = format_expr(pool_, format->text))
      all.push_back(*expr);
    else
      note(place, "format", "\"" + format->text + "\" is not a format of JSON Schema: no effect");
  }
  shape.string = pool_.both(all);
}

void Shapes::number_keywords(PlaceId place, ValueShape& shape) {
  const JsonValue& schema = document_.value(place);
  const auto decimal = [&](std::string_view keyword) -> std::optional<Decimal> {
    const JsonValue* value = member(schema, keyword);
    if (!value) return std::nullopt;
    where_ = document_.path(place) + "/" + std::string(keyword);
    if (!value->is(Kind::kNumber)) refuse("expected a number");
    const auto number = Decimal::parse(value->text);
    if (!number) refuse("this number has too many digits");
    return number;
  };
  // Up to draft 4 the exclusive forms are true or false beside the bound.
  const auto is_exclusive = [&](std::string_view keyword) {
    const JsonValue* value = member(schema, keyword);
    return value && value->is(Kind::kTrue);
  };
  const auto is_number = [&](std::string_view keyword) {
    const JsonValue* value = member(schema, keyword);
    return value && !value->is_bool();
  };
  std::vector<ExprId> all{shape.number};
  if (const auto bound = decimal("minimum"))
    all.push_back(numbers_.at_least(*bound, is_exclusive("exclusiveMinimum")));
  if (const auto bound = decimal("maximum"))
    all.push_back(numbers_.at_most(*bound, is_exclusive("exclusiveMaximum")));
  if (is_number("exclusiveMinimum")) all.push_back(numbers_.at_least(*decimal("exclusiveMinimum"), true));
  if (is_number("exclusiveMaximum")) all.push_back(numbers_.at_most(*decimal("exclusiveMaximum"), true));
  if (const auto step = decimal("multipleOf")) {
    if (step->is_zero() || step->negative) refuse("expected a number above 0");
    const auto multiples = numbers_.multiple_of(*step);
    if (!multiples) refuse("multiples of this number cannot be told by their digits");
    all.push_back(*multiples);
  }
  shape.number = pool_.both(all);
}

ObjectShape Shapes::object_keywords(PlaceId place) {
  const JsonValue& schema = document_.value(place);
  ObjectShape shape;
  const auto map = [&](std::string_view keyword) -> const JsonValue* {
    const JsonValue* value = member(schema, keyword);
    where_ = document_.path(place) + "/" + std::string(keyword);
    if (value && !value->is_object()) refuse("expected an object");
    return value;
  };
  struct Pattern {
    ExprId keys;
    FormulaId value;
  };
  std::vector<Pattern> patterns;
  if (const JsonValue* pattern_properties = map("patternProperties"))
    for (size_t i = 0; i < pattern_properties->keys.size(); ++i) {
      const std::string& pattern = pattern_properties->keys[i];
      where_ = document_.path(place) + "/patternProperties/" + pointer_part(pattern);
      const auto expr = search_regex(pool_, pattern);
      if (!expr) refuse(expr.error().to_string());
      patterns.push_back(
          {*expr, formulas_.place(document_, document_.child(place, "patternProperties", pattern,
                                                             pattern_properties->items[i]))});
    }
  // Keys that match no pattern, then split by each.
  struct Class {
    ExprId keys;
    FormulaId value;
    bool matched;
  };
  where_ = document_.path(place) + "/additionalProperties";
  std::vector<Class> classes{
      {ExprPool::kAll,
       member(schema, "additionalProperties") ? at(place, "additionalProperties") : Formulas::kAlways,
       false}};
  where_ = document_.path(place) + "/patternProperties";
  for (const Pattern& pattern : patterns) {
    std::vector<Class> split;
    for (const Class& one : classes) {
      const ExprId in = pool_.both({one.keys, pattern.keys}),
                   out = pool_.both({one.keys, pool_.negate(pattern.keys)});
      if (!pool_.empty(in))
        split.push_back({in, one.matched ? formulas_.all({one.value, pattern.value}) : pattern.value, true});
      if (!pool_.empty(out)) split.push_back({out, one.value, one.matched});
    }
    classes = std::move(split);
    if (classes.size() > 64) refuse("the patterns overlap in too many ways");
  }
  ExprId names = ExprPool::kAll;
  if (member(schema, "propertyNames")) {
    where_ = document_.path(place) + "/propertyNames";
    names = of(at(place, "propertyNames")).string;
  }
  for (const Class& one : classes) {
    const ExprId keys = pool_.both({one.keys, names});
    if (one.value != Formulas::kNever && !pool_.empty(keys)) shape.others.push_back({keys, one.value});
  }
  std::unordered_map<std::string, uint32_t> index;
  const auto property = [&](const std::string& name) -> uint32_t {
    const auto [it, is_new] = index.try_emplace(name, static_cast<uint32_t>(shape.properties.size()));
    if (is_new) shape.properties.push_back({name, other(shape, name), false});
    return it->second;
  };
  if (const JsonValue* properties = map("properties"))
    for (size_t i = 0; i < properties->keys.size(); ++i) {
      const std::string& name = properties->keys[i];
      std::vector<FormulaId> all;
      if (!pool_.matches(names, name)) all.push_back(Formulas::kNever);
      const JsonValue& value = properties->items[i];
      where_ = document_.path(place) + "/properties/" + pointer_part(name);
      if (!value.is_object() && !value.is_bool()) refuse("expected a schema: an object, true or false");
      all.push_back(formulas_.place(document_, document_.child(place, "properties", name, value)));
      for (const Pattern& pattern : patterns)
        if (pool_.matches(pattern.keys, name)) all.push_back(pattern.value);
      const uint32_t at = property(name);
      shape.properties[at].value = formulas_.all(all);
    }
  const auto strings = [&](const JsonValue& value) {
    if (!value.is_array()) refuse("expected an array of strings");
    for (const JsonValue& item : value.items)
      if (!item.is_string()) refuse("expected an array of strings");
  };
  if (const JsonValue* required = member(schema, "required"); required && !required->is_bool()) {
    where_ = document_.path(place) + "/required";
    strings(*required);
    for (const JsonValue& name : required->items) shape.properties[property(name.text)].required = true;
  }
  for (const std::string_view keyword : {"dependentRequired", "dependencies"})
    if (const JsonValue* dependent = map(keyword))
      for (size_t i = 0; i < dependent->keys.size(); ++i) {
        const JsonValue& value = dependent->items[i];
        if (keyword == "dependencies" && !value.is_array() && !value.is_string()) continue;  // a schema
        where_ = document_.path(place) + "/" + std::string(keyword) + "/" + pointer_part(dependent->keys[i]);
        const uint32_t first = property(dependent->keys[i]);
        if (value.is_string()) {  // draft 3
          shape.dependent.emplace_back(first, property(value.text));
          continue;
        }
        strings(value);
        for (const JsonValue& name : value.items)
          if (name.text != dependent->keys[i]) shape.dependent.emplace_back(first, property(name.text));
      }
  shape.min = count(place, "minProperties", 0);
  shape.max = count(place, "maxProperties", kNoLimit);
  return shape;
}

ArrayShape Shapes::array_keywords(PlaceId place) {
  const JsonValue& schema = document_.value(place);
  ArrayShape shape{.min = count(place, "minItems", 0), .max = count(place, "maxItems", kNoLimit)};
  const JsonValue* items = member(schema, "items");
  std::string_view rest = "items";
  if (member(schema, "prefixItems")) {
    where_ = document_.path(place) + "/prefixItems";
    shape.prefix = list(place, "prefixItems");
  } else if (items && items->is_array()) {  // up to draft 2019-09
    where_ = document_.path(place) + "/items";
    shape.prefix = list(place, "items");
    rest = "additionalItems";
  }
  where_ = document_.path(place) + "/" + std::string(rest);
  if (member(schema, rest)) shape.items = at(place, rest);
  if (const JsonValue* unique = member(schema, "uniqueItems"); unique && unique->is(Kind::kTrue))
    shape.unique = &document_.path(place);
  if (member(schema, "contains")) {
    where_ = document_.path(place) + "/contains";
    const FormulaId value = at(place, "contains");
    const uint32_t min = count(place, "minContains", 1), max = count(place, "maxContains", kNoLimit);
    if (min > 0 || max != kNoLimit) shape.contains.push_back({value, min, max});
  }
  return shape;
}

ValueShape Shapes::implied(FormulaId condition, FormulaId consequence) {
  return of(formulas_.any({formulas_.negation(condition), consequence}));
}

// Keywords that hold for every type.
ValueShape Shapes::applied(PlaceId place, ValueShape shape) {
  const JsonValue& schema = document_.value(place);
  const std::string path = document_.path(place);
  const auto narrow = [&](const ValueShape& other) { shape = intersect(shape, other); };
  const auto has = [&](std::string_view keyword) {
    where_ = path + "/" + std::string(keyword);
    return member(schema, keyword) != nullptr;
  };
  if (has("enum")) {
    const JsonValue& values = *member(schema, "enum");
    if (!values.is_array()) refuse("expected an array of values");
    narrow(enumeration(values.items));
  }
  if (has("const")) narrow(constant_shape(*member(schema, "const")));
  if (has("$ref")) {
    const JsonValue& reference = *member(schema, "$ref");
    if (!reference.is_string()) refuse("expected a string");
    narrow(of(formulas_.place(document_, document_.target(place, reference.text))));
  }
  if (has("allOf"))
    for (const FormulaId part : list(place, "allOf")) narrow(of(part));
  if (has("anyOf")) {
    ValueShape either;
    for (const FormulaId part : list(place, "anyOf")) either = unite(either, of(part));
    where_ = path + "/anyOf";
    narrow(either);
  }
  if (has("oneOf")) {
    std::vector<ValueShape> shapes;
    for (const FormulaId part : list(place, "oneOf")) shapes.push_back(intersect(shape, of(part)));
    where_ = path + "/oneOf";
    shape = exactly_one(shapes);
  }
  if (has("not")) {
    const ValueShape forbidden = intersect(shape, of(at(place, "not")));
    where_ = path + "/not";
    narrow(negate(forbidden));
  }
  if (has("if")) {
    const FormulaId condition = at(place, "if");
    if (has("then")) narrow(implied(condition, at(place, "then")));
    if (has("else")) narrow(implied(formulas_.negation(condition), at(place, "else")));
  }
  for (const std::string_view keyword : {"dependentSchemas", "dependencies"})
    if (has(keyword)) {
      const JsonValue& map = *member(schema, keyword);
      if (!map.is_object()) refuse("expected an object");
      for (size_t i = 0; i < map.keys.size(); ++i) {
        if (!map.items[i].is_object() && !map.items[i].is_bool()) continue;
        const FormulaId then =
            formulas_.place(document_, document_.child(place, keyword, map.keys[i], map.items[i]));
        narrow(of(formulas_.any({formulas_.lacks(map.keys[i]), then})));
      }
    }
  return shape;
}

ValueShape Shapes::constant_shape(const JsonValue& value) {
  ValueShape shape;
  switch (value.kind) {
    case Kind::kNull:
      shape.has_null = true;
      break;
    case Kind::kTrue:
      shape.has_true = true;
      break;
    case Kind::kFalse:
      shape.has_false = true;
      break;
    case Kind::kNumber: {
      const auto number = Decimal::parse(value.text);
      if (!number) refuse("the number " + value.text + " has too many digits");
      shape.number = numbers_.exactly(*number);
      break;
    }
    case Kind::kString:
      shape.string = pool_.text(value.text);
      break;
    case Kind::kArray: {
      ArrayShape array{.items = Formulas::kNever};
      for (const JsonValue& item : value.items) array.prefix.push_back(formulas_.constant(item));
      array.min = array.max = static_cast<uint32_t>(value.items.size());
      shape.arrays.push_back(std::move(array));
      break;
    }
    case Kind::kObject: {
      ObjectShape object;
      for (size_t i = 0; i < value.keys.size(); ++i)
        object.properties.push_back({value.keys[i], formulas_.constant(value.items[i]), true});
      shape.objects.push_back(std::move(object));
      break;
    }
  }
  return shape;
}

ValueShape Shapes::enumeration(const std::vector<JsonValue>& values) {
  ValueShape shape;
  std::vector<std::string> texts;
  std::vector<ExprId> numbers;
  for (const JsonValue& value : values) {
    if (value.is_string()) {
      texts.push_back(value.text);
    } else if (value.is(Kind::kNumber)) {
      numbers.push_back(constant_shape(value).number);
    } else {
      shape = unite(shape, constant_shape(value));
    }
  }
  shape.string = pool_.literals(texts);
  shape.number = pool_.either(numbers);
  return shape;
}

}  // namespace hadal::grammar
