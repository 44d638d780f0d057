//===- Upgrade.cpp - nodes at the newest opset ----------------------------===//
#include "Upgrade.h"
#include "Error.h"
#include "LibraryMessage.h"

#include <onnx/version_converter/adapters/compatible.h>
// Its constructor lists all adapters, inline: optimising that takes 10 s.
#pragma clang optimize off
#include <onnx/version_converter/convert.h>
#pragma clang optimize on

#include <memory>
#include <unordered_map>
#include <unordered_set>

using namespace dougong::importer;

namespace {

/// The library's converter, with a look at its table of adapters.
class Converter : public pb::version_conversion::DefaultVersionConverter {
public:
  /// Whether a node of operator `opType` is to be changed on the way from opset
  /// `from` to `to`: not if every newer definition accepts it as it is.
  bool changes(const std::string &opType, int64_t from, int64_t to) const {
    auto op = all_schemas.find(opType);
    if (op == all_schemas.end())
      return false;
    auto versions = op->second.find("");
    if (versions == op->second.end())
      return false;
    for (auto it = versions->second.upper_bound(from); it != versions->second.end(); ++it) {
      if (it->first > to)
        break;
      const auto *adapter = find(opType, it->first - 1, it->first);
      // Without an adapter, converting tells why it cannot.
      if (!adapter || !dynamic_cast<const pb::version_conversion::CompatibleAdapter *>(adapter))
        return true;
    }
    return false;
  }

private:
  const pb::version_conversion::Adapter *find(const std::string &opType, int64_t from,
                                              int64_t to) const {
    auto op = adapters.find(opType);
    if (op == adapters.end())
      return nullptr;
    auto source = op->second.find(pb::OpSetID(from).toString());
    if (source == op->second.end())
      return nullptr;
    auto target = source->second.find(pb::OpSetID(to).toString());
    return target == source->second.end() ? nullptr : target->second.get();
  }
};

/// Values of a graph and of the graphs around it.
struct Scope {
  const Scope *parent = nullptr;
  std::unordered_map<std::string, const pb::TypeProto *> types;
  std::unordered_map<std::string, const pb::TensorProto *> initializers;
  std::unordered_map<std::string, const pb::NodeProto *> constants; ///< Constant nodes

  template <typename T>
  const T *find(std::unordered_map<std::string, const T *> Scope::*table,
                const std::string &name) const {
    for (const Scope *scope = this; scope; scope = scope->parent)
      if (auto it = (scope->*table).find(name); it != (scope->*table).end())
        return it->second;
    return nullptr;
  }
};

class Upgrader {
public:
  explicit Upgrader(pb::ModelProto &model) : model(model), from(getOpsetVersion(model, "")) {}

  bool needsWork() {
    bool any = false;
    forEachGraph(*model.mutable_graph(), [&](pb::GraphProto &graph) {
      for (const pb::NodeProto &node : graph.node())
        any |= changes(node) || isBatchedScan(node) || hasOldBroadcast(node);
    });
    return any;
  }

  void run() {
    forEachGraph(*model.mutable_graph(), [&](pb::GraphProto &graph) {
      for (const pb::NodeProto &node : graph.node())
        names.insert(node.output().begin(), node.output().end());
      for (const pb::ValueInfoProto &input : graph.input())
        names.insert(input.name());
      for (const pb::TensorProto &tensor : graph.initializer())
        names.insert(tensor.name());
    });
    upgrade(*model.mutable_graph(), nullptr);
  }

private:
  bool isBatchedScan(const pb::NodeProto &node) const {
    return from == 8 && node.domain().empty() && node.op_type() == "Scan";
  }

  /// Whether the node broadcasts by rules of its own, as operators did before opset 7.
  bool hasOldBroadcast(const pb::NodeProto &node) const {
    static const std::unordered_set<std::string> operators = {
        "Add", "And", "Div",   "Equal", "Gemm", "Greater", "Less",
        "Mul", "Or",  "PRelu", "Pow",   "Sub",  "Xor"};
    return from < 7 && node.domain().empty() && operators.count(node.op_type());
  }

  /// The opset that `node` is of when the library's converter gets it.
  int64_t getStart(const pb::NodeProto &node) const {
    return isBatchedScan(node) ? 9 : hasOldBroadcast(node) ? 7 : from;
  }

