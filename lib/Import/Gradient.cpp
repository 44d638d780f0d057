//===- Gradient.cpp - the operator Gradient -------------------------------===//
//
// Gradient (ai.onnx.preview.training) names values of its graph: y, and the xs that y is to be
// derived by. It is replaced by the nodes that a reversed walk from y to the xs makes: each
// operator on the way adds what its rule says.
//
//===----------------------------------------------------------------------===//
#include "Error.h"
#include "GradientRules.h"
#include "Prepare.h"
#include "Upgrade.h"

#include <onnx/defs/parser.h>

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <set>

using namespace dougong::importer;

namespace {

/// The domain of the functions that hold the rules' nodes.
constexpr const char *gradientDomain = "dougong.gradient";

/// Calls `visit` for every value that the node reads, in the graphs that it holds too.
void forEachRead(const pb::NodeProto &node, llvm::function_ref<void(const std::string &)> visit) {
  for (const std::string &input : node.input())
    if (!input.empty())
      visit(input);
  for (const pb::AttributeProto &attribute : node.attribute()) {
    for (const pb::NodeProto &inner : attribute.g().node())
      forEachRead(inner, visit);
    for (const pb::ValueInfoProto &output : attribute.g().output())
      visit(output.name());
  }
}

/// "float[2,n]", for messages.
std::string printType(const Types &types, const std::string &value) {
  auto found = types.find(value);
  if (found == types.end() || !found->second.has_tensor_type())
    return "a value of unknown type";
  const pb::TypeProto::Tensor &type = found->second.tensor_type();
  std::string dims;
  for (const auto &dim : type.shape().dim())
    dims += (dims.empty() ? "" : ",") +
            (dim.has_dim_value() ? std::to_string(dim.dim_value()) : dim.dim_param());
  return pb::PrimitiveTypeNameMap::ToString(type.elem_type()) +
         (type.has_shape() ? "[" + dims + "]" : " of unknown rank");
}

/// Whether two values are tensors of one type whose extents are the same numbers, or
/// both are left to the run.
bool haveOneType(const Types &types, const std::string &a, const std::string &b) {
  auto first = types.find(a), second = types.find(b);
  if (first == types.end() || second == types.end() || !first->second.has_tensor_type() ||
      !second->second.has_tensor_type())
    return false;
  const auto &left = first->second.tensor_type(), &right = second->second.tensor_type();
  if (left.elem_type() != right.elem_type() || !left.has_shape() || !right.has_shape() ||
      left.shape().dim_size() != right.shape().dim_size())
    return false;
  for (int i = 0; i < left.shape().dim_size(); ++i)
    if (left.shape().dim(i).has_dim_value() != right.shape().dim(i).has_dim_value() ||
        left.shape().dim(i).dim_value() != right.shape().dim(i).dim_value())
      return false;
  return true;
}

std::vector<std::string> getNames(const pb::NodeProto &node, llvm::StringRef attribute) {
  for (const pb::AttributeProto &given : node.attribute())
    if (given.name() == attribute)
      return {given.strings().begin(), given.strings().end()};
  return {};
}

/// What one Gradient operator becomes.
class Differentiation {
public:
  Differentiation(pb::ModelProto &model, const pb::GraphProto &graph, int index, const Types &types)
      : model(model), graph(graph), gradient(graph.node(index)), types(types),
        xs(getNames(gradient, "xs")), zs(getNames(gradient, "zs")) {
    for (const pb::AttributeProto &attribute : gradient.attribute())
      if (attribute.name() == "y")
        y = attribute.s();
    check(index);
    findPath(index);
  }

  /// Nodes on the way from the xs to y, in order.
  const std::vector<const pb::NodeProto *> &getPath() const { return path; }

  /// The nodes that take the operator's place.
  std::vector<pb::NodeProto> write();

private:
  [[noreturn]] void refuse(const std::string &message) const {
    throw ImportError(message, gradient.name());
  }
  void check(int index) const;
  void findPath(int index);
  void copyForward();
  void differentiate(const pb::NodeProto &node);

  /// Whether the value may hold real numbers: others change in steps.
  bool mayBeReal(const std::string &value) const {
    auto found = types.find(value);
    return found == types.end() || !found->second.has_tensor_type() ||
           isRealType(found->second.tensor_type().elem_type());
  }
  std::string rename(const std::string &value) const {
    auto found = renamed.find(value);
    return found == renamed.end() ? value : found->second;
  }
  pb::NodeProto &add(const char *op, std::vector<std::string> inputs, const std::string &output) {
    pb::NodeProto &node = nodes.emplace_back();
    node.set_op_type(op);
    node.set_name(fmt::format("{}/{}_{}", gradient.name(), op, nodes.size()));
    for (std::string &input : inputs)
      node.add_input(std::move(input));
    node.add_output(output);
    return node;
  }
  std::string fresh() { return fmt::format("{}/value_{}", gradient.name(), count++); }
  /// A tensor of the shape and type of `value` that is filled with a number.
  std::string fill(const std::string &value, float number);
  /// The gradient of a value: the sum of what its readers added.
  std::string collect(const std::string &value);

