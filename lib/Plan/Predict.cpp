//===- Predict.cpp - predicted step time of a partition -------------------===//
#include "dougong/Plan/Predict.h"

#include "dougong/Dist/Propagation.h"
#include "dougong/Onnx/Cost.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::planner;

double planner::evaluate(const DimExpr &expr, const SymbolValues &values) {
  if (std::optional<int64_t> constant = expr.constant())
    return *constant;
  SymbolValues all = values;
  for (const std::string &symbol : expr.symbols())
    all.try_emplace(symbol, 1);
  Result<int64_t> value = expr.evaluate(all);
  return value ? std::max<double>(*value, 0) : 0;
}

double planner::evaluate(StringRef text, const SymbolValues &values) {
  Result<DimExpr> expr = DimExpr::parse(std::string_view(text.data(), text.size()));
  return expr ? evaluate(*expr, values) : 0;
}

StringRef planner::getDataTypeName(Type type) {
  if (type.isF32())
    return "fp32";
  if (type.isF16())
    return "fp16";
  if (type.isBF16())
    return "bf16";
  if (type.isF64())
    return "fp64";
  if (!type.isIntOrFloat())
    return "";
  unsigned bits = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type))
    return bits <= 4 ? "fp4" : "fp8";
  return bits <= 4 ? "int4" : bits <= 8 ? "int8" : bits <= 16 ? "int16" : "int32";
}

StringRef planner::getDataTypeName(Operation *op) {
  for (Value operand : op->getOperands())
    if (auto tensor = dyn_cast<RankedTensorType>(operand.getType()))
      if (StringRef name = getDataTypeName(tensor.getElementType()); !name.empty())
        return name;
  return "fp32";
}

int64_t planner::getElementBytes(Type type) {
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8) : 16;
}

OpAmounts planner::getOpAmounts(Operation *op, const SymbolValues &values) {
  OpAmounts amounts;
  amounts.isLaunched =
      !isa<onnx::ReshapeOp, onnx::FlattenOp, onnx::SqueezeOp, onnx::UnsqueezeOp, onnx::IdentityOp>(
          op);
  if (!amounts.isLaunched)
    return amounts;
  onnx::OpCost cost = onnx::getOpCost(op);
  amounts.flops = evaluate(cost.flops, values);
  amounts.bytes = evaluate(cost.bytes, values);
  amounts.isMatrix = cost.matrix;
  amounts.dataType = getDataTypeName(op);
  return amounts;
}

namespace {

/// Predicts the stages one by one, then the path through them.
class Predictor {
public:
  Predictor(const dist::PartitionResult &partition, ArrayRef<StagePlace> places,
            const fleet::Fleet &fleet, const SymbolValues &values)
      : partition(partition), places(places), fleet(fleet), values(values) {
    if (partition.microBatches == 1)
      return;
    // All as long as the first, which is the longest.
    int64_t &rows = this->values.try_emplace(partition.batch, 1).first->second;
    int64_t all = std::max<int64_t>(rows, 1);
    rows = llvm::divideCeil(all, partition.microBatches);
    microBatches = llvm::divideCeil(all, rows);
  }

  llvm::Expected<Prediction> run();

private:
  llvm::Error predictStage(unsigned stage);
  llvm::Error predictCalls(unsigned stage);
  llvm::Error predictPath();
  /// What a stage gives to later ones, and how long the move takes.
  struct Move {
    unsigned target;
    double time;
  };
  llvm::Expected<SmallVector<Move>> getMoves(unsigned stage);
  /// The chips of the group of the stage's first rank over some axes.
  SmallVector<int64_t> getGroup(unsigned stage, ArrayRef<std::string> axes) const;