  /// Scan of opset 8 works on batches, along axis 1. The library's adapter
  /// takes the batch from the model's own inputs and outputs; here a Scan over
  /// the batch holds the Scan over the sequence.
  void splitBatch(pb::NodeProto &node, int index) {
    if (node.input_size() != 0 && !node.input(0).empty())
      throw ImportError("Scan of opset 8 with sequence_lens cannot be brought to a newer opset",
                        node.name(), index);
    pb::NodeProto inner = node;
    for (pb::AttributeProto &attribute : *inner.mutable_attribute())
      if (attribute.name() == "directions")
        attribute.set_name("scan_input_directions");
    inner.clear_device_configurations();
    inner.set_name(node.name() + "/sequence");
    inner.clear_input();
    inner.clear_output();

    pb::GraphProto body;
    body.set_name(node.name() + "/batch");
    auto makeName = [&](const char *kind, int number) {
      std::string name = body.name() + kind + std::to_string(number);
      while (!names.insert(name).second)
        name += "_";
      return name;
    };
    for (int input = 1; input < node.input_size(); ++input) {
      std::string name = makeName("/in", input - 1);
      body.add_input()->set_name(name);
      inner.add_input(name);
    }
    for (int output = 0; output < node.output_size(); ++output) {
      std::string name = makeName("/out", output);
      body.add_output()->set_name(name);
      inner.add_output(name);
    }
    body.add_node()->Swap(&inner);

    node.mutable_input()->erase(node.mutable_input()->begin());
    node.clear_attribute();
    pb::AttributeProto *graph = node.add_attribute();
    graph->set_name("body");
    graph->set_type(pb::AttributeProto::GRAPH);
    graph->mutable_g()->Swap(&body);
    pb::AttributeProto *count = node.add_attribute();
    count->set_name("num_scan_inputs");
    count->set_type(pb::AttributeProto::INT);
    count->set_i(node.input_size());
  }

  bool changes(const pb::NodeProto &node) {
    if (!node.domain().empty() || from == 0 || from >= newestOpset)
      return false;
    auto [it, inserted] = changed.try_emplace(node.op_type());
    if (inserted)
      it->second = converter.changes(node.op_type(), getStart(node), newestOpset);
    return it->second;
  }

  void upgrade(pb::GraphProto &graph, const Scope *parent) {
    Scope scope;
    scope.parent = parent;
    auto addTypes = [&](const auto &infos) {
      for (const pb::ValueInfoProto &info : infos)
        if (info.has_type())
          scope.types.emplace(info.name(), &info.type());
    };
    addTypes(graph.input());
    addTypes(graph.output());
    addTypes(graph.value_info());
    for (const pb::TensorProto &tensor : graph.initializer())
      scope.initializers.emplace(tensor.name(), &tensor);

    NodeList old;
    old.Swap(graph.mutable_node());
    graph.mutable_node()->Reserve(old.size());
    for (int index = 0; index < old.size(); ++index) {
      pb::NodeProto &node = old[index];
      if (node.op_type() == "Constant" && node.domain().empty() && node.output_size() == 1)
        scope.constants.emplace(node.output(0), &node);
      bool batched = isBatchedScan(node);
      if (batched)
        splitBatch(node, index);
      if (hasOldBroadcast(node))
        alignOperand(node, index, graph, scope);
      if (changes(node)) {
        convert(node, index, graph, scope);
        continue;
      }
      for (pb::AttributeProto &attribute : *node.mutable_attribute()) {
        // The Scan inside is split already: go on with its body.
        if (batched && attribute.has_g())
          upgrade(*attribute.mutable_g()->mutable_node(0)->mutable_attribute(), scope);
        else if (attribute.has_g())
          upgrade(*attribute.mutable_g(), &scope);
        for (pb::GraphProto &inner : *attribute.mutable_graphs())
          upgrade(inner, &scope);
      }
      // Swapped, not copied; `constants` keeps pointing at the moved message.
      pb::NodeProto *moved = graph.add_node();
      moved->Swap(&node);
      if (auto it = moved->output_size() == 1 ? scope.constants.find(moved->output(0))
                                              : scope.constants.end();
          it != scope.constants.end() && it->second == &node)
        it->second = moved;
    }
  }

  void upgrade(google::protobuf::RepeatedPtrField<pb::AttributeProto> &attributes,
               const Scope &scope) {
    for (pb::AttributeProto &attribute : attributes)
      if (attribute.has_g())
        upgrade(*attribute.mutable_g(), &scope);
  }

