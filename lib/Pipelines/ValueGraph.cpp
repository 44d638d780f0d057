//===- ValueGraph.cpp - which node makes which value ----------------------===//
#include "dougong/Pipelines/ValueGraph.h"

#include "dougong/Import/Import.h"
#include "dougong/Onnx/Passes.h"
#include "dougong/Onnx/Values.h"
#include "dougong/Pipelines/Diagnostics.h"
#include "dougong/Registration.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace dougong;

static GraphNode::Input describeInput(Value value, func::FuncOp main) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "onnx.name");
    return {name ? name.str() : "", "model input"};
  }
  if (onnx::isConstantSource(value.getDefiningOp()))
    return {"", "constant"};
  return {onnx::getValueName(cast<OpResult>(value)).str(), "value"};
}

ExitCode dougong::readValueGraph(const CompileOptions &options, ValueGraph &graph,
                                 raw_ostream &errors) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  DiagnosticPrinter printer(&context, errors);
  OwningOpRef<ModuleOp> module = importModel(options.model, context);
  if (!module)
    return exitInputRefused;
  auto main = module->lookupSymbol<func::FuncOp>("main");
  for (unsigned index = 0; index < main.getNumResults(); ++index)
    if (auto name = main.getResultAttrOfType<StringAttr>(index, "onnx.name"))
      graph.outputs.push_back(name.str());
  PassManager manager(&context);
  onnx::NormalizeOptions normalize;
  normalize.dims.append(options.dims.begin(), options.dims.end());
  normalize.exposeValues = true;
  onnx::buildNormalizePipeline(manager, normalize);
  if (failed(manager.run(*module)))
    return exitInputRefused;

  for (Operation &op : main.getBody().front().without_terminator()) {
    if (onnx::isConstantSource(&op))
      continue;
    GraphNode &node = graph.nodes.emplace_back();
    node.name = onnx::getNodeName(op.getLoc()).str();
    node.op = op.getName().stripDialect().str();
    for (Value operand : op.getOperands())
      if (!isa<NoneType>(operand.getType()))
        node.inputs.push_back(describeInput(operand, main));
    for (OpResult result : op.getResults())
      node.outputs.push_back(onnx::getValueName(result).str());
  }
  return exitOk;
}
