//===- Profile.cpp - what a model costs, op by op -------------------------===//
#include "Profile.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/States.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Plan/Predict.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::planner;
using onnx::FactorKind;

bool OpProfile::hasCostOf(const OpProfile &other) const {
  auto key = [](const OpProfile &op) {
    return std::make_tuple(op.amounts.flops, op.amounts.bytes, op.amounts.dataType,
                           op.amounts.isMatrix, op.amounts.isLaunched, op.weightBytes,
                           op.reducedBytes, op.gatheredBytes);
  };
  return key(*this) == key(other) && tp == other.tp && dp == other.dp &&
         weightTp == other.weightTp && resultTp == other.resultTp;
}

/// Bytes of a value; 0 for what is no tensor.
static double getBytes(Type type, const SymbolValues &extents) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return 0;
  FailureOr<SmallVector<DimExpr>> dims = dist::getExtents(tensor);
  if (failed(dims))
    return 0;
  double bits = tensor.getElementType().isIntOrFloat() ? tensor.getElementTypeBitWidth() : 128;
  double bytes = std::max(bits, bits == 1 ? 8.0 : bits) / 8;
  for (const DimExpr &dim : *dims)
    bytes *= evaluate(dim, extents);
  return bytes;
}

static bool isCut(const dist::Cut &cut, StringRef axis) {
  return llvm::any_of(cut.axes, [&](StringAttr name) { return name.getValue() == axis; });
}

/// The blocks into which a dim of a value is cut along `axis`.
static Split getSplit(const dist::Cuts &cuts, RankedTensorType type, StringRef axis,
                      const SymbolValues &extents) {
  FailureOr<SmallVector<DimExpr>> dims = dist::getExtents(type);
  for (auto [index, cut] : llvm::enumerate(cuts))
    if (succeeded(dims) && isCut(cut, axis))
      return {std::max(std::ceil(evaluate((*dims)[index], extents) / cut.unit), 1.0), false};
  return {};
}

FailureOr<ModelProfile> ModelProfile::create(ModuleOp module, const ChoiceRequest &request) {
  ModelProfile profile;
  profile.module = module.clone();
  dist::Strategy strategy;
  strategy.mesh = {{"dp", 2}, {"tp", 2}};
  strategy.states = request.states;
  if (failed(dist::applyStrategy(*profile.module, strategy)))
    return failure();
  FailureOr<func::FuncOp> main = dist::getMainFunction(*profile.module);
  FailureOr<SmallVector<dist::MeshOp>> meshes = dist::getStageMeshes(*profile.module);
  if (failed(main) || failed(meshes))
    return failure();
  profile.main = *main;
  profile.propagation = std::make_unique<dist::Propagation>(*main, *meshes);
  if (failed(profile.propagation->readDirectives()) ||
      failed(dist::tieStates(*profile.module, *main, *profile.propagation)))
    return failure();
  profile.propagation->run();
  for (Operation &op : main->front())
    if (!dist::isSource(&op) && !op.hasTrait<OpTrait::IsTerminator>()) {
      profile.positions[&op] = profile.operations.size();
      profile.operations.push_back(&op);
    }
  profile.measure(request.extents);
  return std::move(profile);
}

