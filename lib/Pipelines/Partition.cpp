//===- Partition.cpp - the plan, shard and stage phases -------------------===//
#include "dougong/Pipelines/Partition.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Support/DimExpr.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;

namespace {

/// A whole value: global extents, no cut.
plan::v1::Value describeValue(Type type, StringAttr name) {
  plan::v1::Value value;
  if (name)
    value.set_name(name.getValue().str());
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return value;
  value.set_dtype(importer::getDataType(tensor.getElementType()));
  auto dims = dyn_cast_or_null<onnx::DimsAttr>(tensor.getEncoding());
  for (auto [index, extent] : llvm::enumerate(tensor.getShape()))
    value.add_dims(ShapedType::isDynamic(extent) && dims
                       ? dims.getExprs()[index].getValue().str()
                       : std::to_string(extent));
  return value;
}

/// Connects the model's inputs and outputs to a program that holds all of it.
void connectWhole(PartitionedModel &model) {
  auto connect = [&](int index, const std::string &name, bool isInput) {
    plan::v1::Transfer &entry = model.transfers.emplace_back();
    entry.set_value(name);
    plan::v1::Endpoint *outside = isInput ? entry.mutable_from() : entry.mutable_to();
    plan::v1::Endpoint *port = isInput ? entry.mutable_to() : entry.mutable_from();
    outside->set_model(name);
    port->mutable_port()->set_stage(0);
    port->mutable_port()->set_index(index);
  };
  for (int i = 0; i < model.model.inputs_size(); ++i)
    connect(i, model.model.inputs(i).name(), true);
  for (int i = 0; i < model.model.outputs_size(); ++i)
    connect(i, model.model.outputs(i).name(), false);
}

} // namespace

FailureOr<PartitionedModel>
dougong::partitionModel(OwningOpRef<ModuleOp> module, const fleet::Fleet &fleet,
                        const CompileOptions &options, bool &infeasible,
                        llvm::function_ref<bool(StringRef, ModuleOp)> afterPhase) {
  PartitionedModel result;
  auto main = module->lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module->emitError("module has no function @main");
  StageProgram stage;
  stage.name = "stage0";
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes()))
    stage.inputs.push_back(describeValue(type, main.getArgAttrOfType<StringAttr>(index, "onnx.name")));
  for (auto [index, type] : llvm::enumerate(main.getResultTypes()))
    stage.outputs.push_back(
        describeValue(type, main.getResultAttrOfType<StringAttr>(index, "onnx.name")));
  for (const plan::v1::Value &value : stage.inputs)
    *result.model.add_inputs() = value;
  for (const plan::v1::Value &value : stage.outputs)
    *result.model.add_outputs() = value;
  const fleet::Pool &pool = fleet.pools.front();
  stage.pool = pool.id;
  stage.mesh.set_id("m0");
  stage.mesh.set_first_rank(0);
  stage.mesh.set_chip_type(pool.chip);
  plan::v1::Axis *axis = stage.mesh.add_axes();
  axis->set_name("tp");
  axis->set_size(1);
  stage.module = std::move(module);
  result.stages.push_back(std::move(stage));
  connectWhole(result);
  return result;
}
