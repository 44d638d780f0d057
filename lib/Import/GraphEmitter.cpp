//===- GraphEmitter.cpp - nodes of one graph as onnx ops ------------------===//
#include "GraphEmitter.h"
#include "Attributes.h"
#include "Error.h"
#include "ExternalData.h"
#include "Prepare.h"
#include "Tensors.h"
#include "Upgrade.h"
#include "WireFormat.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Import/Types.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace dougong::importer;

GraphEmitter::GraphEmitter(const pb::GraphProto &graph, ModuleState &state, Block *block,
                           GraphEmitter *outer)
    : graph(graph), state(state), builder(state.getContext()), outer(outer) {
  // Not atBlockEnd: the block's region may have no parent yet.
  builder.setInsertionPointToEnd(block);
  auto addTypes = [&](const auto &infos) {
    for (const pb::ValueInfoProto &info : infos)
      if (info.has_type())
        types.try_emplace(info.name(), &info.type());
  };
  addTypes(graph.value_info());
  addTypes(graph.output());
  for (const pb::TensorProto &tensor : graph.initializer())
    initializers[tensor.name()] = &tensor;
  for (const pb::SparseTensorProto &tensor : graph.sparse_initializer())
    sparse[tensor.values().name()] = &tensor;
}

OpBuilder GraphEmitter::atTop() {
  OpBuilder at(state.getContext());
  if (lastTop)
    at.setInsertionPointAfter(lastTop);
  else
    at.setInsertionPointToStart(builder.getInsertionBlock());
  return at;
}

Value GraphEmitter::lookup(StringRef name) {
  for (GraphEmitter *scope = this; scope; scope = scope->outer) {
    if (Value value = scope->values.lookup(name))
      return value;
    if (Value value = scope->emitInitializer(name))
      return value;
  }
  throw ImportError("value '" + name.str() + "' is not defined");
}

Value GraphEmitter::getNone() {
  if (outer)
    return outer->getNone();
  if (!none) {
    OpBuilder at = atTop();
    lastTop = onnx::NoneOp::create(at, UnknownLoc::get(state.getContext()),
                                   NoneType::get(state.getContext()));
    none = lastTop->getResult(0);
  }
  return none;
}

const pb::TypeProto *GraphEmitter::findType(StringRef name) const { return types.lookup(name); }

