//===- Automatic.cpp - cuts that nobody asked for in detail ---------------===//
#include "Automatic.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Onnx/Cost.h"
#include "dougong/Onnx/Sharding.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;
using onnx::FactorKind;

int64_t dist::getBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || !tensor.getElementType().isIntOrFloat())
    return 0;
  return llvm::divideCeil(tensor.getNumElements() * tensor.getElementTypeBitWidth(), 8);
}

/// Whether a value is a constant of the model, not of the step.
static bool isWeight(Value value) {
  Operation *producer = value.getDefiningOp();
  return producer && isa<onnx::UseOp, onnx::ConstantOp>(producer);
}

std::optional<WeightProduct> dist::getWeightProduct(Operation *op, const onnx::ShardingRule &rule) {
  using namespace onnx;
  unsigned weight;
  if (isa<MatMulOp, GemmOp, MatMulIntegerOp, MsMatMulNBitsOp, MsFusedMatMulOp,
          MsDynamicQuantizeMatMulOp, MsMatMulIntegerToFloatOp, ConvOp, MsFusedConvOp>(op))
    weight = 1;
  else if (isa<QLinearMatMulOp, QLinearConvOp>(op))
    weight = 3;
  else if (isa<MsMoEOp>(op))
    weight = 4;
  else if (isa<MsQMoEOp>(op))
    weight = 5;
  else if (isa<PartExpertsOp>(op))
    weight = 6;
  else
    return std::nullopt;
  if (!isWeight(op->getOperand(weight)) || weight >= rule.operands.size())
    return std::nullopt;
  WeightProduct product{weight, std::nullopt, std::nullopt};
  for (const DimFactors &dim : rule.operands[weight]) {
    if (dim.factors.empty())
      continue;
    unsigned factor = dim.factors.front();
    if (rule.factors[factor].kind == FactorKind::Reduction)
      product.in = factor;
    else if (rule.factors[factor].kind == FactorKind::PassThrough)
      product.out = factor;
  }
  if (!product.in && !product.out)
    return std::nullopt;
  return product;
}

//===----------------------------------------------------------------------===//
// Data parallelism
//===----------------------------------------------------------------------===//

std::string dist::getBatch(func::FuncOp main) {
  llvm::MapVector<StringAttr, unsigned> votes;
  for (BlockArgument argument : main.getArguments()) {
    std::string extent = getExtentText(argument, 0);
    if (extent.empty() || extent == "1")
      continue;
    bool symbolic = cast<RankedTensorType>(argument.getType()).isDynamicDim(0);
    votes[StringAttr::get(main.getContext(), extent)] += symbolic ? 1000 : 1;
  }
  std::string batch;
  unsigned most = 0;
  for (auto [extent, count] : votes)
    if (count > most) {
      batch = extent.str();
      most = count;
    }
  return batch;
}

void dist::cutBatch(func::FuncOp main, ArrayRef<MeshOp> meshes, Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), "dp");
  if (llvm::none_of(meshes, [&](MeshOp mesh) { return mesh.getAxisSize("dp").value_or(1) > 1; }))
    return;
  std::string batch = getBatch(main);
  if (batch.empty())
    return;
  for (BlockArgument argument : main.getArguments())
    if (getExtentText(argument, 0) == batch)
      propagation.cutArgument(argument, 0, {{axis}, 1});
}

//===----------------------------------------------------------------------===//
// Tensor parallelism
//===----------------------------------------------------------------------===//

/// Whether the result decides which experts run: it reaches a TopK, or the
/// router operand of a mixture, through element-wise ops and softmax.
static bool isRouter(Operation *op) {
  SmallVector<std::pair<Operation *, unsigned>> queue{{op, 0}};
  while (!queue.empty()) {
    auto [current, depth] = queue.pop_back_val();
    for (OpOperand &use : current->getUses()) {
      Operation *user = use.getOwner();
      if (isa<onnx::TopKOp>(user))
        return true;
      if (isa<onnx::MsMoEOp, onnx::MsQMoEOp>(user) && use.getOperandNumber() == 1)
        return true;
      if (depth < 6 &&
          isa<onnx::SoftmaxOp, onnx::SigmoidOp, onnx::AddOp, onnx::MulOp, onnx::DivOp, onnx::CastOp,
              onnx::ReshapeOp>(user) &&
          !getWeightProduct(user, onnx::getShardingRule(user)))
        queue.push_back({user, depth + 1});
    }
  }
  return false;
}

void dist::writeDirective(Operation *op, unsigned operand, Propagation &propagation) {
  Builder builder(op->getContext());
  SmallVector<Attribute> in(op->getNumOperands(), builder.getUnitAttr());
  if (auto present = op->getAttrOfType<ArrayAttr>(inAttrName))
    in.assign(present.begin(), present.end());
  in[operand] = makeSharding(propagation.getMesh(op), propagation.getOperandCuts(op, operand));
  op->setAttr(inAttrName, builder.getArrayAttr(in));
}

/// Whether a cut that reached these ops splits more work than that of `source`:
/// attention by heads, or a product that adds up partial results.
static bool reachesPartner(Operation *source, const llvm::SetVector<Operation *> &touched,
                           StringAttr axis, const Propagation &propagation) {
  for (Operation *op : touched) {
    const onnx::ShardingRule &rule = propagation.getRule(op);
    if (op == source || !onnx::getOpCost(op).matrix)
      continue;
    auto isCut = [&](unsigned factor) {
      return llvm::is_contained(propagation.getFactorCut(op, factor).axes, axis);
    };
    if (std::optional<WeightProduct> product = getWeightProduct(op, rule)) {
      if (product->in && isCut(*product->in))
        return true;
    } else if (llvm::any_of(llvm::seq<unsigned>(0, rule.factors.size()), isCut)) {
      return true;
    }
  }
  return false;
}

