//===- GraphEmitter.cpp - nodes of one graph as onnx ops ------------------===//
#include "GraphEmitter.h"
#include "Attributes.h"
#include "dougong/Import/ElementTypes.h"
#include "Error.h"
#include "ExternalData.h"
#include "Prepare.h"
#include "Tensors.h"
#include "Upgrade.h"
#include "dougong/Import/Types.h"
#include "WireFormat.h"

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
// Constants
//===----------------------------------------------------------------------===//

Value GraphEmitter::emitTensor(const pb::TensorProto &tensor, Location loc, OpBuilder &at,
                               const std::string &name) {
  MLIRContext *context = state.getContext();
  if (!convertElementType(tensor.data_type(), context))
    throw ImportError("tensor '" + name + "' has unknown element type " +
                      std::to_string(tensor.data_type()));
  RankedTensorType type = getTensorType(tensor, context);
  int64_t size = *getByteSize(tensor.data_type(), type.getShape());
  bool asWeight = size > int64_t(inlineLimit) && tensor.data_type() != pb::TensorProto::STRING;
  if (!asWeight && !(isExternal(tensor) && state.allowMissingData))
    return onnx::ConstantOp::create(
               at, loc, TypeRange{type}, ValueRange{},
               ArrayRef{at.getNamedAttr("value", convertTensor(tensor, state.facts.folder, context))})
        .getOutput();

  std::string symbol = name;
  for (unsigned suffix = 1; !state.symbols.insert(symbol).second; ++suffix)
    symbol = name + "_" + std::to_string(suffix);
  Attribute value;
  if (isExternal(tensor)) {
    DataReference reference = getReference(tensor);
    value = onnx::ExternalAttr::get(context, at.getStringAttr(reference.file), reference.offset,
                                    reference.length);
  } else {
    value = convertTensor(tensor, state.facts.folder, context);
  }
  onnx::WeightOp::create(state.weights, loc, at.getStringAttr(symbol), TypeAttr::get(type), value);
  return onnx::UseOp::create(at, loc, type, FlatSymbolRefAttr::get(context, symbol)).getResult();
}

/// Emits an initializer of this graph when it is first used; null if `name` is
/// none of this graph.
Value GraphEmitter::emitInitializer(StringRef name) {
  const pb::TensorProto *tensor = initializers.lookup(name);
  const pb::SparseTensorProto *sparseTensor = sparse.lookup(name);
  if (!tensor && !sparseTensor)
    return {};
  MLIRContext *context = state.getContext();
  Builder attributes(context);
  NamedAttrList notes;
  notes.set("outputs", attributes.getStrArrayAttr(name));
  notes.set("initializer", attributes.getUnitAttr());
  if (tensor && !tensor->doc_string().empty())
    notes.set("doc", attributes.getStringAttr(tensor->doc_string()));
  if (tensor)
    if (DictionaryAttr metadata = convertProperties(tensor->metadata_props(), context))
      notes.set("metadata", metadata);
  Location loc = NameLoc::get(
      attributes.getStringAttr(name),
      FusedLoc::get(context, {FileLineColLoc::get(state.file, 0, 0)}, notes.getDictionary(context)));
  OpBuilder at = atTop();
  Value value;
  if (tensor) {
    value = emitTensor(*tensor, loc, at, name.str());
  } else {
    auto type = RankedTensorType::get(
        ArrayRef(sparseTensor->dims().data(), sparseTensor->dims_size()),
        convertElementType(sparseTensor->values().data_type(), context));
    value = onnx::ConstantOp::create(
                at, loc, TypeRange{type}, ValueRange{},
                ArrayRef{at.getNamedAttr("sparse_value",
                                         convertSparse(*sparseTensor, state.facts.folder, context))})
                .getOutput();
  }
  lastTop = value.getDefiningOp();
  return values[name] = value;
}

