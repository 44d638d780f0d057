//===- ConstantEvaluator.cpp - operators on dense constants ---------------===//
#include "ConstantEvaluator.h"

#include "HostTensor.h"
#include "Utils.h"

#include <cmath>

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Integers beyond this are not exact as doubles.
constexpr int64_t exactDouble = int64_t(1) << 53;

class Evaluator {
public:
  Evaluator(Operation *op, ArrayRef<std::optional<HostTensor>> operands)
      : op(op), operands(operands) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    result.shape.assign(type.getShape().begin(), type.getShape().end());
    result.elementType = type.getElementType();
    result.elements.resize(type.getNumElements());
  }

  DenseElementsAttr evaluate();

private:
  const HostTensor &get(unsigned index) const { return *operands[index]; }
  bool has(unsigned index) const { return index < operands.size() && operands[index]; }
  int64_t getRank() const { return get(0).shape.size(); }

  /// Element-wise, of one to three operands that broadcast.
  bool map(llvm::function_ref<bool(ArrayRef<HostScalar>, HostScalar &)> function);
  /// Picks elements of operand 0 by coordinates of the result.
  bool pick(llvm::function_ref<int64_t(ArrayRef<int64_t>)> position);

  bool arithmetic();
  bool compare();
  bool unary();
  bool convert();
  bool dequantize();
  bool gather();
  bool slice();
  bool concat();
  bool range();

  Operation *op;
  ArrayRef<std::optional<HostTensor>> operands;
  HostTensor result;
};

bool Evaluator::map(llvm::function_ref<bool(ArrayRef<HostScalar>, HostScalar &)> function) {
  bool valid = true;
  forEachCoordinate(result.shape, [&](int64_t index, ArrayRef<int64_t> coordinate) {
    SmallVector<HostScalar, 3> arguments;
    for (const auto &operand : operands)
      arguments.push_back(operand->elements[getBroadcastPosition(operand->shape, coordinate)]);
    valid = valid && function(arguments, result.elements[index]);
  });
  return valid;
}

bool Evaluator::pick(llvm::function_ref<int64_t(ArrayRef<int64_t>)> position) {
  bool valid = true;
  forEachCoordinate(result.shape, [&](int64_t index, ArrayRef<int64_t> coordinate) {
    int64_t source = position(coordinate);
    valid = valid && source >= 0 && source < get(0).getNumElements();
    if (valid)
      result.elements[index] = get(0).elements[source];
  });
  return valid;
}

bool Evaluator::arithmetic() {
  bool isFloat = get(0).isFloat();
  bool isWideUnsigned = get(0).elementType.isUnsignedInteger(64);
  return map([&](ArrayRef<HostScalar> a, HostScalar &out) {
    // Wrapping: the element type cuts off what is too much.
    uint64_t x = a[0].integer, y = a[1].integer;
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<AddOp>([&](auto) {
          out = {a[0].real + a[1].real, int64_t(x + y)};
          return true;
        })
        .Case<SubOp>([&](auto) {
          out = {a[0].real - a[1].real, int64_t(x - y)};
          return true;
        })
        .Case<MulOp>([&](auto) {
          out = {a[0].real * a[1].real, int64_t(x * y)};
          return true;
        })
        .Case<DivOp>([&](auto) {
          if (isFloat) {
            out.real = a[0].real / a[1].real;
            return true;
          }
          if (a[1].integer == 0 || a[1].integer == -1 || isWideUnsigned)
            return false;
          out.integer = a[0].integer / a[1].integer;
          return true;
        })
        .Case<MinOp, MaxOp>([&](auto) {
          if (isWideUnsigned || std::isnan(a[0].real) || std::isnan(a[1].real))
            return false;
          bool less = isFloat ? a[0].real < a[1].real : a[0].integer < a[1].integer;
          out = less == isa<MinOp>(op) ? a[0] : a[1];
          return true;
        })
        .Default([](Operation *) { return false; });
  });
}

bool Evaluator::compare() {
  if (get(0).elementType.isUnsignedInteger(64))
    return false;
  bool isFloat = get(0).isFloat();
  return map([&](ArrayRef<HostScalar> a, HostScalar &out) {
    auto decide = [&](auto x, auto y) {
      if (isa<EqualOp>(op))
        return x == y;
      if (isa<LessOp>(op))
        return x < y;
      if (isa<LessOrEqualOp>(op))
        return x <= y;
      if (isa<GreaterOp>(op))
        return x > y;
      if (isa<GreaterOrEqualOp>(op))
        return x >= y;
      if (isa<AndOp>(op))
        return x && y;
      return isa<OrOp>(op) ? x || y : bool(x) != bool(y);
    };
    out.integer = isFloat ? decide(a[0].real, a[1].real) : decide(a[0].integer, a[1].integer);
    return true;
  });
}

