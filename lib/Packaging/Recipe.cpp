//===- Recipe.cpp - makes the bytes of a weight ---------------------------===//
#include "dougong/Packaging/Recipe.h"

#include "Steps.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong;

namespace {

template <typename... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

/// Sub-byte elements lie two or four to a byte in files, one to a byte in
/// buffers.
llvm::Expected<WeightData> unpackSubBytes(WeightData data, unsigned width, bool isSigned) {
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(data.elementType, data.shape, bytes);
  unsigned perByte = 8 / width;
  unsigned mask = (1u << width) - 1;
  for (size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = static_cast<unsigned char>(data.bytes[i / perByte]) >> (i % perByte * width);
    value &= mask;
    if (isSigned && (value >> (width - 1)))
      value |= ~mask;
    bytes[i] = static_cast<char>(value);
  }
  return result;
}

/// The elements of a dense attribute as bytes.
llvm::Expected<WeightData> readElements(ElementsAttr elements) {
  auto type = cast<ShapedType>(elements.getType());
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense || !type.getElementType().isIntOrFloat())
    return makeError("constant is not a dense tensor of numbers");
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(type.getElementType(), type.getShape(), bytes);
  int64_t width = getWeightElementBytes(type.getElementType());
  int64_t index = 0;
  auto store = [&](const APInt &value) {
    uint64_t word = value.getZExtValue();
    std::memcpy(bytes.data() + index++ * width, &word, width);
  };
  if (isa<FloatType>(type.getElementType()))
    for (APFloat value : dense.getValues<APFloat>())
      store(value.bitcastToAPInt());
  else
    for (APInt value : dense.getValues<APInt>())
      store(value);
  return result;
}

} // namespace

llvm::Expected<onnx::WeightOp> WeightEvaluator::lookup(StringRef name) {
  auto weight = module.lookupSymbol<onnx::WeightOp>(name);
  if (!weight)
    return makeError("weight '{0}' is not declared in the module", name);
  return weight;
}

llvm::Expected<WeightData> WeightEvaluator::readExternal(onnx::WeightOp weight,
                                                         onnx::ExternalAttr external) {
  SmallString<256> path(modelFolder);
  llvm::sys::path::append(path, external.getFile().getValue());
  std::shared_ptr<llvm::MemoryBuffer> &file = files[external.getFile().getValue()];
  if (!file) {
    auto opened = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    if (!opened)
      return makeError("weight '{0}': cannot read '{1}': {2}", weight.getSymName(), path.str(),
                       opened.getError().message());
    file = std::move(*opened);
  }
  auto type = cast<RankedTensorType>(weight.getType());
  uint64_t offset = external.getOffset(), length = external.getLength();
  if (offset > file->getBufferSize() || length > file->getBufferSize() - offset)
    return makeError("weight '{0}': bytes {1} to {2} lie beyond the end of '{3}' ({4} bytes)",
                     weight.getSymName(), offset, offset + length, path.str(),
                     file->getBufferSize());
  WeightData data{type.getElementType(), SmallVector<int64_t>(type.getShape()),
                  ArrayRef(file->getBufferStart() + offset, length), file};
  unsigned width = type.getElementType().isIntOrFloat() ? type.getElementTypeBitWidth() : 8;
  uint64_t expected = llvm::divideCeil(type.getNumElements() * std::max(width == 1 ? 8 : width, 1u), 8);
  if (!isa<ComplexType>(type.getElementType()) && length != expected)
    return makeError("weight '{0}' has {1} bytes in '{2}', expected {3}", weight.getSymName(),
                     length, path.str(), expected);
  if (width == 2 || width == 4)
    return unpackSubBytes(data, width, !type.getElementType().isUnsignedInteger());
  return data;
}

llvm::Expected<WeightData> WeightEvaluator::evaluate(StringRef name,
                                                     const AxisCoordinates &coordinates) {
  llvm::Expected<onnx::WeightOp> weight = lookup(name);
  if (!weight)
    return weight.takeError();
  if (auto external = dyn_cast<onnx::ExternalAttr>(weight->getValue()))
    return readExternal(*weight, external);
  if (auto elements = dyn_cast<ElementsAttr>(weight->getValue()))
    return readElements(elements);

  auto derived = cast<onnx::DerivedAttr>(weight->getValue());
  SmallVector<WeightData> sources;
  for (FlatSymbolRefAttr source : derived.getSources()) {
    llvm::Expected<WeightData> data = evaluate(source.getValue(), coordinates);
    if (!data)
      return data.takeError();
    sources.push_back(std::move(*data));
  }
  if (sources.empty())
    return makeError("weight '{0}' is derived from nothing", name);
  WeightData current = sources[0];
  for (Attribute step : derived.getSteps()) {
    llvm::Expected<WeightData> next =
        llvm::TypeSwitch<Attribute, llvm::Expected<WeightData>>(step)
            .Case([&](onnx::TransposeStepAttr attr) {
              return transposeWeight(current, attr.getPermutation());
            })
            .Case([&](onnx::ReshapeStepAttr attr) {
              return reshapeWeight(current, attr.getShape());
            })
            .Case([&](onnx::CastStepAttr attr) { return castWeight(current, attr.getType()); })
            .Case([&](onnx::BinaryStepAttr attr) -> llvm::Expected<WeightData> {
              if (attr.getSource() >= sources.size())
                return makeError("step names source {0} of {1}", attr.getSource(), sources.size());
              const WeightData &other = sources[attr.getSource()];
              StringRef kind = attr.getKind().getValue();
              return attr.getReversed() ? combineWeights(kind, other, current)
                                        : combineWeights(kind, current, other);
            })
            .Case([&](onnx::SliceStepAttr attr) {
              // Row-major over the step's axes.
              int64_t index = 0;
              for (StringAttr axis : attr.getAxes()) {
                AxisPosition position = coordinates.lookup(axis.getValue());
                index = index * position.size + position.index;
              }
              return sliceWeight(current, attr.getDim(), index, attr.getCount(), attr.getUnit());
            })
            .Case([&](onnx::PackStepAttr attr) { return packWeight(current, attr.getColumns()); })
            .Default([&](Attribute attr) -> llvm::Expected<WeightData> {
              std::string text;
              llvm::raw_string_ostream(text) << attr;
              return makeError("recipe step {0} is not known", text);
            });
    if (!next)
      return makeError("weight '{0}': {1}", name, llvm::toString(next.takeError()));
    current = std::move(*next);
  }
  auto type = cast<RankedTensorType>(weight->getType());
  if (ArrayRef(current.shape) != type.getShape() || current.elementType != type.getElementType())
    return makeError("weight '{0}': the recipe does not give the declared type", name);
  return current;
}

llvm::Expected<SmallVector<StringRef>> WeightEvaluator::getAxes(StringRef name) {
  SmallVector<StringRef> axes;
  SmallVector<StringRef> pending = {name};
  while (!pending.empty()) {
    llvm::Expected<onnx::WeightOp> weight = lookup(pending.pop_back_val());
    if (!weight)
      return weight.takeError();
    auto derived = dyn_cast<onnx::DerivedAttr>(weight->getValue());
    if (!derived)
      continue;
    for (FlatSymbolRefAttr source : derived.getSources())
      pending.push_back(source.getValue());
    for (Attribute step : derived.getSteps())
      if (auto slice = dyn_cast<onnx::SliceStepAttr>(step))
        for (StringAttr axis : slice.getAxes())
          if (!llvm::is_contained(axes, axis.getValue()))
            axes.push_back(axis.getValue());
  }
  return axes;
}
