//===- Inline.cpp - model-local functions ---------------------------------===//
#include "Error.h"
#include "Prepare.h"
#include "Upgrade.h"

#include <onnx/inliner/inliner.h>

#include <unordered_map>

using namespace dougong::importer;

namespace {

/// Notes on nodes that the library loses: always where a function of another
/// opset is converted; device configurations keep the names of the function
/// otherwise. Node documentation survives everything, so a token in it carries
/// the number of the note.
class NotesOfFunctions {
public:
  explicit NotesOfFunctions(pb::ModelProto &model) {
    for (pb::FunctionProto &function : *model.mutable_functions())
      forEachNode(*function.mutable_node(), [&](pb::NodeProto &node) {
        if (node.metadata_props_size() == 0 && node.device_configurations_size() == 0)
          return;
        originals.push_back(node);
        node.set_doc_string(node.doc_string() + token + std::to_string(originals.size() - 1));
      });
    // Calls vanish. Their outputs keep their names.
    forEachNode(*model.mutable_graph()->mutable_node(), [&](pb::NodeProto &node) {
      for (const pb::FunctionProto &function : model.functions())
        if (node.domain() == function.domain() && node.op_type() == function.name() &&
            node.metadata_props_size() != 0)
          for (const std::string &output : node.output())
            if (!output.empty())
              calls[output] = node.metadata_props();
    });
  }

  void restore(pb::ModelProto &model) {
    forEachNode(*model.mutable_graph()->mutable_node(), [&](pb::NodeProto &node) {
      if (size_t at = node.doc_string().rfind(token); at != std::string::npos) {
        size_t number = std::stoull(node.doc_string().substr(at + token.size()));
        std::string doc = node.doc_string().substr(0, at);
        if (doc.empty())
          node.clear_doc_string();
        else
          node.set_doc_string(doc);
        if (number < originals.size())
          restoreNode(node, originals[number]);
      }
      for (const std::string &output : node.output())
        if (auto call = calls.find(output); call != calls.end())
          addMissing(node, call->second);
    });
  }

private:
  static void restoreNode(pb::NodeProto &node, const pb::NodeProto &original) {
    *node.mutable_metadata_props() = original.metadata_props();
    *node.mutable_device_configurations() = original.device_configurations();
    // The specs name values of the node: they are found by position.
    std::unordered_map<std::string, std::string> names;
    for (int index = 0; index < std::min(node.input_size(), original.input_size()); ++index)
      names.emplace(original.input(index), node.input(index));
    for (int index = 0; index < std::min(node.output_size(), original.output_size()); ++index)
      names.emplace(original.output(index), node.output(index));
    for (pb::NodeDeviceConfigurationProto &configuration : *node.mutable_device_configurations())
      for (pb::ShardingSpecProto &spec : *configuration.mutable_sharding_spec())
        if (auto it = names.find(spec.tensor_name()); it != names.end())
          spec.set_tensor_name(it->second);
  }

  template <typename Entries> static void addMissing(pb::NodeProto &node, const Entries &entries) {
    for (const pb::StringStringEntryProto &entry : entries) {
      bool has = llvm::any_of(node.metadata_props(),
                              [&](const auto &own) { return own.key() == entry.key(); });
      if (!has)
        *node.add_metadata_props() = entry;
    }
  }

  const std::string token = "\x01"
                            "dougong.note:";
  std::vector<pb::NodeProto> originals;
  std::unordered_map<std::string, google::protobuf::RepeatedPtrField<pb::StringStringEntryProto>>
      calls;
};

/// Number of nodes of the model with all functions inlined. Functions that call
/// functions can make few bytes a graph that no memory holds.
class ExpandedSize {
public:
  explicit ExpandedSize(const pb::ModelProto &model) {
    for (const pb::FunctionProto &function : model.functions())
      functions.emplace(getKey(function.domain(), function.name(), function.overload()), &function);
  }

  /// Saturates at `limit`. The checker has refused cyclic functions.
  static constexpr uint64_t limit = 20'000'000;

  uint64_t count(const NodeList &nodes) {
    uint64_t total = 0;
    for (const pb::NodeProto &node : nodes) {
      auto it = functions.find(getKey(node.domain(), node.op_type(), node.overload()));
      total += it == functions.end() ? 1 : count(*it->second);
      for (const pb::AttributeProto &attribute : node.attribute())
        if (attribute.has_g())
          total += count(attribute.g().node());
      if (total >= limit)
        return limit;
    }
    return total;
  }

private:
  static std::string getKey(const std::string &domain, const std::string &name,
                            const std::string &overload) {
    return domain + ":" + name + ":" + overload;
  }

  uint64_t count(const pb::FunctionProto &function) {
    auto [it, inserted] = sizes.try_emplace(&function, 0);
    if (inserted) {
      uint64_t size = count(function.node());
      sizes[&function] = size;
      return size;
    }
    return it->second;
  }

  std::unordered_map<std::string, const pb::FunctionProto *> functions;
  std::unordered_map<const pb::FunctionProto *, uint64_t> sizes;
};

} // namespace

void dougong::importer::inlineFunctions(pb::ModelProto &model, mlir::MLIRContext *context) {
  if (model.functions_size() == 0)
    return;
  auto *functions = model.mutable_functions();
  for (auto it = functions->begin(); it != functions->end();)
    if (it->domain() == "com.microsoft" && isInDialect(it->domain(), it->name(), context))
      it = functions->erase(it);
    else
      ++it;
  if (ExpandedSize(model).count(model.graph().node()) >= ExpandedSize::limit)
    throw ImportError("with its functions inlined the graph has more than " +
                      std::to_string(ExpandedSize::limit) + " nodes");
  NotesOfFunctions notes(model);
  exposeGradientNames(model);
  // Converting a body needs the types at its call, which the library looks up
  // when the nodes that make them are already gone from the graph.
  int64_t version = getOpsetVersion(model, "");
  bool converts = llvm::any_of(model.functions(), [&](const pb::FunctionProto &function) {
    return llvm::any_of(function.opset_import(), [&](const pb::OperatorSetIdProto &opset) {
      return opset.domain().empty() && opset.version() != version;
    });
  });
  if (converts)
    inferTypes(model, context);
  pb::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
  notes.restore(model);
  restoreGradientNames(model);
  if (model.functions_size() != 0) {
    const pb::FunctionProto &left = model.functions(0);
    throw ImportError("function '" + left.name() + "' of domain '" + left.domain() +
                      "' cannot be inlined: its opset imports differ from the model's in a "
                      "domain other than the default one");
  }
}
