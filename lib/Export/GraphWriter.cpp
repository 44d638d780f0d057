//===- GraphWriter.cpp - ops of the dialect as ONNX nodes -----------------===//
#include "GraphWriter.h"
#include "Attributes.h"

#include "dougong/Import/Types.h"
#include "dougong/Onnx/Values.h"

using namespace mlir;
using namespace dougong::exporter;

namespace {

template <typename Proto> void writeNotes(Location loc, Proto &proto) {
  DictionaryAttr notes = dougong::onnx::getNotes(loc);
  if (!notes)
    return;
  if (auto doc = notes.getAs<StringAttr>("doc"))
    proto.set_doc_string(doc.str());
  writeProperties(notes.getAs<DictionaryAttr>("metadata"), *proto.mutable_metadata_props());
}

} // namespace

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string GraphWriter::makeUnique(const std::string &wanted) {
  std::string name = wanted.empty() ? "v" : wanted;
  auto isTaken = [&](const std::string &candidate) {
    return llvm::any_of(scopes, [&](const auto &scope) { return scope.contains(candidate); });
  };
  std::string base = name;
  for (unsigned suffix = 1; isTaken(name); ++suffix)
    name = base + "_" + std::to_string(suffix);
  scopes.back().insert(name);
  return name;
}

/// Ops that were made for one node share its name; onnxruntime refuses that.
std::string GraphWriter::makeNodeName(StringRef wanted) {
  std::string name = wanted.str();
  for (unsigned suffix = 1; !name.empty() && !nodeNames.insert(name).second; ++suffix)
    name = wanted.str() + "_" + std::to_string(suffix);
  return name;
}

const std::string &GraphWriter::getName(Value value) {
  auto [it, inserted] = names.try_emplace(value);
  if (!inserted)
    return it->second;
  if (isa<NoneType>(value.getType()))
    return it->second; // ""
  std::string wanted;
  if (auto result = dyn_cast<OpResult>(value))
    wanted = dougong::onnx::getValueName(result).str();
  else
    wanted = onnx::getNodeName(value.getLoc()).str();
  std::string name = makeUnique(wanted);
  return names[value] = name;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

LogicalResult GraphWriter::write(func::FuncOp function, pb::GraphProto &graph) {
  main = &graph;
  scopes.emplace_back();
  Block &body = function.getBody().front();
  auto fill = [&](pb::ValueInfoProto &info, Type type, DictionaryAttr attributes) {
    if (attributes) {
      if (auto doc = attributes.getAs<StringAttr>("onnx.doc"))
        info.set_doc_string(doc.str());
      writeProperties(attributes.getAs<DictionaryAttr>("onnx.metadata"),
                      *info.mutable_metadata_props());
    }
    return importer::convertType(type, *info.mutable_type());
  };

  for (auto [index, argument] : llvm::enumerate(body.getArguments())) {
    auto name = function.getArgAttrOfType<StringAttr>(index, "onnx.name");
    names[argument] = makeUnique(name ? name.str() : "input_" + std::to_string(index));
    pb::ValueInfoProto *info = graph.add_input();
    info->set_name(names[argument]);
    if (!fill(*info, argument.getType(), function.getArgAttrDict(index)))
      return function.emitError("ONNX has no type for argument ")
             << index << " of type " << argument.getType();
  }
  // Outputs keep their names: their values are named before all others.
  Operation *terminator = body.getTerminator();
  std::vector<std::string> outputs;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto noted = function.getResultAttrOfType<StringAttr>(index, "onnx.name");
    std::string name = makeUnique(noted ? noted.str() : "output_" + std::to_string(index));
    outputs.push_back(name);
    pb::ValueInfoProto *info = graph.add_output();
    info->set_name(name);
    if (!fill(*info, value.getType(), function.getResultAttrDict(index)))
      return function.emitError("ONNX has no type for result ")
             << index << " of type " << value.getType();
    if (auto rank = function.getResultAttrOfType<IntegerAttr>(index, "onnx.rank");
        rank && rank.getInt() <= 64 && info->type().has_tensor_type() &&
        !info->type().tensor_type().has_shape()) {
      pb::TensorShapeProto *shape = info->mutable_type()->mutable_tensor_type()->mutable_shape();
      for (int64_t dim = 0; dim < rank.getInt(); ++dim)
        shape->add_dim();
    }
    bool isOwn = isa<OpResult>(value) && !value.getDefiningOp<onnx::UseOp>();
    if (isOwn && !names.count(value))
      names[value] = name;
  }
  if (failed(writeBlock(body, graph)))
    return failure();
  writeOutputs(terminator, outputs, graph);
  return success();
}