/// Name, outputs, documentation and metadata of a node, with its place in the file.
Location GraphEmitter::getLocation(const pb::NodeProto &node, int64_t index) const {
  MLIRContext *context = state.getContext();
  Builder attributes(context);
  SmallVector<Attribute> outputs;
  for (const std::string &output : node.output())
    outputs.push_back(attributes.getStringAttr(output));
  NamedAttrList notes;
  notes.set("outputs", attributes.getArrayAttr(outputs));
  if (!node.doc_string().empty())
    notes.set("doc", attributes.getStringAttr(node.doc_string()));
  if (DictionaryAttr metadata = convertProperties(node.metadata_props(), context))
    notes.set("metadata", metadata);
  Location place = FileLineColLoc::get(state.file, index, 0);
  return NameLoc::get(attributes.getStringAttr(node.name()),
                      FusedLoc::get(context, {place}, notes.getDictionary(context)));
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

void GraphEmitter::emitNodes() {
  for (int index = 0; index < graph.node_size(); ++index) {
    const pb::NodeProto &node = graph.node(index);
    try {
      emitNode(node, index);
    } catch (ImportError &error) {
      // The innermost node is the one to name.
      if (error.node.empty()) {
        error.node = node.name();
        error.index = index;
      }
      throw;
    }
  }
}

SmallVector<Value> GraphEmitter::getOutputs() {
  SmallVector<Value> outputs;
  for (const pb::ValueInfoProto &output : graph.output())
    outputs.push_back(lookup(output.name()));
  return outputs;
}

/// Whether the file has this node of com.microsoft in the default domain.
static bool wasMoved(const pb::NodeProto &node) {
  return llvm::any_of(node.metadata_props(),
                      [](const auto &entry) { return entry.key() == movedDomainKey; });
}

void GraphEmitter::emitNode(const pb::NodeProto &node, int64_t index) {
  Location loc = getLocation(node, index);
  if (node.domain().empty() && node.op_type() == "Constant" && emitConstant(node, loc))
    return;
  auto name = RegisteredOperationName::lookup(
      "onnx." + onnx::getOpMnemonic(node.domain(), node.op_type()), state.getContext());
  Operation *op = nullptr;
  if (name && name->hasInterface<onnx::OnnxOpInterface>())
    op = createKnown(*name, node, loc);
  if (!op)
    op = createCustom(node, loc);
  if (wasMoved(node) && !isa<onnx::CustomOp>(op))
    op->setAttr("onnx.domain", builder.getStringAttr(""));
  if (ArrayAttr configurations = convertConfigurations(node, state.getContext()))
    op->setAttr("onnx.device_configurations", configurations);
  for (auto [output, result] : llvm::zip(node.output(), op->getResults()))
    if (!output.empty())
      values[output] = result;
}

/// The op of the dialect for `node`; null (after a warning) if it is one of
/// com.microsoft that does not fit the dialect's table.
Operation *GraphEmitter::createKnown(RegisteredOperationName name, const pb::NodeProto &node,
                                     Location loc) {
  const onnx::OpSchema &schema = name.getInterface<onnx::OnnxOpInterface>()->getSchema();
  bool isForeign = node.domain() == "com.microsoft";
  auto warn = [&](const Twine &reason) -> Operation * {
    emitWarning(loc) << "node '" << node.name() << "': kept as onnx.custom: " << reason.str();
    return nullptr;
  };

  OperationState op(loc, name);
  unsigned inputs = schema.inputVariables.size() - schema.variadicInputs;
  if (unsigned(node.input_size()) > inputs && !schema.variadicInputs) {
    std::string reason = node.op_type() + " has " + std::to_string(node.input_size()) +
                         " inputs, expected at most " + std::to_string(inputs);
    if (isForeign)
      return warn(reason);
    throw ImportError(reason);
  }
  for (unsigned index = 0; index < std::max(inputs, unsigned(node.input_size())); ++index)
    op.operands.push_back(index < unsigned(node.input_size()) && !node.input(index).empty()
                              ? lookup(node.input(index))
                              : getNone());
  if (state.allowMissingData)
    unifyOperands(schema, op);

  SmallVector<const pb::GraphProto *> graphs(schema.regions.size(), nullptr);
  for (const pb::AttributeProto &attribute : node.attribute()) {
    if (auto it = llvm::find(schema.regions, StringRef(attribute.name()));
        it != schema.regions.end() && attribute.has_g()) {
      graphs[it - schema.regions.begin()] = &attribute.g();
      continue;
    }
    if (isForeign && !llvm::is_contained(schema.attributes, StringRef(attribute.name())))
      return warn(node.op_type() + " has the attribute '" + attribute.name() +
                  "', which this version does not know");
    op.addAttribute(attribute.name(),
                    convertAttribute(attribute, state.facts.folder, state.getContext()));
  }
  for (const pb::GraphProto *inner : graphs) {
    if (inner)
      addRegion(node, *inner, op.operands, op);
    else
      op.addRegion();
  }

  unsigned outputs = schema.outputVariables.size() - schema.variadicOutputs;
  if (unsigned(node.output_size()) > outputs && !schema.variadicOutputs) {
    std::string reason = node.op_type() + " has " + std::to_string(node.output_size()) +
                         " outputs, expected at most " + std::to_string(outputs);
    if (isForeign)
      return warn(reason);
    throw ImportError(reason);
  }
  bool guessed = false;
  for (unsigned index = 0; index < std::max(outputs, unsigned(node.output_size())); ++index)
    op.addTypes(index < unsigned(node.output_size()) && !node.output(index).empty()
                    ? getResultType(node, index, &schema, op, guessed)
                    : NoneType::get(state.getContext()));
  Operation *created = builder.create(op);
  if (!isForeign)
    return created;

  std::string reason;
  {
    ScopedDiagnosticHandler handler(state.getContext(), [&](Diagnostic &diagnostic) {
      if (reason.empty())
        reason = diagnostic.str();
      return success();
    });
    if (succeeded(verify(created, /*verifyRecursively=*/false)))
      return created;
  }
  created->erase();
  return warn(reason);
}

Operation *GraphEmitter::createCustom(const pb::NodeProto &node, Location loc) {
  MLIRContext *context = state.getContext();
  OperationState op(loc, onnx::CustomOp::getOperationName());
  StringRef domain = node.domain();
  if (domain == unknownDomain || wasMoved(node))
    domain = "";
  op.addAttribute("domain", builder.getStringAttr(domain));
  op.addAttribute("op_type", builder.getStringAttr(node.op_type()));
  for (const std::string &input : node.input())
    op.operands.push_back(input.empty() ? getNone() : lookup(input));
  SmallVector<StringRef> regionNames;
  for (const pb::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g()) {
      regionNames.push_back(attribute.name());
      addRegion(node, attribute.g(), op.operands, op);
      continue;
    }
    // Names that the op itself uses are set apart.
    bool taken = llvm::is_contained({"domain", "op_type", "region_names"}, attribute.name());
    op.addAttribute((taken ? "attr." : "") + attribute.name(),
                    convertAttribute(attribute, state.facts.folder, context));
  }
  if (!regionNames.empty())
    op.addAttribute("region_names", builder.getStrArrayAttr(regionNames));
  for (auto [index, output] : llvm::enumerate(node.output())) {
    bool guessed = false;
    op.addTypes(output.empty() ? NoneType::get(context)
                               : getResultType(node, index, nullptr, op, guessed));
    if (guessed)
      emitWarning(loc) << "node '" << node.name()
                       << "': the file does not declare the type of output '" << output << "' of "
                       << node.op_type() << ", an unknown operator: taken to be "
                       << op.types.back();
  }
  return builder.create(op);
}