  const dist::PartitionResult &partition;
  ArrayRef<StagePlace> places;
  const fleet::Fleet &fleet;
  SymbolValues values; ///< of a micro-batch
  int64_t microBatches = 1;
  Prediction result;
};

SmallVector<int64_t> Predictor::getGroup(unsigned stage, ArrayRef<std::string> axes) const {
  SmallVector<int64_t> chips = {places[stage].firstChip};
  int64_t stride = 1;
  for (const auto &[axis, size] :
       llvm::reverse(partition.meshes[partition.stages[stage].mesh].axes)) {
    if (llvm::is_contained(axes, axis)) {
      SmallVector<int64_t> all;
      for (int64_t index = 0; index < size; ++index)
        for (int64_t chip : chips)
          all.push_back(chip + index * stride);
      chips = std::move(all);
    }
    stride *= size;
  }
  return chips;
}

llvm::Error Predictor::predictStage(unsigned stage) {
  const fleet::Chip *chip = fleet.getChip(*places[stage].pool);
  llvm::Expected<ChipModel> model = ChipModel::create(*chip);
  if (!model)
    return model.takeError();
  StagePrediction &prediction = result.stages.emplace_back();
  ModuleOp module = partition.programs[partition.stages[stage].program].module;
  auto main = module.lookupSymbol<func::FuncOp>("main");
  for (Operation &op : main.front()) {
    if (dist::isSource(&op) || op.hasTrait<OpTrait::IsTerminator>() ||
        isa<dist::DistDialect>(op.getDialect()))
      continue;
    llvm::Expected<OpTime> time = model->getTime(getOpAmounts(&op, values), result.figures);
    if (!time)
      return time.takeError();
    prediction.compute += time->compute;
    prediction.memory += time->memory;
    prediction.launch += time->launch;
    prediction.time += time->getTotal();
  }
  return predictCalls(stage);
}

llvm::Error Predictor::predictCalls(unsigned stage) {
  StagePrediction &prediction = result.stages.back();
  PoolNetwork network(fleet, *places[stage].pool);
  for (const dist::CallInfo &call : partition.programs[partition.stages[stage].program].calls) {
    SmallVector<int64_t> chips = getGroup(stage, call.axes);
    double bytes = evaluate(call.elements, values) * getElementBytes(call.elementType);
    // Counted for one peer, but for all_reduce and what may all go to one.
    if (call.kind != "all_reduce" && call.kind != "ragged_all_to_all" && call.kind != "permute")
      bytes *= chips.size();
    llvm::Expected<double> time =
        network.getCollectiveTime(call.kind, bytes, chips, result.figures);
    if (!time)
      return time.takeError();
    prediction.communication += *time;
  }
  prediction.time += prediction.communication;
  return llvm::Error::success();
}

llvm::Expected<SmallVector<Predictor::Move>> Predictor::getMoves(unsigned stage) {
  std::map<unsigned, double> bytesTo;
  for (const dist::LinkInfo &link : partition.links) {
    if (link.from.stage != stage || !link.to.stage)
      continue;
    const dist::PortInfo &port =
        partition.programs[partition.stages[stage].program].outputs[link.from.port];
    double bytes = getElementBytes(port.local.getElementType());
    for (const std::string &dim : port.localDims)
      bytes *= evaluate(dim, values);
    bytesTo[*link.to.stage] += bytes;
  }
  SmallVector<Move> moves;
  for (auto [target, bytes] : bytesTo) {
    const StagePlace &from = places[stage], &to = places[target];
    llvm::Expected<double> time =
        from.pool == to.pool
            ? PoolNetwork(fleet, *from.pool)
                  .getMessageTime(bytes, from.firstChip, to.firstChip, result.figures)
            : getCrossTime(fleet, from.pool->id, to.pool->id, bytes, result.figures);
    if (!time)
      return time.takeError();
    moves.push_back({target, *time});
  }
  return moves;
}

llvm::Error Predictor::predictPath() {
  SmallVector<SmallVector<Move>> moves;
  for (unsigned stage = 0; stage < partition.stages.size(); ++stage) {
    llvm::Expected<SmallVector<Move>> own = getMoves(stage);
    if (!own)
      return own.takeError();
    moves.push_back(std::move(*own));
  }
  // When each stage is through with a micro-batch, and the transfers before that on its
  // path.
  std::vector<double> free(partition.stages.size(), 0);
  for (int64_t number = 0; number < microBatches; ++number) {
    std::vector<double> arrived(partition.stages.size(), 0), moved(partition.stages.size(), 0);
    for (unsigned stage = 0; stage < partition.stages.size(); ++stage) {
      double end = std::max(arrived[stage], free[stage]) + result.stages[stage].time;
      free[stage] = end;
      if (end > result.step) {
        result.step = end;
        result.transfer = moved[stage];
      }
      for (const Move &move : moves[stage])
        if (end + move.time > arrived[move.target]) {
          arrived[move.target] = end + move.time;
          moved[move.target] = moved[stage] + move.time;
        }
    }
  }
  for (StagePrediction &stage : result.stages)
    for (double *part :
         {&stage.compute, &stage.memory, &stage.communication, &stage.launch, &stage.time})
      *part *= static_cast<double>(microBatches);
  return llvm::Error::success();
}

llvm::Expected<Prediction> Predictor::run() {
  for (unsigned stage = 0; stage < partition.stages.size(); ++stage)
    if (llvm::Error error = predictStage(stage))
      return error;
  if (llvm::Error error = predictPath())
    return error;
  return std::move(result);
}

} // namespace

llvm::Expected<Prediction> planner::predictStep(const dist::PartitionResult &partition,
                                                ArrayRef<StagePlace> places,
                                                const fleet::Fleet &fleet,
                                                const SymbolValues &values) {
  return Predictor(partition, places, fleet, values).run();
}