void ModelProfile::measureOp(Operation *op, OpProfile &profile, const SymbolValues &extents) {
  profile.amounts = getOpAmounts(op, extents);
  const onnx::ShardingRule &rule = propagation->getRule(op);
  bool addsUp = false;
  for (auto [index, factor] : llvm::enumerate(rule.factors)) {
    const dist::Cut &cut = propagation->getFactorCut(op, index);
    Split split{std::max(std::ceil(evaluate(factor.size, extents) / cut.unit), 1.0), factor.even};
    if (isCut(cut, "tp"))
      profile.tp = split;
    if (isCut(cut, "dp"))
      profile.dp = split;
    addsUp |= isCut(cut, "tp") && factor.kind == FactorKind::Reduction;
  }
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    Operation *producer = operand.getDefiningOp();
    if (auto use = dyn_cast_or_null<onnx::UseOp>(producer)) {
      double bytes = getBytes(use.getType(), extents);
      bool isTable = isa<onnx::GatherOp>(op) && index == 0;
      (isTable ? profile.tableBytes : profile.weightBytes) += bytes;
      Split split = getSplit(propagation->getOperandCuts(op, index), use.getType(), "tp", extents);
      if (split.blocks > 1)
        profile.weightTp = split;
      continue;
    }
    // Held in parts, wanted whole.
    auto held = producer ? positions.find(producer) : positions.end();
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || held == positions.end())
      continue;
    dist::Cuts from =
        propagation->getResultCuts(producer, cast<OpResult>(operand).getResultNumber());
    dist::Cuts to = propagation->getOperandCuts(op, index);
    for (auto [a, b] : llvm::zip_equal(from, to))
      if (isCut(a, "tp") && !isCut(b, "tp"))
        profile.gatheredBytes += getBytes(type, extents);
  }
  if (profile.amounts.isLaunched)
    profile.amounts.bytes = std::max(profile.amounts.bytes - profile.weightBytes, 0.0);
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      continue;
    profile.resultBytes += getBytes(type, extents);
    Split split = getSplit(propagation->getResultCuts(op, index), type, "tp", extents);
    if (split.blocks > 1)
      profile.resultTp = split;
  }
  if (addsUp)
    profile.reducedBytes = profile.resultBytes;
}

void ModelProfile::measurePorts(const SymbolValues &extents) {
  FailureOr<SmallVector<dist::StatePair>> states = dist::getStates(*module, main);
  Operation *terminator = main.front().getTerminator();
  auto add = [&](Value value, bool isState, size_t first, size_t last) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    Operation *producer = value.getDefiningOp();
    dist::Cuts cuts =
        producer && positions.contains(producer)
            ? propagation->getResultCuts(producer, cast<OpResult>(value).getResultNumber())
            : propagation->getValueCuts(value, 0);
    ports.push_back({getBytes(type, extents), getSplit(cuts, type, "tp", extents),
                     getSplit(cuts, type, "dp", extents), first, last, isState});
  };
  for (BlockArgument argument : main.getArguments()) {
    bool isState = succeeded(states) && llvm::any_of(*states, [&](const dist::StatePair &state) {
                     return state.argument == argument.getArgNumber();
                   });
    size_t first = ops.size(), last = 0;
    for (Operation *user : argument.getUsers())
      if (auto it = positions.find(main.front().findAncestorOpInBlock(*user));
          it != positions.end()) {
        first = std::min(first, it->second);
        last = std::max(last, it->second);
      }
    if (first < ops.size())
      add(argument, isState, first, last);
  }
  for (auto [index, operand] : llvm::enumerate(terminator->getOperands())) {
    bool isState = succeeded(states) && llvm::any_of(*states, [&](const dist::StatePair &state) {
                     return state.result == index;
                   });
    Operation *producer = operand.getDefiningOp();
    auto it = producer ? positions.find(producer) : positions.end();
    if (it != positions.end())
      add(operand, isState, it->second, it->second);
  }
}

void ModelProfile::measure(const SymbolValues &extents) {
  ops.assign(operations.size(), {});
  lastUse.assign(operations.size(), 0);
  ports.clear();
  weights.clear();
  llvm::DenseMap<Attribute, size_t> weightNumbers;
  for (auto [position, op] : llvm::enumerate(operations)) {
    measureOp(op, ops[position], extents);
    lastUse[position] = position;
    for (Operation *user : op->getUsers())
      if (auto it = positions.find(main.front().findAncestorOpInBlock(*user));
          it != positions.end())
        lastUse[position] = std::max(lastUse[position], it->second);
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      if (auto use = operand.getDefiningOp<onnx::UseOp>()) {
        auto [it, inserted] = weightNumbers.try_emplace(use.getWeightAttr(), weights.size());
        if (inserted)
          weights.push_back(
              {getBytes(use.getType(), extents),
               getSplit(propagation->getOperandCuts(op, index), use.getType(), "tp", extents),
               {}});
        if (weights[it->second].users.empty() || weights[it->second].users.back() != position)
          weights[it->second].users.push_back(position);
      }
  }
  measurePorts(extents);
}

std::vector<size_t> ModelProfile::getBorders(int64_t count) {
  return dist::getStageBorders(main, count);
}