  pb::ModelProto &model;
  const pb::GraphProto &graph;
  const pb::NodeProto &gradient;
  const Types &types;
  std::vector<std::string> xs, zs;
  std::string y;
  std::vector<const pb::NodeProto *> path;    ///< on the way from the xs to y
  std::vector<const pb::NodeProto *> forward; ///< all that y is made of
  std::set<std::string> depending;            ///< values that change with the xs
  std::map<std::string, std::string> renamed; ///< where y is computed at other values
  std::map<std::string, std::vector<std::string>> gradients;
  std::vector<pb::NodeProto> nodes;
  int count = 0;
};

void Differentiation::check(int index) const {
  if (y.empty() || xs.empty())
    refuse("attributes xs and y are empty, expected names of values");
  size_t expected = xs.size() + zs.size();
  if (static_cast<size_t>(gradient.input_size()) != expected)
    refuse(fmt::format("it has {} inputs, expected one for each of {} names in xs and zs",
                       gradient.input_size(), expected));
  if (static_cast<size_t>(gradient.output_size()) > xs.size())
    refuse(fmt::format("it has {} outputs, expected at most one for each of {} names in xs",
                       gradient.output_size(), xs.size()));
  // Values of a graph around this one may depend on the xs on ways that this one does not show.
  std::set<std::string> made;
  for (const pb::ValueInfoProto &input : graph.input())
    made.insert(input.name());
  for (const pb::TensorProto &tensor : graph.initializer())
    made.insert(tensor.name());
  for (int i = 0; i < index; ++i)
    made.insert(graph.node(i).output().begin(), graph.node(i).output().end());
  auto expectMade = [&](const char *attribute, const std::string &name) {
    if (!made.count(name))
      refuse(fmt::format("{} names '{}', expected a value of the graph that holds the operator, "
                         "made before it",
                         attribute, name));
  };
  for (const std::string &name : xs)
    expectMade("xs", name);
  for (size_t i = 0; i < zs.size(); ++i)
    if (gradient.input(xs.size() + i) != zs[i])
      expectMade("zs", zs[i]);
  expectMade("y", y);
}

void Differentiation::findPath(int index) {
  std::set<std::string> ends(xs.begin(), xs.end()), needed = {y};
  ends.insert(zs.begin(), zs.end());
  for (int i = index; i-- > 0;) {
    const pb::NodeProto &node = graph.node(i);
    bool isNeeded = llvm::any_of(node.output(), [&](const std::string &output) {
      return needed.count(output) && !ends.count(output);
    });
    if (!isNeeded)
      continue;
    forward.push_back(&node);
    forEachRead(node, [&](const std::string &value) { needed.insert(value); });
  }
  std::reverse(forward.begin(), forward.end());
  depending.insert(xs.begin(), xs.end());
  for (const pb::NodeProto *node : forward) {
    bool reads = false;
    forEachRead(*node, [&](const std::string &value) { reads |= depending.count(value) != 0; });
    if (!reads)
      continue;
    path.push_back(node);
    for (const std::string &output : node->output())
      if (!ends.count(output) && mayBeReal(output))
        depending.insert(output);
  }
}

/// Where the operator's inputs are not the values that it names, y is computed anew.
void Differentiation::copyForward() {
  std::vector<std::string> names = xs;
  names.insert(names.end(), zs.begin(), zs.end());
  bool isElsewhere = false;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string &value = gradient.input(i);
    isElsewhere |= value != names[i];
    // The rules are those of the named values' shapes.
    if (value != names[i] && !haveOneType(types, value, names[i]))
      refuse(fmt::format("input {} ('{}') is {}, expected {}, the type of '{}'", i, value,
                         printType(types, value), printType(types, names[i]), names[i]));
    renamed[names[i]] = value;
  }
  if (!isElsewhere)
    return renamed.clear();
  for (const pb::NodeProto *node : forward) {
    if (llvm::any_of(node->attribute(), [](const auto &given) { return given.has_g(); }))
      refuse("node '" + node->name() + "' holds a graph, whose gradient is not known");
    pb::NodeProto copy = *node;
    copy.set_name(gradient.name() + "/" + node->name());
    for (std::string &input : *copy.mutable_input())
      input = rename(input);
    for (std::string &output : *copy.mutable_output())
      if (!output.empty() && !renamed.count(output))
        output = renamed[output] = fresh();
      else if (!output.empty())
        output = fresh(); // one of the names: its value is given
    nodes.push_back(std::move(copy));
  }
}

std::string Differentiation::fill(const std::string &value, float number) {
  std::string shape = fresh(), plain = fresh(), filled = fresh();
  add("Shape", {value}, shape);
  pb::AttributeProto *attribute = add("ConstantOfShape", {shape}, plain).add_attribute();
  attribute->set_name("value");
  attribute->set_type(pb::AttributeProto::TENSOR);
  attribute->mutable_t()->set_data_type(pb::TensorProto::FLOAT);
  attribute->mutable_t()->add_dims(1);
  attribute->mutable_t()->add_float_data(number);
  add("CastLike", {plain, value}, filled);
  return filled;
}