/// Cuts a factor of a product and spreads the cut. Where that ends at ops that
/// need whole values, and no other product gains, the result is gathered at once
/// instead: the cut would otherwise run along the residual stream and be
/// gathered again and again.
static std::optional<std::string> cutFeature(Operation *op, unsigned factor, StringAttr axis,
                                             Propagation &propagation) {
  propagation.beginTrial();
  if (std::optional<std::string> why = propagation.cutFactor(op, factor, {axis})) {
    propagation.endTrial(false);
    return why;
  }
  propagation.run();
  llvm::SetVector<Operation *> touched = propagation.getTouched();
  unsigned gathers = propagation.countGathers(touched);
  if (gathers == 0 || reachesPartner(op, touched, axis, propagation)) {
    propagation.endTrial(true);
    return std::nullopt;
  }
  propagation.endTrial(false);
  for (Value result : op->getResults())
    propagation.close(result);
  op->setAttr(closedAttrName, UnitAttr::get(op->getContext()));
  std::optional<std::string> why = propagation.cutFactor(op, factor, {axis});
  propagation.run();
  return why;
}

namespace {
/// The product of a stage that could be cut into most parts, of those that could
/// not be cut into as many as there are ranks.
struct NarrowProduct {
  Operation *op = nullptr;
  unsigned weight = 0; ///< operand number
  int64_t extent = 0;
};
} // namespace

LogicalResult dist::cutWeights(func::FuncOp main, ArrayRef<MeshOp> meshes,
                               Propagation &propagation) {
  Builder builder(main.getContext());
  StringAttr axis = builder.getStringAttr("tp");
  propagation.run();
  auto getWays = [&](Operation *op) {
    return MeshOp(meshes[getStage(op)]).getAxisSize("tp").value_or(1);
  };
  auto isCut = [&](Operation *op, std::optional<unsigned> factor) {
    return factor && llvm::is_contained(propagation.getFactorCut(op, *factor).axes, axis);
  };
  SmallVector<NarrowProduct> narrow(meshes.size());
  llvm::SmallDenseSet<int64_t> split; // stages of which a product is cut
  for (Operation &op : main.front()) {
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>() || getWays(&op) == 1)
      continue;
    const onnx::ShardingRule &rule = propagation.getRule(&op);
    std::optional<WeightProduct> product = getWeightProduct(&op, rule);
    if (!product)
      continue;
    if (isCut(&op, product->in) || isCut(&op, product->out)) {
      split.insert(getStage(&op));
      continue;
    }
    if (isRouter(&op)) {
      op.setAttr(replicatedAttrName,
                 builder.getStringAttr("the router decides for all experts on every rank"));
      continue;
    }
    // Columns; where the output features cannot be cut, rows. A dim with fewer
    // units than ranks would leave ranks without work.
    std::string reason = "neither input nor output features can be cut";
    bool done = false;
    for (std::optional<unsigned> factor : {product->out, product->in}) {
      if (!factor || done)
        continue;
      Result<DimExpr> size = DimExpr::parse(rule.factors[*factor].size);
      std::optional<int64_t> extent = size ? size->constant() : std::nullopt;
      if (!extent || *extent < getWays(&op)) {
        reason = "a feature dim of " + rule.factors[*factor].size +
                 " has fewer units than there are ranks";
        if (NarrowProduct &widest = narrow[getStage(&op)]; extent && *extent > widest.extent)
          widest = {&op, product->weight, *extent};
        continue;
      }
      if (std::optional<std::string> why = cutFeature(&op, *factor, axis, propagation))
        reason = *why;
      else
        done = true;
    }
    if (!done) {
      op.setAttr(replicatedAttrName, builder.getStringAttr(reason));
      continue;
    }
    split.insert(getStage(&op));
    writeDirective(&op, product->weight, propagation);
  }
  for (auto [stage, widest] : llvm::enumerate(narrow))
    if (widest.op && !split.contains(stage))
      return widest.op->emitError()
             << "axis \"tp\" of stage " << stage << " has " << getWays(widest.op)
             << " ranks, but the widest dim that its products can be cut along has "
             << widest.extent << " units (operand " << widest.weight << " of this node, of type "
             << widest.op->getOperand(widest.weight).getType() << "): tp=" << widest.extent
             << " would work";
  // Tables: each rank holds a part of the rows.
  for (auto gather : main.front().getOps<onnx::GatherOp>()) {
    Operation *op = gather;
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    const onnx::ShardingRule &rule = propagation.getRule(op);
    if (getWays(op) == 1 || !isWeight(op->getOperand(0)) || !type || type.getRank() != 2 ||
        !rule.replicated.empty() || rule.operands[0][0].factors.empty() ||
        rule.factors[rule.operands[0][0].factors.front()].kind != FactorKind::Reduction)
      continue;
    // Small tables (positions, angles) are not worth the communication: the
    // look-up must save more bytes than its result has features times ranks.
    if (type.getDimSize(0) < 2 * type.getDimSize(1) * 1 || type.getDimSize(1) < 32)
      continue;
    unsigned factor = rule.operands[0][0].factors.front();
    if (propagation.cutFactor(op, factor, {axis}))
      continue;
    propagation.run();
    writeDirective(op, 0, propagation);
  }
  return success();
}
