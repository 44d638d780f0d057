//===- Shape.cpp - reshapes, transposes, broadcasts, generated tensors ----===//
#include "Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Reshape, Squeeze, Unsqueeze, Flatten: the result type says it all.
template <typename OpT> void addReshape(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    return e.reshape(in.getOperands()[0], op->getOperand(0).getType(), resultType(op));
  });
}

Lowered lowerTile(TileOp op, TileOp::Adaptor in, Emitter &e) {
  RankedTensorType source = cast<RankedTensorType>(op.getInput().getType()), type = resultType(op);
  Integers repeats(op.getRepeats(), in.getRepeats());
  if (!repeats.constants)
    // Repeats that are read at run time give no extents to a loop nest.
    return e.pointwise(e.extents(type), resultElement(op), {}, [&](Emitter &e, ValueRange) {
      SmallVector<Value> at;
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        Value size = e.index(e.extent(source, dim));
        at.push_back(arith::RemUIOp::create(e, e.loopIndex(dim), size));
      }
      return e.extract(in.getInput(), at);
    });
  // Seen as [repeat, extent] pairs, the result is a broadcast.
  Extents shape;
  SmallVector<AffineExpr> exprs;
  SmallVector<ReassociationIndices> groups;
  unsigned loops = 0;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    OpFoldResult repeat = e.integerAt(repeats, dim);
    ReassociationIndices &group = groups.emplace_back();
    if (!isConstantIntValue(repeat, 1)) {
      shape.push_back(repeat);
      group.push_back(loops++);
    }
    shape.push_back(e.extent(source, dim));
    exprs.push_back(e.loop(loops));
    group.push_back(loops++);
  }
  Value pairs = e.pointwise(shape, resultElement(op), {{in.getInput(), e.map(loops, exprs)}},
                            [](Emitter &, ValueRange args) { return args[0]; });
  return e.collapse(pairs, groups);
}

Lowered lowerRange(RangeOp op, RangeOp::Adaptor in, Emitter &e) {
  Type element = resultElement(op), compute = getComputeType(element);
  Value start = e.widen(e.extract(in.getStart())), delta = e.widen(e.extract(in.getDelta()));
  return e.pointwise(e.extents(resultType(op)), element, {}, [&](Emitter &e, ValueRange) {
    Value i = arith::IndexCastOp::create(e, e.getI64Type(), e.loopIndex(0));
    Value at = e.convert(i, compute, false, false);
    return e.toFloatType(e.add(start, e.mul(at, delta)), element);
  });
}

Lowered lowerTrilu(TriluOp op, TriluOp::Adaptor in, Emitter &e) {
  unsigned rank = resultType(op).getRank();
  bool upper = op.getUpper() != 0;
  Value k = present(in.getK()) ? e.toIndex(e.extract(in.getK())) : e.index(int64_t{0});
  return e.pointwise(e.extents(resultType(op)), resultElement(op),
                     {{in.getInput(), e.identity(rank)}}, [&](Emitter &e, ValueRange args) {
                       Value border = e.add(e.loopIndex(rank - 2), k);
                       Value column = e.loopIndex(rank - 1);
                       auto kind =
                           upper ? Emitter::Compare::GreaterEqual : Emitter::Compare::LessEqual;
                       Value keep = e.compare(kind, column, border);
                       return e.select(keep, args[0], e.constant(args[0].getType(), 0));
                     });
}

Lowered lowerEyeLike(EyeLikeOp op, EyeLikeOp::Adaptor, Emitter &e) {
  Type element = resultElement(op);
  int64_t k = op.getK();
  return e.pointwise(e.extents(resultType(op)), element, {}, [&](Emitter &e, ValueRange) {
    Value diagonal = e.add(e.loopIndex(0), e.index(k));
    Value on = e.compare(Emitter::Compare::Equal, diagonal, e.loopIndex(1));
    return e.select(on, e.constant(element, 1), e.constant(element, 0));
  });
}

Lowered lowerConstantOfShape(ConstantOfShapeOp op, ConstantOfShapeOp::Adaptor, Emitter &e) {
  Type element = resultElement(op);
  Value scalar;
  auto dense = dyn_cast_if_present<DenseElementsAttr>(op.getValueAttr());
  if (!dense)
    scalar = e.constant(element, 0);
  else if (isa<FloatType>(element))
    scalar = arith::ConstantOp::create(e, *dense.getValues<FloatAttr>().begin());
  else if (isa<IntegerType>(element))
    scalar =
        arith::ConstantOp::create(e, IntegerAttr::get(element, *dense.getValues<APInt>().begin()));
  else
    return Lowered::refuse("this element type is not supported");
  return e.filled(e.extents(resultType(op)), scalar);
}