bool Evaluator::unary() {
  bool isFloat = get(0).isFloat();
  return map([&](ArrayRef<HostScalar> a, HostScalar &out) {
    double x = a[0].real;
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<NegOp>([&](auto) {
          out = {-x, int64_t(-uint64_t(a[0].integer))};
          return true;
        })
        .Case<AbsOp>([&](auto) {
          out = {std::fabs(x), a[0].integer < 0 ? int64_t(-uint64_t(a[0].integer)) : a[0].integer};
          return true;
        })
        .Case<NotOp>([&](auto) {
          out.integer = !a[0].integer;
          return true;
        })
        .Case<SqrtOp>([&](auto) {
          out.real = std::sqrt(x);
          return isFloat && x >= 0;
        })
        .Case<ReciprocalOp>([&](auto) {
          out.real = 1 / x;
          return isFloat;
        })
        .Case<FloorOp>([&](auto) {
          out.real = std::floor(x);
          return isFloat;
        })
        .Case<CeilOp>([&](auto) {
          out.real = std::ceil(x);
          return isFloat;
        })
        .Default([](Operation *) { return false; });
  });
}

bool Evaluator::convert() {
  bool fromFloat = get(0).isFloat(), toFloat = result.isFloat();
  unsigned width = result.elementType.getIntOrFloatBitWidth();
  // Narrow floats saturate, as attributes say.
  if (toFloat && width < 16)
    return false;
  bool toBool = width == 1;
  bool isUnsigned = result.elementType.isUnsignedInteger();
  return map([&](ArrayRef<HostScalar> a, HostScalar &out) {
    if (toBool) {
      out.integer = fromFloat ? a[0].real != 0 : a[0].integer != 0;
      return true;
    }
    if (fromFloat && toFloat) {
      out.real = a[0].real;
      return true;
    }
    if (toFloat) {
      out.real = double(a[0].integer);
      return a[0].integer >= -exactDouble && a[0].integer <= exactDouble;
    }
    if (!fromFloat) {
      out.integer = a[0].integer;
      return true;
    }
    double truncated = std::trunc(a[0].real);
    double limit = std::ldexp(1.0, int(width) - (isUnsigned ? 0 : 1));
    if (!(truncated < limit && truncated >= (isUnsigned ? 0 : -limit)) ||
        std::fabs(truncated) > double(exactDouble))
      return false;
    out.integer = int64_t(truncated);
    return true;
  });
}

/// Of 32-bit integers, as biases are: narrower ones are factors of products of
/// integers, and stay.
bool Evaluator::dequantize() {
  bool isVector = result.shape.size() == 1, hasZero = has(2);
  if (!get(0).elementType.isInteger(32) || !result.elementType.isF32() ||
      !get(1).elementType.isF32())
    return false;
  int64_t scales = get(1).getNumElements();
  if ((scales != 1 && !(isVector && scales == result.getNumElements())) ||
      (hasZero && llvm::any_of(get(2).elements, [](HostScalar z) { return z.integer != 0; })))
    return false;
  for (auto [index, out] : llvm::enumerate(result.elements)) {
    float real = static_cast<float>(get(0).elements[index].integer);
    out.real = real * static_cast<float>(get(1).elements[scales == 1 ? 0 : index].real);
  }
  return true;
}

bool Evaluator::gather() {
  auto gather = cast<GatherOp>(op);
  const HostTensor &data = get(0), &indices = get(1);
  int64_t axis = normalizeAxis(gather.getAxis(), data.shape.size());
  if (axis < 0)
    return false;
  SmallVector<int64_t> strides = getRowMajorStrides(data.shape);
  size_t indexRank = indices.shape.size();
  return pick([&](ArrayRef<int64_t> coordinate) -> int64_t {
    int64_t index = 0;
    for (size_t d = 0; d < indexRank; ++d)
      index = index * indices.shape[d] + coordinate[axis + d];
    int64_t chosen = indices.elements[index].integer;
    chosen = chosen < 0 ? chosen + data.shape[axis] : chosen;
    if (chosen < 0 || chosen >= data.shape[axis])
      return -1;
    int64_t position = chosen * strides[axis];
    for (int64_t d = 0; d < axis; ++d)
      position += coordinate[d] * strides[d];
    for (size_t d = axis + 1; d < data.shape.size(); ++d)
      position += coordinate[d - 1 + indexRank] * strides[d];
    return position;
  });
}

bool Evaluator::slice() {
  const HostTensor &data = get(0);
  size_t rank = data.shape.size();
  SmallVector<int64_t> begins(rank, 0), steps(rank, 1), strides = getRowMajorStrides(data.shape);
  for (int64_t i = 0; i < get(1).getNumElements(); ++i) {
    int64_t axis = has(3) ? get(3).elements[i].integer : i;
    axis = axis < 0 ? axis + int64_t(rank) : axis;
    if (axis < 0 || axis >= int64_t(rank))
      return false;
    int64_t step = has(4) ? get(4).elements[i].integer : 1, extent = data.shape[axis];
    int64_t start = get(1).elements[i].integer;
    start = start < 0 ? start + extent : start;
    steps[axis] = step;
    begins[axis] = step > 0 ? std::clamp<int64_t>(start, 0, extent)
                            : std::clamp<int64_t>(start, 0, extent - 1);
  }
  return pick([&](ArrayRef<int64_t> coordinate) {
    int64_t position = 0;
    for (size_t d = 0; d < rank; ++d)
      position += (begins[d] + coordinate[d] * steps[d]) * strides[d];
    return position;
  });
}

