//===- PrintRules.cpp - what may be cut, as JSON --------------------------===//
#include "dougong/Dist/Passes.h"
#include "dougong/Onnx/Sharding.h"

#include "Dist/IR/Layout.h"

#include "llvm/Support/JSON.h"

namespace dougong::dist {
#define GEN_PASS_DEF_PRINTRULESPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong;
namespace json = llvm::json;

static StringRef toString(onnx::FactorKind kind) {
  switch (kind) {
  case onnx::FactorKind::PassThrough:
    return "pass-through";
  case onnx::FactorKind::Reduction:
    return "reduction";
  case onnx::FactorKind::Placement:
    return "placement";
  case onnx::FactorKind::NeedsReplication:
    return "whole";
  }
  llvm_unreachable("a kind of factor");
}

/// Extents of a value, and of each dim its factor and unit; null for what is no
/// tensor of known extents.
static json::Value toJson(Value value, ArrayRef<onnx::DimFactors> factors) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type ? dist::getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  if (failed(extents))
    return nullptr;
  json::Array dims;
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    json::Object entry{{"extent", extent.print()}};
    if (dim < factors.size() && !factors[dim].factors.empty()) {
      entry["factor"] = factors[dim].factors.front();
      entry["unit"] = factors[dim].unit;
    }
    dims.push_back(std::move(entry));
  }
  return dims;
}

static json::Array toJson(ValueRange values, ArrayRef<SmallVector<onnx::DimFactors>> factors) {
  json::Array array;
  for (auto [index, value] : llvm::enumerate(values))
    array.push_back(
        toJson(value, index < factors.size() ? factors[index] : ArrayRef<onnx::DimFactors>()));
  return array;
}

namespace {
struct PrintRulesPass : dougong::dist::impl::PrintRulesPassBase<PrintRulesPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (!isa<onnx::OnnxOpInterface>(op))
        return;
      onnx::ShardingRule rule = onnx::getShardingRule(op);
      json::Array factors;
      for (const onnx::Factor &factor : rule.factors)
        factors.push_back(json::Object{{"size", factor.size},
                                       {"kind", toString(factor.kind)},
                                       {"combine", factor.combine},
                                       {"even", factor.even}});
      json::Value line = json::Object{{"node", onnx::getNodeName(op->getLoc())},
                                      {"op", op->getName().stripDialect()},
                                      {"replicated", rule.replicated},
                                      {"factors", std::move(factors)},
                                      {"operands", toJson(op->getOperands(), rule.operands)},
                                      {"results", toJson(op->getResults(), rule.results)}};
      llvm::outs() << line << "\n";
    });
    markAllAnalysesPreserved();
  }
};
} // namespace