/// Constant nodes: one dense `value` for all forms but the sparse one. Returns
/// false for a node that must be emitted as any other.
bool GraphEmitter::emitConstant(const pb::NodeProto &node, Location loc) {
  if (node.attribute_size() != 1 || node.output_size() != 1 ||
      node.device_configurations_size() != 0)
    return false;
  const pb::AttributeProto &attribute = node.attribute(0);
  pb::TensorProto tensor;
  switch (attribute.type()) {
  case pb::AttributeProto::TENSOR:
    values[node.output(0)] = emitTensor(attribute.t(), loc, builder, node.output(0));
    return true;
  case pb::AttributeProto::INT:
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_int64_data(attribute.i());
    break;
  case pb::AttributeProto::INTS:
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_dims(attribute.ints_size());
    *tensor.mutable_int64_data() = attribute.ints();
    break;
  case pb::AttributeProto::FLOAT:
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_float_data(attribute.f());
    break;
  case pb::AttributeProto::FLOATS:
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_dims(attribute.floats_size());
    *tensor.mutable_float_data() = attribute.floats();
    break;
  case pb::AttributeProto::STRING:
    tensor.set_data_type(pb::TensorProto::STRING);
    tensor.add_string_data(attribute.s());
    break;
  case pb::AttributeProto::STRINGS:
    tensor.set_data_type(pb::TensorProto::STRING);
    tensor.add_dims(attribute.strings_size());
    *tensor.mutable_string_data() = attribute.strings();
    break;
  default:
    return false;
  }
  values[node.output(0)] = emitTensor(tensor, loc, builder, node.output(0));
  return true;
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

/// What the library infers for this node alone: in graphs that its inference
/// does not enter, and behind operators that it does not know.
Type GraphEmitter::inferResultType(const pb::NodeProto &node, unsigned index,
                                   const OperationState &op) {
  auto opset = llvm::find_if(state.opsets, [&](const pb::OperatorSetIdProto &opset) {
    return opset.domain() == node.domain();
  });
  if (opset == state.opsets.end())
    return {};
  std::vector<pb::TypeProto> storage(node.input_size());
  std::vector<const pb::TypeProto *> inputs(node.input_size(), nullptr);
  for (int input = 0; input < node.input_size(); ++input)
    if (convertType(op.operands[input].getType(), storage[input]))
      inputs[input] = &storage[input];
  std::vector<pb::TypeProto> results = inferNode(node, opset->version(), inputs);
  return index < results.size() ? convertType(results[index], state.getContext()) : Type();
}

/// Brings operands of one type variable to the element type of the first, for
/// graphs that are planned, not run: some generators mix float and bfloat16.
void GraphEmitter::unifyOperands(const onnx::OpSchema &schema, OperationState &op) {
  llvm::StringMap<Type> bound;
  for (auto [index, operand] : llvm::enumerate(op.operands)) {
    auto type = dyn_cast<TensorType>(operand.getType());
    if (!type || schema.inputVariables.empty())
      continue;
    StringRef variable =
        schema.inputVariables[std::min<size_t>(index, schema.inputVariables.size() - 1)];
    if (variable.empty())
      continue;
    Type wanted = bound.try_emplace(variable, type.getElementType()).first->second;
    int32_t dataType = getDataType(wanted);
    if (wanted == type.getElementType() || dataType == pb::TensorProto::STRING)
      continue;
    emitWarning(op.location) << "node '" << onnx::getNodeName(op.location) << "': input " << index << " has element type "
                             << type.getElementType() << ", but " << wanted
                             << " is required: a Cast was put in between";
    op.operands[index] =
        onnx::CastOp::create(builder, op.location, TypeRange{type.clone(wanted)},
                             ValueRange{operand},
                             ArrayRef{builder.getNamedAttr("to", builder.getI64IntegerAttr(dataType))})
            .getOutput();
  }
}

/// The type that follows from operands and regions where inference knows none.
/// `guessed` is set if nothing is known.
Type GraphEmitter::getResultType(const pb::NodeProto &node, unsigned index,
                                 const onnx::OpSchema *schema, const OperationState &op,
                                 bool &guessed) {
  if (const pb::TypeProto *type = findType(node.output(index)))
    if (Type converted = convertType(*type, state.getContext()))
      return converted;
  if (Type type = inferResultType(node, index, op))
    return type;
  auto unranked = [](Type type) -> Type {
    if (auto tensor = dyn_cast<TensorType>(type))
      return UnrankedTensorType::get(tensor.getElementType());
    return type;
  };
  auto variable = [](ArrayRef<StringRef> variables, unsigned position) {
    return variables.empty() ? StringRef()
                             : variables[std::min<size_t>(position, variables.size() - 1)];
  };
  if (schema)
    if (StringRef wanted = variable(schema->outputVariables, index); !wanted.empty())
      for (auto [position, operand] : llvm::enumerate(op.operands))
        if (variable(schema->inputVariables, position) == wanted &&
            !isa<NoneType>(operand.getType()))
          return unranked(operand.getType());
  // A loop's body yields its condition first.
  unsigned yielded = index + (node.op_type() == "Loop");
  if (!op.regions.empty() && !op.regions.front()->empty())
    if (Operation *yield = op.regions.front()->front().getTerminator();
        yielded < yield->getNumOperands())
      return unranked(yield->getOperand(yielded).getType());
  guessed = true;
  for (Value operand : op.operands)
    if (isa<TensorType>(operand.getType()))
      return unranked(operand.getType());
  return UnrankedTensorType::get(Float32Type::get(state.getContext()));
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
      emitWarning(loc) << "node '" << node.name() << "': the file does not declare the type of output '" << output << "' of "
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