LogicalResult GraphWriter::writeBlock(Block &block, pb::GraphProto &graph) {
  for (Operation &op : block.without_terminator())
    if (failed(writeOp(&op, graph)))
      return failure();
  return success();
}

/// Values that a graph returns under another name pass through an Identity.
void GraphWriter::writeOutputs(Operation *terminator, ArrayRef<std::string> outputs,
                               pb::GraphProto &graph) {
  for (auto [value, output] : llvm::zip(terminator->getOperands(), outputs)) {
    const std::string &name = getName(value);
    if (name == output)
      continue;
    pb::NodeProto *identity = graph.add_node();
    identity->set_op_type("Identity");
    identity->set_name(output + "/Identity");
    identity->add_input(name);
    identity->add_output(output);
    domains[""] = importer::newestOpset;
  }
}

LogicalResult GraphWriter::writeRegion(Operation *op, Region &region, StringRef name,
                                       pb::NodeProto &node) {
  if (!region.hasOneBlock())
    return op->emitError("graph '")
           << name << "' has " << region.getBlocks().size() << " blocks, expected 1";
  pb::AttributeProto *attribute = node.add_attribute();
  attribute->set_name(name.str());
  attribute->set_type(pb::AttributeProto::GRAPH);
  pb::GraphProto &graph = *attribute->mutable_g();
  Block &block = region.front();
  auto yield = dyn_cast<onnx::YieldOp>(block.getTerminator());
  if (!yield)
    return op->emitError("graph '") << name << "' does not end in onnx.yield";
  StringRef graphName = onnx::getNodeName(yield.getLoc());
  graph.set_name(graphName.empty() ? name.str() : graphName.str());

  scopes.emplace_back();
  for (BlockArgument argument : block.getArguments()) {
    pb::ValueInfoProto *info = graph.add_input();
    info->set_name(getName(argument));
    if (!importer::convertType(argument.getType(), *info->mutable_type()))
      return op->emitError("ONNX has no type ") << argument.getType();
  }
  std::vector<std::string> outputs;
  for (auto [index, value] : llvm::enumerate(yield.getValues())) {
    std::string noted = dougong::onnx::getOutputName(yield.getLoc(), index).str();
    Operation *producer = value.getDefiningOp();
    bool isOwn = producer && producer->getBlock() == &block && !isa<onnx::UseOp>(producer) &&
                 !names.count(value);
    std::string output = makeUnique(noted.empty() ? graph.name() + "_out" : noted);
    if (isOwn)
      names[value] = output;
    outputs.push_back(output);
    pb::ValueInfoProto *info = graph.add_output();
    info->set_name(output);
    if (!importer::convertType(value.getType(), *info->mutable_type()))
      return op->emitError("ONNX has no type ") << value.getType();
  }
  if (failed(writeBlock(block, graph)))
    return failure();
  writeOutputs(yield, outputs, graph);
  scopes.pop_back();
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult GraphWriter::writeOp(Operation *op, pb::GraphProto &graph) {
  if (isa<onnx::NoneOp>(op))
    return success();
  if (auto use = dyn_cast<onnx::UseOp>(op))
    return writeUse(use);
  if (auto constant = dyn_cast<onnx::ConstantOp>(op)) {
    DictionaryAttr notes = dougong::onnx::getNotes(op->getLoc());
    auto value = constant.getValue();
    if (notes && notes.get("initializer") && value) {
      pb::TensorProto &tensor = *graph.add_initializer();
      tensor.set_name(getName(constant.getOutput()));
      writeNotes(op->getLoc(), tensor);
      if (!writeElements(*value, tensor))
        return op->emitError("ONNX cannot hold the constant ") << *value;
      return success();
    }
  }
  if (isa<onnx::CustomOp, onnx::OnnxOpInterface>(op))
    return writeNode(op, graph);
  return op->emitError("cannot be exported: it is no operator of ONNX");
}

/// All weights become initializers of the main graph, once each.
LogicalResult GraphWriter::writeUse(onnx::UseOp use) {
  auto [it, inserted] = weightNames.try_emplace(use.getWeight());
  if (inserted) {
    auto weight = module.lookupSymbol<onnx::WeightOp>(use.getWeightAttr());
    if (!weight)
      return use.emitError("weight @") << use.getWeight() << " is not declared";
    std::string wanted = dougong::onnx::getOutputName(use.getLoc(), 0).str();
    // Into the outermost scope, wherever the use stands.
    std::string name = makeUnique(wanted.empty() ? use.getWeight().str() : wanted);
    scopes.front().insert(name);
    pb::TensorProto &tensor = *main->add_initializer();
    tensor.set_name(name);
    writeNotes(weight.getLoc(), tensor);
    if (failed(weights.write(weight, tensor)))
      return failure();
    weightNames[use.getWeight()] = name;
    it = weightNames.find(use.getWeight());
  }
  names[use.getResult()] = it->second;
  return success();
}

LogicalResult GraphWriter::writeNode(Operation *op, pb::GraphProto &graph) {
  pb::NodeProto &node = *graph.add_node();
  node.set_name(makeNodeName(onnx::getNodeName(op->getLoc())));
  writeNotes(op->getLoc(), node);
  auto custom = dyn_cast<onnx::CustomOp>(op);
  std::string domain = custom ? custom.getDomain().str() : "";
  if (custom) {
    node.set_op_type(custom.getOpType().str());
    domains.try_emplace(domain, 0);
  } else {
    const onnx::OpSchema &schema = cast<onnx::OnnxOpInterface>(op).getSchema();
    node.set_op_type(schema.name.str());
    domain = schema.domain.str();
    if (auto own = op->getAttrOfType<StringAttr>("onnx.domain"))
      domain = own.str();
    int64_t &version = domains[domain];
    version = domain.empty() ? importer::newestOpset : std::max(version, schema.sinceVersion);
  }
  if (domain == "")
    domains[""] = importer::newestOpset;
  node.set_domain(domain);

  // Trailing absent operands and results are left out, inner ones are "".
  for (Value operand : op->getOperands())
    node.add_input(getName(operand));
  while (node.input_size() && node.input(node.input_size() - 1).empty())
    node.mutable_input()->RemoveLast();
  // Graphs first: their values must not take the names of later ones.
  if (failed(writeAttributes(op, node)))
    return failure();
  for (Value result : op->getResults())
    node.add_output(getName(result));
  while (node.output_size() && node.output(node.output_size() - 1).empty())
    node.mutable_output()->RemoveLast();
  for (Value result : op->getResults())
    if (auto type = dyn_cast<RankedTensorType>(result.getType());
        type && &graph == main &&
        !llvm::is_contained(result.getUsers(), op->getBlock()->getTerminator())) {
      pb::ValueInfoProto *info = graph.add_value_info();
      info->set_name(getName(result));
      if (!importer::convertType(type, *info->mutable_type()))
        graph.mutable_value_info()->RemoveLast();
    }
  return success();
}

/// Whether an attribute only states the default that the schema has anyway:
/// readers of older operator tables stumble over newer attributes.
bool GraphWriter::isDefault(Operation *op, NamedAttribute attribute) {
  auto [it, inserted] = defaults.try_emplace(op->getName());
  if (inserted) {
    OperationState state(op->getLoc(), op->getName());
    for (unsigned index = 0; index < op->getNumRegions(); ++index)
      state.addRegion();
    Operation *empty = Operation::create(state);
    it->second = empty->getAttrDictionary();
    empty->destroy();
  }
  return it->second.get(attribute.getName()) == attribute.getValue();
}

LogicalResult GraphWriter::writeAttributes(Operation *op, pb::NodeProto &node) {
  auto custom = dyn_cast<onnx::CustomOp>(op);
  SmallVector<StringRef> regionNames;
  if (custom) {
    if (ArrayAttr names = custom.getRegionNamesAttr())
      for (StringAttr name : names.getAsRange<StringAttr>())
        regionNames.push_back(name.getValue());
  } else {
    llvm::append_range(regionNames, cast<onnx::OnnxOpInterface>(op).getSchema().regions);
  }
  for (NamedAttribute attribute : op->getAttrDictionary()) {
    StringRef name = attribute.getName().getValue();
    if (name == "onnx.device_configurations") {
      auto configurations = dyn_cast<ArrayAttr>(attribute.getValue());
      if (!configurations || !writeConfigurations(configurations, node))
        return op->emitError("onnx.device_configurations is malformed");
      continue;
    }
    if (custom) {
      if (llvm::is_contained({"domain", "op_type", "region_names"}, name))
        continue;
      name.consume_front("attr.");
    } else if (isDefault(op, attribute)) {
      continue;
    }
    // Annotations of this compiler ("dist.out") are no part of the model.
    if (attribute.getNameDialect())
      continue;
    if (!writeAttribute(name, attribute.getValue(), *node.add_attribute()))
      return op->emitError("attribute '") << name << "' cannot be written in ONNX";
  }
  for (auto [index, region] : llvm::enumerate(op->getRegions()))
    if (!region.empty() && index < regionNames.size() &&
        failed(writeRegion(op, region, regionNames[index], node)))
      return failure();
  return success();
}