  /// Converts one node in a model of its own, and puts the result in its place.
  void convert(const pb::NodeProto &node, int index, pb::GraphProto &graph, const Scope &scope) {
    int64_t start = getStart(node);
    pb::ModelProto single = makeModel(node, scope, start);
    pb::ModelProto converted;
    try {
      converted = converter.convert_version(single, pb::OpSetID(start), pb::OpSetID(newestOpset));
    } catch (const std::exception &error) {
      throw ImportError(node.op_type() + " cannot be brought from opset " + std::to_string(start) +
                            " to " + std::to_string(newestOpset) + ": " +
                            readLibraryMessage(error.what()).text,
                        node.name(), index);
    }
    splice(node, converted, graph);
  }

  /// The rank of a value, and its extent if the rank is 1 and it is known; -1 where not.
  static std::pair<int64_t, int64_t> getRank(const std::string &value, const Scope &scope) {
    if (const pb::TensorProto *tensor = scope.find(&Scope::initializers, value))
      return {tensor->dims_size(), tensor->dims_size() == 1 ? tensor->dims(0) : -1};
    const pb::TypeProto *type = scope.find(&Scope::types, value);
    if (!type || !type->tensor_type().has_shape())
      return {-1, -1};
    const auto &dims = type->tensor_type().shape().dim();
    bool isKnown = dims.size() == 1 && dims[0].has_dim_value();
    return {dims.size(), isKnown ? dims[0].dim_value() : -1};
  }

  /// Before opset 7 the second operand lay along `axis` of the first one (the slope of
  /// PRelu along axis 1), or was broadcast from the last axis on, as it is now. The
  /// library's adapters want static extents, and take `axis` to be 0.
  void alignOperand(pb::NodeProto &node, int index, pb::GraphProto &graph, const Scope &scope) {
    std::optional<int64_t> axis;
    bool broadcasts = node.op_type() == "PRelu";
    for (int i = node.attribute_size(); i-- > 0;) {
      const pb::AttributeProto &attribute = node.attribute(i);
      if (attribute.name() == "broadcast")
        broadcasts = attribute.i() != 0;
      else if (attribute.name() == "axis")
        axis = attribute.i();
      else if (attribute.name() != "consumed_inputs")
        continue;
      node.mutable_attribute()->DeleteSubrange(i, 1);
    }
    if (node.op_type() == "Gemm" || !broadcasts || node.input_size() < 2)
      return;
    auto [rank, ignored] = getRank(node.input(0), scope);
    auto [ownRank, extent] = getRank(node.input(1), scope);
    if (node.op_type() == "PRelu" && ownRank == 1 && extent != 1 && rank != 1)
      axis = 1;
    if (!axis || ownRank == 0)
      return;
    if (rank < 0 || ownRank < 0)
      throw ImportError(node.op_type() + " with an axis cannot be brought from opset " +
                            std::to_string(from) + " to " + std::to_string(newestOpset) +
                            ": the ranks of its inputs are not known",
                        node.name(), index);
    int64_t first = *axis < 0 ? *axis + rank : *axis;
    if (first < 0 || first + ownRank > rank)
      throw ImportError("axis " + std::to_string(*axis) + " is out of range for inputs of ranks " +
                            std::to_string(rank) + " and " + std::to_string(ownRank),
                        node.name(), index);
    if (first + ownRank == rank)
      return;
    auto makeName = [&](const char *kind) {
      std::string name = node.name() + "/" + kind;
      while (!names.insert(name).second)
        name += "_";
      return name;
    };
    pb::NodeProto *axes = graph.add_node();
    axes->set_op_type("Constant");
    axes->set_name(makeName("axes"));
    axes->add_output(axes->name());
    pb::AttributeProto *value = axes->add_attribute();
    value->set_name("value_ints");
    value->set_type(pb::AttributeProto::INTS);
    for (int64_t dim = ownRank; dim < rank - first; ++dim)
      value->add_ints(dim);
    pb::NodeProto *unsqueeze = graph.add_node();
    unsqueeze->set_op_type("Unsqueeze");
    unsqueeze->set_name(makeName("aligned"));
    unsqueeze->add_input(node.input(1));
    unsqueeze->add_input(axes->output(0));
    unsqueeze->add_output(unsqueeze->name());
    node.set_input(1, unsqueeze->output(0));
  }