bool Evaluator::concat() {
  auto concat = cast<ConcatOp>(op);
  int64_t axis = normalizeAxis(concat.getAxis(), result.shape.size());
  if (axis < 0)
    return false;
  int64_t outer = 1;
  for (int64_t d = 0; d < axis; ++d)
    outer *= result.shape[d];
  size_t next = 0;
  for (int64_t row = 0; row < outer; ++row)
    for (const auto &operand : operands) {
      int64_t length = operand->getNumElements() / outer;
      std::copy_n(operand->elements.begin() + row * length, length, result.elements.begin() + next);
      next += length;
    }
  return next == result.elements.size();
}

bool Evaluator::range() {
  HostScalar start = get(0).elements[0], delta = get(2).elements[0];
  if (result.isFloat())
    return false; // sums or products: implementations differ
  for (int64_t i = 0; i < result.getNumElements(); ++i)
    result.elements[i].integer =
        int64_t(uint64_t(start.integer) + uint64_t(i) * uint64_t(delta.integer));
  return true;
}

DenseElementsAttr Evaluator::evaluate() {
  bool done =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case<AddOp, SubOp, MulOp, DivOp>([&](auto) { return arithmetic(); })
          .Case<MinOp, MaxOp>([&](auto) { return operands.size() == 2 && arithmetic(); })
          .Case<EqualOp, LessOp, LessOrEqualOp, GreaterOp, GreaterOrEqualOp, AndOp, OrOp, XorOp>(
              [&](auto) { return compare(); })
          .Case<NegOp, AbsOp, NotOp, SqrtOp, ReciprocalOp, FloorOp, CeilOp>(
              [&](auto) { return unary(); })
          .Case<CastOp>([&](auto) { return convert(); })
          .Case<DequantizeLinearOp>([&](auto) { return dequantize(); })
          .Case<WhereOp>([&](auto) {
            return map([](ArrayRef<HostScalar> a, HostScalar &out) {
              out = a[0].integer ? a[1] : a[2];
              return true;
            });
          })
          .Case<ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, IdentityOp>([&](auto) {
            result.elements = get(0).elements;
            return true;
          })
          .Case<TransposeOp>([&](TransposeOp transpose) {
            SmallVector<int64_t> strides = getRowMajorStrides(get(0).shape);
            size_t rank = strides.size();
            auto perm = transpose.getPerm();
            return pick([&](ArrayRef<int64_t> coordinate) {
              int64_t position = 0;
              for (size_t d = 0; d < rank; ++d)
                position += coordinate[d] * strides[perm ? (*perm)[d] : rank - 1 - d];
              return position;
            });
          })
          .Case<ExpandOp>([&](auto) {
            return pick([&](ArrayRef<int64_t> coordinate) {
              return getBroadcastPosition(get(0).shape, coordinate);
            });
          })
          .Case<TileOp>([&](auto) {
            return pick([&](ArrayRef<int64_t> coordinate) {
              int64_t position = 0;
              for (size_t d = 0; d < get(0).shape.size(); ++d)
                position = position * get(0).shape[d] + coordinate[d] % get(0).shape[d];
              return position;
            });
          })
          .Case<GatherOp>([&](auto) { return gather(); })
          .Case<SliceOp>([&](auto) { return slice(); })
          .Case<ConcatOp>([&](auto) { return concat(); })
          .Case<RangeOp>([&](auto) { return range(); })
          .Case<ConstantOfShapeOp>([&](ConstantOfShapeOp constant) {
            HostScalar fill;
            if (auto value = dyn_cast_if_present<DenseElementsAttr>(constant.getValueAttr())) {
              auto one = HostTensor::read(value);
              if (!one || one->elements.empty())
                return false;
              fill = one->elements.front();
            }
            std::fill(result.elements.begin(), result.elements.end(), fill);
            return true;
          })
          .Default([](Operation *) { return false; });
  return done ? result.write() : DenseElementsAttr();
}

} // namespace

DenseElementsAttr dougong::onnx::evaluateOnConstants(Operation *op,
                                                     ArrayRef<DenseElementsAttr> operands) {
  SmallVector<std::optional<HostTensor>> tensors;
  for (DenseElementsAttr operand : operands) {
    tensors.emplace_back();
    if (!operand)
      continue;
    tensors.back() = HostTensor::read(operand);
    if (!tensors.back())
      return {};
  }
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  auto integer = dyn_cast<IntegerType>(element);
  if (!isa<FloatType>(element) && !(integer && integer.getWidth() <= 64))
    return {};
  return Evaluator(op, tensors).evaluate();
}