/// Emits a graph attribute as a region of `op`.
void GraphEmitter::addRegion(const pb::NodeProto &node, const pb::GraphProto &inner,
                             ValueRange operands, OperationState &op) {
  MLIRContext *context = state.getContext();
  auto *block = new Block;
  op.addRegion()->push_back(block);
  GraphEmitter emitter(inner, state, block, this);
  for (auto [index, input] : llvm::enumerate(inner.input())) {
    Type type = input.has_type() ? convertType(input.type(), context) : Type();
    if (!type) { // graphs inside nodes need not declare their inputs
      if (node.op_type() == "Loop" && index < 2)
        type = RankedTensorType::get({}, index == 0 ? builder.getI64Type() : builder.getI1Type());
      else if (index >= operands.size())
        throw ImportError("input '" + input.name() + "' of a graph inside has no type");
      else if (auto sequence = dyn_cast<onnx::SequenceType>(operands[index].getType());
               sequence && node.op_type() == "SequenceMap")
        type = sequence.getElementType();
      else
        type = operands[index].getType();
      if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && node.op_type() != "Loop")
        type = UnrankedTensorType::get(tensor.getElementType());
    }
    Location loc = NameLoc::get(builder.getStringAttr(input.name()));
    emitter.bind(input.name(), block->addArgument(type, loc));
  }
  emitter.emitNodes();
  SmallVector<Value> outputs = emitter.getOutputs();
  OpBuilder end(context);
  end.setInsertionPointToEnd(block);
  NamedAttrList names;
  SmallVector<Attribute> outputNames;
  for (const pb::ValueInfoProto &output : inner.output())
    outputNames.push_back(builder.getStringAttr(output.name()));
  names.set("outputs", builder.getArrayAttr(outputNames));
  onnx::YieldOp::create(end,
                        NameLoc::get(builder.getStringAttr(inner.name()),
                                     FusedLoc::get(context, {UnknownLoc::get(context)},
                                                   names.getDictionary(context))),
                        outputs);
}
