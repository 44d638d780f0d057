//===- Stages.cpp - a model in runs of about equal weight -----------------===//
#include "Automatic.h"

#include "dougong/Dist/Strategy.h"
#include "dougong/Onnx/Cost.h"

#include <limits>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// What a stage pays for an op: the bytes of its weights, and a little for each
/// op, so that models without weights are cut too.
static double getWeight(Operation *op) {
  double weight = 1;
  for (Value operand : op->getOperands())
    if (Operation *producer = operand.getDefiningOp(); producer && isa<onnx::UseOp>(producer))
      // A look-up reads a few rows of its table.
      weight += isa<onnx::GatherOp>(op) ? 1 : getBytes(operand.getType());
  return weight;
}

/// The ops that stages are made of, in order.
static SmallVector<Operation *> getOps(func::FuncOp main) {
  SmallVector<Operation *> ops;
  for (Operation &op : main.front())
    if (!isSource(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      ops.push_back(&op);
  return ops;
}

std::vector<size_t> dougong::dist::getStageBorders(func::FuncOp main, int64_t count) {
  SmallVector<Operation *> ops = getOps(main);
  llvm::DenseMap<Operation *, unsigned> position;
  for (auto [index, op] : llvm::enumerate(ops))
    position[op] = index;
  // Values that live across the border before op i, and weight before it.
  SmallVector<int> crossing(ops.size() + 2, 0);
  SmallVector<double> before(ops.size() + 1, 0);
  // Matrix products before op i: every stage gets some, if there are enough.
  SmallVector<int64_t> products(ops.size() + 1, 0);
  for (auto [index, op] : llvm::enumerate(ops)) {
    before[index + 1] = before[index] + getWeight(op);
    products[index + 1] = products[index] + onnx::getOpCost(op).matrix;
    for (Value result : op->getResults()) {
      unsigned last = index;
      for (Operation *user : result.getUsers()) {
        Operation *top = main.front().findAncestorOpInBlock(*user);
        if (auto it = position.find(top); it != position.end())
          last = std::max(last, it->second);
      }
      ++crossing[index + 1];
      --crossing[last + 1];
    }
  }
  for (size_t index = 1; index < crossing.size(); ++index)
    crossing[index] += crossing[index - 1];
  // Borders nearest to equal shares; each value that crosses costs as much as
  // being off by a quarter of a share.
  std::vector<size_t> borders{0};
  double total = before.back();
  for (int64_t stage = 1; stage < count; ++stage) {
    double wanted = total * stage / count, best = std::numeric_limits<double>::max();
    size_t border = borders.back();
    for (size_t index = borders.back() + 1; index < ops.size(); ++index) {
      if (products.back() >= count && (products[index] == products[borders.back()] ||
                                       products.back() - products[index] < count - stage))
        continue;
      double off = std::abs(before[index] - wanted) * count / std::max(total, 1.0);
      double cost = off + 0.25 * crossing[index];
      if (cost < best) {
        best = cost;
        border = index;
      }
    }
    borders.push_back(border);
  }
  return borders;
}

void dougong::dist::splitIntoStages(func::FuncOp main, int64_t count) {
  auto products =
      llvm::count_if(getOps(main), [](Operation *op) { return onnx::getOpCost(op).matrix; });
  if (products > 0 && products < count)
    main.emitWarning() << "pp=" << count << ": the model has " << products
                       << " matrix products, so that " << count - products
                       << " stages have none; use pp=" << products << " or less";
  std::vector<size_t> borders = getStageBorders(main, count);
  Builder builder(main.getContext());
  int64_t stage = 0;
  for (auto [index, op] : llvm::enumerate(getOps(main))) {
    while (stage + 1 < static_cast<int64_t>(borders.size()) && index >= borders[stage + 1])
      ++stage;
    op->setAttr(stageAttrName, builder.getI64IntegerAttr(stage));
  }
}
