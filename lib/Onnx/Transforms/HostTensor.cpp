//===- HostTensor.cpp - dense constants as numbers ------------------------===//
#include "HostTensor.h"

using namespace mlir;
using namespace dougong::onnx;

std::optional<HostTensor> HostTensor::read(DenseElementsAttr attribute) {
  HostTensor tensor;
  auto type = attribute.getType();
  tensor.shape.assign(type.getShape().begin(), type.getShape().end());
  tensor.elementType = type.getElementType();
  tensor.elements.reserve(type.getNumElements());
  if (isa<FloatType>(tensor.elementType)) {
    for (APFloat value : attribute.getValues<APFloat>()) {
      bool lossy;
      value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
      tensor.elements.push_back({value.convertToDouble(), 0});
    }
    return tensor;
  }
  auto integer = dyn_cast<IntegerType>(tensor.elementType);
  if (!integer || integer.getWidth() > 64)
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned() || integer.getWidth() == 1;
  for (const APInt &value : attribute.getValues<APInt>())
    tensor.elements.push_back(
        {0, isUnsigned ? int64_t(value.getZExtValue()) : value.getSExtValue()});
  return tensor;
}

DenseElementsAttr HostTensor::write() const {
  auto type = RankedTensorType::get(shape, elementType);
  if (auto floating = dyn_cast<FloatType>(elementType)) {
    SmallVector<APFloat> values;
    values.reserve(elements.size());
    for (const HostScalar &element : elements) {
      APFloat value(element.real);
      bool lossy;
      value.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
      values.push_back(value);
    }
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<APInt> values;
  values.reserve(elements.size());
  unsigned width = elementType.getIntOrFloatBitWidth();
  for (const HostScalar &element : elements)
    values.push_back(APInt(width, uint64_t(element.integer), /*isSigned=*/true,
                           /*implicitTrunc=*/true));
  return DenseElementsAttr::get(type, values);
}

SmallVector<int64_t> dougong::onnx::getRowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  return strides;
}

void dougong::onnx::forEachCoordinate(ArrayRef<int64_t> shape,
                                      llvm::function_ref<void(int64_t, ArrayRef<int64_t>)> visit) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  SmallVector<int64_t> coordinate(shape.size(), 0);
  for (int64_t index = 0; index < count; ++index) {
    visit(index, coordinate);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++coordinate[d] < shape[d])
        break;
      coordinate[d] = 0;
    }
  }
}

int64_t dougong::onnx::getBroadcastPosition(ArrayRef<int64_t> shape, ArrayRef<int64_t> coordinate) {
  int64_t position = 0;
  size_t lead = coordinate.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d)
    position = position * shape[d] + (shape[d] == 1 ? 0 : coordinate[lead + d]);
  return position;
}
