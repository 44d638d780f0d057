//===- Scatter.cpp - writes at places given by index tensors ---------------===//
//
// Loops in order over the updates: the order is ONNX's where places repeat.
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// `old` and `update` by the attribute `reduction`.
Value combine(Emitter &e, StringRef reduction, Value old, Value update, bool isUnsigned) {
  Value a = e.widen(old), b = e.widen(update), result = b;
  if (reduction == "add")
    result = e.add(a, b);
  else if (reduction == "mul")
    result = e.mul(a, b);
  else if (reduction == "max")
    result = e.max(a, b, isUnsigned);
  else if (reduction == "min")
    result = e.min(a, b, isUnsigned);
  else
    return update;
  return e.toFloatType(result, old.getType());
}

std::string checkReduction(StringRef reduction, Type element) {
  static constexpr StringRef known[] = {"none", "add", "mul", "max", "min"};
  if (!llvm::is_contained(known, reduction))
    return ("reduction " + reduction + " is not supported").str();
  if (reduction != "none" && element.isInteger(1))
    return ("reduction " + reduction + " of booleans is not supported").str();
  return "";
}

/// result[.., indices[i..], ..] = updates[i..], along one axis. Scatter is the older
/// name, without a reduction.
template <typename OpT> Lowered lowerScatterElements(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  StringRef reduction = "none";
  if constexpr (requires { op.getReduction(); })
    reduction = op.getReduction();
  if (std::string refusal = checkReduction(reduction, type.getElementType()); !refusal.empty())
    return Lowered::refuse(refusal);
  bool unsignedElement = isUnsigned(op.getData());
  OpFoldResult size = e.extent(type, axis);
  return e.repeatNest(e.extents(op.getIndices().getType()), in.getData(),
                      [&](Emitter &e, ValueRange at, Value carried) -> Value {
                        SmallVector<Value> place(at);
                        place[axis] = e.wrapIndex(e.extract(in.getIndices(), at), size);
                        Value update = e.extract(in.getUpdates(), at);
                        if (reduction != "none")
                          update = combine(e, reduction, e.extract(carried, place), update,
                                           unsignedElement);
                        return tensor::InsertOp::create(e, update, carried, place);
                      });
}

/// Each tuple of `indices` names a place of the first dims, at which a slice of
/// `updates` is written.
Lowered lowerScatterND(ScatterNDOp op, ScatterNDOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op), indices = typeOf(in.getIndices());
  int64_t rank = type.getRank(), outer = indices.getRank() - 1;
  int64_t tuple = indices.getDimSize(outer);
  if (ShapedType::isDynamic(tuple) || tuple > rank)
    return Lowered::refuse("index tuples of unknown length are not supported");
  StringRef reduction = op.getReduction();
  if (std::string refusal = checkReduction(reduction, type.getElementType()); !refusal.empty())
    return Lowered::refuse(refusal);
  bool unsignedElement = isUnsigned(op.getData());
  Extents shape = e.extents(type);
  Extents nest = e.extents(op.getIndices().getType());
  nest.pop_back();
  return e.repeatNest(nest, in.getData(), [&](Emitter &e, ValueRange at, Value carried) -> Value {
    SmallVector<Value> where(at), place;
    where.push_back(Value());
    for (int64_t i = 0; i < tuple; ++i) {
      where.back() = e.index(i);
      place.push_back(e.wrapIndex(e.extract(in.getIndices(), where), shape[i]));
    }
    Extents inner(shape.begin() + tuple, shape.end());
    return e.repeatNest(inner, carried, [&](Emitter &e, ValueRange rest, Value carried) -> Value {
      SmallVector<Value> target(place), source(at);
      target.append(rest.begin(), rest.end());
      source.append(rest.begin(), rest.end());
      Value update = e.extract(in.getUpdates(), source);
      if (reduction != "none")
        update = combine(e, reduction, e.extract(carried, target), update, unsignedElement);
      return tensor::InsertOp::create(e, update, carried, target);
    });
  });
}

} // namespace

void dougong::onnx::populateScatterPatterns(PatternSet &set) {
  set.add<ScatterElementsOp>(lowerScatterElements<ScatterElementsOp>);
  set.add<ScatterOp>(lowerScatterElements<ScatterOp>);
  set.add<ScatterNDOp>(lowerScatterND);
  set.add<NonZeroOp>([](NonZeroOp, NonZeroOp::Adaptor, Emitter &) {
    return Lowered::refuse("an extent that depends on data is not supported");
  });
  set.add<CompressOp>([](CompressOp, CompressOp::Adaptor, Emitter &) {
    return Lowered::refuse("an extent that depends on data is not supported");
  });
}