std::string Differentiation::collect(const std::string &value) {
  auto found = gradients.find(value);
  if (found == gradients.end())
    return fill(rename(value), 0);
  std::vector<std::string> &parts = found->second;
  if (parts.size() > 1) {
    std::string sum = fresh();
    add("Sum", parts, sum);
    parts = {sum};
  }
  return parts.front();
}

void Differentiation::differentiate(const pb::NodeProto &node) {
  bool isReached = llvm::any_of(
      node.output(), [&](const std::string &output) { return gradients.count(output) != 0; });
  if (!isReached)
    return;
  std::optional<GradientRule> rule = getGradientRule(node, types);
  if (!rule)
    refuse("the gradient of operator " + node.op_type() + " (node '" + node.name() +
           "') is not known");
  if (rule->inputs.empty())
    return;
  // A call of a function that holds the rule's nodes: inlining names their values.
  std::vector<std::string> parameters, results;
  pb::NodeProto call;
  call.set_name(fmt::format("{}/{}", gradient.name(), node.name()));
  auto pass = [&](const std::string &parameter, const std::string &value) {
    parameters.push_back(parameter);
    call.add_input(value);
  };
  for (int i = 0; i < node.input_size(); ++i)
    pass("i" + std::to_string(i), rename(node.input(i)));
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty()) {
      pass("o" + std::to_string(i), rename(node.output(i)));
      pass("d" + std::to_string(i), collect(node.output(i)));
    }
  for (int input : rule->inputs) {
    results.push_back("g" + std::to_string(input));
    std::string value = fresh();
    call.add_output(value);
    if (depending.count(node.input(input)))
      gradients[node.input(input)].push_back(value);
  }
  pb::FunctionProto body = parseBody(node, model, parameters, results, rule->nodes);
  body.set_domain(gradientDomain);
  body.set_name(fmt::format("{}_{}", node.op_type(), model.functions_size()));
  nameNodes(*body.mutable_node(), call.name());
  call.set_domain(body.domain());
  call.set_op_type(body.name());
  *model.add_functions() = std::move(body);
  nodes.push_back(std::move(call));
}

std::vector<pb::NodeProto> Differentiation::write() {
  copyForward();
  gradients[y].push_back(fill(rename(y), 1));
  for (const pb::NodeProto *node : llvm::reverse(path))
    differentiate(*node);
  for (int i = 0; i < gradient.output_size(); ++i)
    if (!gradient.output(i).empty())
      add("Identity", {collect(xs[i])}, gradient.output(i));
  return std::move(nodes);
}

/// Calls `visit` with the first Gradient operator of the model; false if there is none.
bool visitGradient(pb::ModelProto &model,
                   llvm::function_ref<void(pb::GraphProto &, int index, const Types &)> visit) {
  bool found = false;
  Types types;
  forEachGraph(*model.mutable_graph(), [&](pb::GraphProto &graph) {
    addTypes(graph, types);
    auto node = llvm::find_if(graph.node(), isGradient);
    if (found || node == graph.node().end())
      return;
    found = true;
    visit(graph, static_cast<int>(node - graph.node().begin()), types);
  });
  return found;
}

/// Operators on the first one's way that have no rule are written out, if ONNX says how.
void writeOutPath(pb::ModelProto &model, mlir::MLIRContext *context) {
  std::set<std::string> tried, names;
  do {
    names.clear();
    visitGradient(model, [&](pb::GraphProto &graph, int index, const Types &types) {
      Differentiation differentiation(model, graph, index, types);
      for (const pb::NodeProto *node : differentiation.getPath())
        if (!hasGradientRule(*node) && tried.insert(node->name()).second)
          names.insert(node->name());
    });
    expandNodes(model, context,
                [&](const pb::NodeProto &node) { return names.count(node.name()) != 0; });
    inferTypes(model, context);
  } while (!names.empty());
}

} // namespace

void dougong::importer::expandGradients(pb::ModelProto &model, mlir::MLIRContext *context) {
  bool isUsed = false;
  visitGradient(model, [&](auto &&...) { isUsed = true; });
  // One at a time: y may be what another one makes.
  while (isUsed) {
    inferTypes(model, context);
    writeOutPath(model, context);
    isUsed = visitGradient(model, [&](pb::GraphProto &graph, int index, const Types &types) {
      std::vector<pb::NodeProto> nodes = Differentiation(model, graph, index, types).write();
      NodeList list;
      for (int i = 0; i < graph.node_size(); ++i)
        if (i != index)
          *list.Add() = graph.node(i);
        else
          list.Add(std::make_move_iterator(nodes.begin()), std::make_move_iterator(nodes.end()));
      graph.mutable_node()->Swap(&list);
    });
    importDomain(model, gradientDomain);
    inlineFunctions(model, context);
  }
}
