//===- DeriveAxisIndex.cpp - a rank's numbers as weights ------------------===//
#include "dougong/Target/Onnx/Passes.h"

#include "Dist/IR/Dist.h"
#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/Sequence.h"

using namespace mlir;
using namespace dougong;

namespace dougong {
#define GEN_PASS_DEF_DERIVEAXISINDEXPASS
#include "dougong/Target/Onnx/Passes.h.inc"
} // namespace dougong

namespace {

struct DeriveAxisIndex : dougong::impl::DeriveAxisIndexPassBase<DeriveAxisIndex> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::DenseMap<Attribute, FlatSymbolRefAttr> weights; // by axes
    getOperation().walk([&](dist::AxisIndexOp op) {
      FlatSymbolRefAttr &weight = weights[op.getAxes()];
      if (!weight)
        weight = declare(op, symbols);
      OpBuilder builder(op);
      op.replaceAllUsesWith(
          onnx::UseOp::create(builder, op.getLoc(), op.getType(), weight).getResult());
      op.erase();
    });
  }

  /// The weight whose part of each rank is its number along the axes.
  FlatSymbolRefAttr declare(dist::AxisIndexOp op, SymbolTable &symbols) {
    auto mesh = SymbolTable::lookupNearestSymbolFrom<dist::MeshOp>(op, op.getMeshAttr());
    SmallVector<StringAttr> axes(op.getAxes().getAsRange<StringAttr>());
    int64_t ranks = *mesh.getNumShards(axes);
    std::string name = "axis_index";
    for (StringAttr axis : axes)
      name += "." + axis.str();
    auto builder = OpBuilder::atBlockBegin(getOperation().getBody());
    auto type = RankedTensorType::get({ranks}, builder.getI64Type());
    auto insert = [&](const std::string &name, Type type, Attribute value) {
      auto weight = onnx::WeightOp::create(builder, op.getLoc(), name, type, value);
      symbols.insert(weight); // renames it if the name is taken
      return FlatSymbolRefAttr::get(weight.getSymNameAttr());
    };
    FlatSymbolRefAttr all =
        insert(name + ".all", type,
               DenseIntElementsAttr::get(type, llvm::to_vector(llvm::seq<int64_t>(ranks))));
    Attribute steps[] = {onnx::SliceStepAttr::get(&getContext(), 0, axes, ranks, 1),
                         onnx::ReshapeStepAttr::get(&getContext(), {})};
    return insert(name, op.getType(), onnx::DerivedAttr::get(&getContext(), {all}, steps));
  }
};

} // namespace