/// Shape and Size, where shape arithmetic did not fold them.
Lowered lowerShape(ShapeOp op, ShapeOp::Adaptor, Emitter &e) {
  auto type = cast<RankedTensorType>(op.getData().getType());
  int64_t rank = type.getRank();
  auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  int64_t start = clamp(op.getStart());
  int64_t end = clamp(op.getEnd() ? static_cast<int64_t>(*op.getEnd()) : rank);
  SmallVector<Value> elements;
  for (int64_t dim = start; dim < end; ++dim)
    elements.push_back(arith::IndexCastOp::create(e, e.getI64Type(), e.index(e.extent(type, dim))));
  auto result = RankedTensorType::get({static_cast<int64_t>(elements.size())}, e.getI64Type());
  return tensor::FromElementsOp::create(e, result, elements).getResult();
}

Lowered lowerSize(SizeOp op, SizeOp::Adaptor, Emitter &e) {
  Value size = e.index(e.productOf(e.extents(op.getData().getType())));
  Value element = arith::IndexCastOp::create(e, e.getI64Type(), size);
  return tensor::FromElementsOp::create(e, RankedTensorType::get({}, e.getI64Type()), element)
      .getResult();
}

/// [n, c, h, w] -> [n, c / b^2, h b, w b]; DCR and CRD differ in where the
/// blocks lie in c.
Lowered lowerDepthToSpace(DepthToSpaceOp op, DepthToSpaceOp::Adaptor in, Emitter &e) {
  OpFoldResult block = e.attr(op.getBlocksize());
  OpFoldResult depth = e.extent(resultType(op), 1);
  bool dcr = op.getMode() == "DCR";
  Value split = e.splitDim(in.getInput(), 1,
                           dcr ? ArrayRef<OpFoldResult>{block, block, depth}
                               : ArrayRef<OpFoldResult>{depth, block, block});
  Value moved = e.transpose(split, dcr ? ArrayRef<int64_t>{0, 3, 4, 1, 5, 2}
                                       : ArrayRef<int64_t>{0, 1, 4, 2, 5, 3});
  return e.joinDims(e.joinDims(moved, 4, 5), 2, 3);
}

Lowered lowerSpaceToDepth(SpaceToDepthOp op, SpaceToDepthOp::Adaptor in, Emitter &e) {
  OpFoldResult block = e.attr(op.getBlocksize());
  RankedTensorType type = resultType(op);
  Value split = e.splitDim(in.getInput(), 3, {e.extent(type, 3), block});
  split = e.splitDim(split, 2, {e.extent(type, 2), block});
  Value moved = e.transpose(split, {0, 3, 5, 1, 2, 4});
  return e.joinDims(moved, 1, 3);
}

} // namespace

void dougong::onnx::populateShapePatterns(PatternSet &set) {
  addReshape<ReshapeOp>(set);
  addReshape<SqueezeOp>(set);
  addReshape<UnsqueezeOp>(set);
  addReshape<FlattenOp>(set);
  set.add<TransposeOp>([](TransposeOp op, TransposeOp::Adaptor in, Emitter &e) -> Lowered {
    SmallVector<int64_t> permutation;
    if (auto given = op.getPerm())
      permutation.assign(given->begin(), given->end());
    else
      for (int64_t dim = resultType(op).getRank(); dim-- > 0;)
        permutation.push_back(dim);
    if (permutation.empty())
      return in.getData();
    return e.transpose(in.getData(), permutation);
  });
  set.add<ExpandOp>([](ExpandOp op, ExpandOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getInput(), in.getInput(), e,
                            [](Emitter &, ValueRange args) { return args[0]; });
  });
  set.add<DropoutOp>([](DropoutOp op, DropoutOp::Adaptor in, Emitter &e) -> Lowered {
    if (present(op.getTrainingMode())) {
      auto mode = op.getTrainingMode().getDefiningOp<ConstantOp>();
      auto value = mode ? dyn_cast_if_present<DenseElementsAttr>(mode.getValueAttr()) : nullptr;
      if (!value || !value.isSplat() || value.getSplatValue<bool>())
        return Lowered::refuse("training mode is not supported");
    }
    Value mask;
    if (present(op->getResult(1)))
      mask = e.filled(e.extents(resultType(op, 1)), e.constantInt(e.getI1Type(), 1));
    return {in.getData(), mask};
  });
  set.add<TileOp>(lowerTile);
  set.add<RangeOp>(lowerRange);
  set.add<TriluOp>(lowerTrilu);
  set.add<EyeLikeOp>(lowerEyeLike);
  set.add<ConstantOfShapeOp>(lowerConstantOfShape);
  set.add<ShapeOp>(lowerShape);
  set.add<SizeOp>(lowerSize);
  set.add<DepthToSpaceOp>(lowerDepthToSpace);
  set.add<SpaceToDepthOp>(lowerSpaceToDepth);
}