  pb::ModelProto makeModel(const pb::NodeProto &node, const Scope &scope, int64_t opset) const {
    pb::ModelProto single;
    single.set_ir_version(10);
    *single.mutable_opset_import() = model.opset_import();
    for (pb::OperatorSetIdProto &entry : *single.mutable_opset_import())
      if (isDefaultDomain(entry.domain()))
        entry.set_version(opset);
    pb::GraphProto &graph = *single.mutable_graph();
    graph.set_name("node");
    std::unordered_set<std::string> seen;
    std::function<void(const pb::NodeProto &)> addInputs = [&](const pb::NodeProto &user) {
      for (const std::string &input : user.input())
        addInput(input, graph, scope, seen);
      // A name that a graph inside the node defines itself is not found here.
      for (const pb::AttributeProto &attribute : user.attribute())
        if (attribute.has_g())
          for (const pb::NodeProto &inner : attribute.g().node())
            addInputs(inner);
    };
    addInputs(node);
    *graph.add_node() = node;
    for (const std::string &output : node.output()) {
      if (output.empty())
        continue;
      pb::ValueInfoProto *info = graph.add_output();
      info->set_name(output);
      if (const pb::TypeProto *type = scope.find(&Scope::types, output))
        *info->mutable_type() = *type;
    }
    return single;
  }

  /// Adapters look at the values of constant inputs, and at the types of all.
  static void addInput(const std::string &name, pb::GraphProto &graph, const Scope &scope,
                       std::unordered_set<std::string> &seen) {
    if (name.empty() || !seen.insert(name).second)
      return;
    if (const pb::TensorProto *tensor = scope.find(&Scope::initializers, name)) {
      *graph.add_initializer() = *tensor;
      return;
    }
    const pb::NodeProto *constant = scope.find(&Scope::constants, name);
    if (constant)
      *graph.add_node() = *constant;
    pb::ValueInfoProto *info = constant ? graph.add_value_info() : graph.add_input();
    info->set_name(name);
    if (const pb::TypeProto *type = scope.find(&Scope::types, name))
      *info->mutable_type() = *type;
  }

  void splice(const pb::NodeProto &original, pb::ModelProto &converted, pb::GraphProto &graph) {
    pb::GraphProto &part = *converted.mutable_graph();
    std::unordered_set<std::string> own(original.output().begin(), original.output().end());
    // New values get names that say where they come from.
    std::unordered_map<std::string, std::string> renamed;
    auto define = [&](const std::string &name) {
      if (name.empty() || own.count(name))
        return name;
      std::string fresh;
      do
        fresh = original.name() + "/opset" + std::to_string(newestOpset) + "_" +
                std::to_string(counter++);
      while (!names.insert(fresh).second);
      renamed[name] = fresh;
      return fresh;
    };
    for (pb::TensorProto &tensor : *part.mutable_initializer()) {
      if (names.count(tensor.name()))
        continue; // one that makeModel put there
      tensor.set_name(define(tensor.name()));
      graph.add_initializer()->Swap(&tensor);
    }
    for (pb::NodeProto &node : *part.mutable_node()) {
      bool isCopy = node.op_type() == "Constant" && node.output_size() == 1 &&
                    !own.count(node.output(0)) && names.count(node.output(0));
      if (isCopy)
        continue;
      for (std::string &input : *node.mutable_input())
        if (auto it = renamed.find(input); it != renamed.end())
          input = it->second;
      bool isMain = false;
      for (std::string &output : *node.mutable_output()) {
        isMain |= own.count(output) && !output.empty();
        output = define(output);
      }
      node.set_name(isMain ? original.name() : node.output(0));
      // What the library's graph form has no place for.
      *node.mutable_metadata_props() = original.metadata_props();
      if (isMain) {
        *node.mutable_device_configurations() = original.device_configurations();
        if (original.has_doc_string())
          node.set_doc_string(original.doc_string());
      }
      graph.add_node()->Swap(&node);
    }
  }

  pb::ModelProto &model;
  int64_t from;
  Converter converter;
  std::unordered_map<std::string, bool> changed; ///< by operator type
  std::unordered_set<std::string> names;         ///< of all values of the model
  unsigned counter = 0;
};

} // namespace

void dougong::importer::upgradeModel(pb::ModelProto &model, mlir::MLIRContext *context) {
  int64_t version = getOpsetVersion(model, "");
  if (version > newestOpset)
    throw ImportError("the model is of opset " + std::to_string(version) +
                      ", this version reads up to " + std::to_string(newestOpset));
  Upgrader upgrader(model);
  if (upgrader.needsWork()) {
    inferTypes(model, context);
    upgrader.run();
  }
  for (pb::OperatorSetIdProto &opset : *model.mutable_opset_import())
    if (isDefaultDomain(opset.domain()))
      opset.set_version(newestOpset);
}
