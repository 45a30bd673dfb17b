// And, or, not and exactly-one of shapes.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "sample/grammar/json_shapes.h"

namespace hadal::grammar {
namespace {

constexpr int kLookAhead = 3;
constexpr size_t kMostShapes = 3000;  // alternatives of one value
constexpr size_t kMostContains = 3;
constexpr size_t kMostNeeds = 4;
constexpr int64_t kMostWork = 300'000;  // shapes intersected in one schema

template <class Shape>
void add_unless_there(std::vector<Shape>& shapes, Shape shape) {
  if (std::ranges::find(shapes, shape) == shapes.end()) shapes.push_back(std::move(shape));
}

}  // namespace

void Shapes::spend() {
  if (++work_ > kMostWork) refuse("too many combinations of alternatives");
}

ValueShape Shapes::any() const {
  ValueShape shape{.has_null = true, .has_true = true, .has_false = true};
  shape.number = numbers_.number();
  shape.string = ExprPool::kAll;
  shape.objects.push_back(ObjectShape::any());
  shape.arrays.push_back({});
  return shape;
}

ObjectShape Shapes::intersect(const ObjectShape& a, const ObjectShape& b) {
  spend();
  ObjectShape both;
  std::unordered_map<std::string_view, size_t> of_b;
  for (size_t i = 0; i < b.properties.size(); ++i) of_b.emplace(b.properties[i].name, i);
  std::unordered_map<std::string_view, size_t> merged;
  for (const ObjectShape::Property& property : a.properties) {
    ObjectShape::Property one = property;
    if (const auto found = of_b.find(property.name); found != of_b.end()) {
      const ObjectShape::Property& other = b.properties[found->second];
      one.value = formulas_.all({one.value, other.value});
      one.required |= other.required;
    } else {
      one.value = formulas_.all({one.value, this->other(b, property.name)});
    }
    merged.emplace(property.name, both.properties.size());
    both.properties.push_back(std::move(one));
  }
  for (const ObjectShape::Property& property : b.properties) {
    if (merged.contains(property.name)) continue;
    ObjectShape::Property one = property;
    one.value = formulas_.all({one.value, this->other(a, property.name)});
    merged.emplace(property.name, both.properties.size());
    both.properties.push_back(std::move(one));
  }
  for (const ObjectShape::KeyClass& one : a.others)
    for (const ObjectShape::KeyClass& other : b.others) {
      const ExprId keys = pool_.both({one.keys, other.keys});
      const FormulaId value = formulas_.all({one.value, other.value});
      if (value != Formulas::kNever && !pool_.empty(keys)) both.others.push_back({keys, value});
    }
  both.needs = a.needs;
  for (const ObjectShape::KeyClass& need : b.needs) add_unless_there(both.needs, need);
  if (both.needs.size() > kMostNeeds) refuse("more than four conditions that some key has to meet");
  for (const ObjectShape* shape : {&a, &b})
    for (const auto& [first, second] : shape->dependent) {
      const std::pair pair{static_cast<uint32_t>(merged.at(shape->properties[first].name)),
                           static_cast<uint32_t>(merged.at(shape->properties[second].name))};
      add_unless_there(both.dependent, pair);
    }
  both.min = std::max(a.min, b.min);
  both.max = std::min(a.max, b.max);
  return both;
}

ArrayShape Shapes::intersect(const ArrayShape& a, const ArrayShape& b) {
  spend();
  ArrayShape both{
      .min = std::max(a.min, b.min), .max = std::min(a.max, b.max), .unique = a.unique ? a.unique : b.unique};
  for (size_t i = 0; i < std::max(a.prefix.size(), b.prefix.size()); ++i)
    both.prefix.push_back(formulas_.all({a.at(i), b.at(i)}));
  both.items = formulas_.all({a.items, b.items});
  both.contains = a.contains;
  for (const ArrayShape::Contains& contains : b.contains) add_unless_there(both.contains, contains);
  if (both.contains.size() > kMostContains) refuse("more than three conditions on what an array contains");
  return both;
}

ValueShape Shapes::intersect(const ValueShape& a, const ValueShape& b) {
  ValueShape both{.has_null = a.has_null && b.has_null,
                  .has_true = a.has_true && b.has_true,
                  .has_false = a.has_false && b.has_false};
  both.number = pool_.both({a.number, b.number});
  both.string = pool_.both({a.string, b.string});
  for (const ObjectShape& x : a.objects)
    for (const ObjectShape& y : b.objects)
      if (ObjectShape shape = intersect(x, y); !surely_empty(shape, kLookAhead))
        add_unless_there(both.objects, std::move(shape));
  for (const ArrayShape& x : a.arrays)
    for (const ArrayShape& y : b.arrays)
      if (ArrayShape shape = intersect(x, y); !surely_empty(shape, kLookAhead))
        add_unless_there(both.arrays, std::move(shape));
  if (std::max(both.objects.size(), both.arrays.size()) > kMostShapes)
    refuse("too many combinations of alternatives");
  return both;
}

ValueShape Shapes::unite(const ValueShape& a, const ValueShape& b) {
  ValueShape either = a;
  either.has_null |= b.has_null;
  either.has_true |= b.has_true;
  either.has_false |= b.has_false;
  either.number = pool_.either({a.number, b.number});
  either.string = pool_.either({a.string, b.string});
  for (const ObjectShape& shape : b.objects) add_unless_there(either.objects, shape);
  for (const ArrayShape& shape : b.arrays) add_unless_there(either.arrays, shape);
  if (std::max(either.objects.size(), either.arrays.size()) > kMostShapes) refuse("too many alternatives");
  return either;
}

// One shape for each way of not being this one.
std::vector<ObjectShape> Shapes::negate(const ObjectShape& shape) {
  std::vector<ObjectShape> ways;
  std::vector<std::string> names;
  const auto with = [](std::string name, FormulaId value, bool required) {
    ObjectShape way = ObjectShape::any();
    way.properties.push_back({std::move(name), value, required});
    return way;
  };
  for (const ObjectShape::Property& property : shape.properties) {
    names.push_back(property.name);
    if (property.required) ways.push_back(with(property.name, Formulas::kNever, false));
    if (property.value != Formulas::kAlways)
      ways.push_back(with(property.name, formulas_.negation(property.value), true));
  }
  const auto with_need = [&ways](ExprId keys, FormulaId value) {
    ObjectShape way = ObjectShape::any();
    way.needs.push_back({keys, value});
    ways.push_back(std::move(way));
  };
  const ExprId undeclared = pool_.negate(pool_.literals(names));
  ExprId allowed = ExprPool::kNone;
  for (const ObjectShape::KeyClass& one : shape.others) {
    allowed = pool_.either({allowed, one.keys});
    if (one.value != Formulas::kAlways)
      with_need(pool_.both({one.keys, undeclared}), formulas_.negation(one.value));
  }
  const ExprId forbidden = pool_.both({undeclared, pool_.negate(allowed)});
  if (!pool_.empty(forbidden)) with_need(forbidden, Formulas::kAlways);
  for (const ObjectShape::KeyClass& need : shape.needs) {
    ObjectShape way;
    way.others = {{need.keys, formulas_.negation(need.value)}, {pool_.negate(need.keys), Formulas::kAlways}};
    std::erase_if(way.others, [this](const ObjectShape::KeyClass& one) {
      return one.value == Formulas::kNever || pool_.empty(one.keys);
    });
    ways.push_back(std::move(way));
  }
  for (const auto& [first, second] : shape.dependent) {
    ObjectShape way = with(shape.properties[first].name, Formulas::kAlways, true);
    way.properties.push_back({shape.properties[second].name, Formulas::kNever, false});
    ways.push_back(std::move(way));
  }
  if (shape.min > 0) ways.push_back(ObjectShape::any()), ways.back().max = shape.min - 1;
  if (shape.max != kNoLimit) ways.push_back(ObjectShape::any()), ways.back().min = shape.max + 1;
  return ways;
}

std::vector<ArrayShape> Shapes::negate(const ArrayShape& shape) {
  std::vector<ArrayShape> ways;
  if (shape.unique && shape.max > 1) refuse("an array that repeats an element cannot be asked for");
  for (size_t i = 0; i < shape.prefix.size(); ++i) {
    if (shape.prefix[i] == Formulas::kAlways) continue;
    ArrayShape way{.min = static_cast<uint32_t>(i + 1)};
    way.prefix.assign(i, Formulas::kAlways);
    way.prefix.push_back(formulas_.negation(shape.prefix[i]));
    ways.push_back(std::move(way));
  }
  if (shape.items == Formulas::kNever) {
    ways.push_back({.min = static_cast<uint32_t>(shape.prefix.size() + 1)});
  } else if (shape.items != Formulas::kAlways) {
    if (!shape.prefix.empty()) refuse("not all elements after the first few: cannot be asked for");
    ArrayShape way;
    way.contains.push_back({.value = formulas_.negation(shape.items)});
    ways.push_back(std::move(way));
  }
  for (const ArrayShape::Contains& contains : shape.contains) {
    if (contains.min > 0) {
      ArrayShape way;
      if (contains.min == 1)
        way.items = formulas_.negation(contains.value);
      else
        way.contains.push_back({.value = contains.value, .min = 0, .max = contains.min - 1});
      ways.push_back(std::move(way));
    }
    if (contains.max != kNoLimit) {
      ArrayShape way;
      way.contains.push_back({.value = contains.value, .min = contains.max + 1});
      ways.push_back(std::move(way));
    }
  }
  if (shape.min > 0) ways.push_back({.max = shape.min - 1});
  if (shape.max != kNoLimit) ways.push_back({.min = shape.max + 1});
  return ways;
}

// What is in one of the shapes and not in `taken`.
template <class Shape>
std::vector<Shape> Shapes::without(std::vector<Shape> shapes, const Shape& taken) {
  std::vector<Shape> rest;
  std::vector<Shape> ways;
  bool has_ways = false;
  for (Shape& shape : shapes) {
    if (surely_empty(intersect(shape, taken), kLookAhead)) {
      add_unless_there(rest, std::move(shape));
      continue;
    }
    if (!has_ways) ways = negate(taken), has_ways = true;
    for (const Shape& way : ways)
      if (Shape narrowed = intersect(shape, way); !surely_empty(narrowed, kLookAhead))
        add_unless_there(rest, std::move(narrowed));
    if (rest.size() > kMostShapes) refuse("the alternatives overlap in too many ways to be told apart");
  }
  return rest;
}

ValueShape Shapes::negate(const ValueShape& shape) {
  ValueShape rest = any();
  rest.has_null = !shape.has_null;
  rest.has_true = !shape.has_true;
  rest.has_false = !shape.has_false;
  if (shape.number == numbers_.number())
    rest.number = ExprPool::kNone;
  else if (shape.number != ExprPool::kNone)  // an exponent could hide a number that is taken
    rest.number = pool_.both({numbers_.plain(), pool_.negate(shape.number)});
  rest.string = pool_.negate(shape.string);
  for (const ObjectShape& taken : shape.objects) rest.objects = without(std::move(rest.objects), taken);
  for (const ArrayShape& taken : shape.arrays) rest.arrays = without(std::move(rest.arrays), taken);
  return rest;
}

template <class Shape>
std::vector<Shape> Shapes::exactly_one_of(const std::vector<const std::vector<Shape>*>& choices) {
  std::vector<Shape> one;
  for (size_t i = 0; i < choices.size(); ++i) {
    std::vector<Shape> rest = *choices[i];
    for (size_t j = 0; j < choices.size(); ++j)
      for (size_t k = 0; j != i && k < choices[j]->size() && !rest.empty(); ++k)
        rest = without(std::move(rest), (*choices[j])[k]);
    for (Shape& shape : rest) add_unless_there(one, std::move(shape));
  }
  return one;
}

ValueShape Shapes::exactly_one(const std::vector<ValueShape>& shapes) {
  const auto once = [&shapes](bool ValueShape::* has) {
    return std::ranges::count_if(shapes, [has](const ValueShape& shape) { return shape.*has; }) == 1;
  };
  const auto language = [&](ExprId ValueShape::* which, bool is_number) {
    std::vector<ExprId> ways;
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (shapes[i].*which == ExprPool::kNone) continue;
      std::vector<ExprId> others;
      for (size_t j = 0; j < shapes.size(); ++j)
        if (j != i && shapes[j].*which != ExprPool::kNone) others.push_back(shapes[j].*which);
      if (others.empty()) {
        ways.push_back(shapes[i].*which);
        continue;
      }
      const ExprId taken = pool_.either(others);
      if (taken == shapes[i].*which) continue;
      ways.push_back(
          pool_.both({shapes[i].*which, pool_.negate(taken), is_number ? numbers_.plain() : ExprPool::kAll}));
    }
    return pool_.either(ways);
  };
  ValueShape one{.has_null = once(&ValueShape::has_null),
                 .has_true = once(&ValueShape::has_true),
                 .has_false = once(&ValueShape::has_false)};
  one.number = language(&ValueShape::number, true);
  one.string = language(&ValueShape::string, false);
  std::vector<const std::vector<ObjectShape>*> objects;
  std::vector<const std::vector<ArrayShape>*> arrays;
  for (const ValueShape& shape : shapes) objects.push_back(&shape.objects), arrays.push_back(&shape.arrays);
  one.objects = exactly_one_of(objects);
  one.arrays = exactly_one_of(arrays);
  return one;
}

}  // namespace hadal::grammar
