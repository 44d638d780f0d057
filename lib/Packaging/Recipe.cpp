//===- Recipe.cpp - makes the bytes of a weight ---------------------------===//
#include "dougong/Packaging/Recipe.h"

#include "MappedFile.h"
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

} // namespace

int64_t WeightBox::getNumElements() const {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

int64_t WeightReader::getElementBytes() const {
  auto widthOf = [](Type type) {
    return static_cast<int64_t>(llvm::divideCeil(type.getIntOrFloatBitWidth(), 8));
  };
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return 2 * widthOf(complex.getElementType());
  return widthOf(elementType);
}

llvm::Expected<onnx::WeightOp> WeightEvaluator::lookup(StringRef name) {
  auto weight = symbols.lookup<onnx::WeightOp>(name);
  if (!weight)
    return makeError("weight '{0}' is not declared in the module", name);
  return weight;
}

llvm::Expected<std::unique_ptr<WeightReader>>
WeightEvaluator::openExternal(onnx::WeightOp weight, onnx::ExternalAttr external) {
  SmallString<256> path(modelFolder);
  llvm::sys::path::append(path, external.getFile().getValue());
  std::shared_ptr<MappedFile> &file = files[external.getFile().getValue()];
  if (!file) {
    llvm::Expected<std::shared_ptr<MappedFile>> opened = MappedFile::open(path.str().str());
    if (!opened)
      return makeError("weight '{0}': cannot read '{1}': {2}", weight.getSymName(), path.str(),
                       llvm::toString(opened.takeError()));
    file = std::move(*opened);
  }
  auto type = cast<RankedTensorType>(weight.getType());
  uint64_t offset = external.getOffset(), length = external.getLength();
  uint64_t size = file->getBytes().size();
  if (offset > size || length > size - offset)
    return makeError("weight '{0}': bytes {1} to {2} lie beyond the end of '{3}' ({4} bytes)",
                     weight.getSymName(), offset, offset + length, path.str(), size);
  Type element = type.getElementType();
  bool isComplex = isa<ComplexType>(element);
  if (!isComplex && !element.isIntOrFloat())
    return makeError("weight '{0}' has elements that are no numbers", weight.getSymName());
  uint64_t bits = isComplex
                      ? 2 * cast<ComplexType>(element).getElementType().getIntOrFloatBitWidth()
                      : element.getIntOrFloatBitWidth();
  uint64_t expected = llvm::divideCeil(type.getNumElements() * (bits == 1 ? 8 : bits), 8);
  if (length != expected)
    return makeError("weight '{0}' has {1} bytes in '{2}', expected {3}", weight.getSymName(),
                     length, path.str(), expected);
  return readFile(file, offset, element, type.getShape());
}

llvm::Expected<std::unique_ptr<WeightReader>>
WeightEvaluator::open(StringRef name, const AxisCoordinates &coordinates) {
  llvm::Expected<onnx::WeightOp> weight = lookup(name);
  if (!weight)
    return weight.takeError();
  if (auto external = dyn_cast<onnx::ExternalAttr>(weight->getValue()))
    return openExternal(*weight, external);
  if (auto elements = dyn_cast<ElementsAttr>(weight->getValue()))
    return readElements(elements);

  auto derived = cast<onnx::DerivedAttr>(weight->getValue());
  if (derived.getSources().empty())
    return makeError("weight '{0}' is derived from nothing", name);
  // Each step takes the reader of the step before; a further source is opened
  // where a step asks for it.
  ExpectedReader first = open(derived.getSources()[0].getValue(), coordinates);
  if (!first)
    return first;
  ReaderPtr current = std::move(*first);
  for (Attribute step : derived.getSteps()) {
    ExpectedReader next =
        llvm::TypeSwitch<Attribute, ExpectedReader>(step)
            .Case([&](onnx::TransposeStepAttr attr) {
              return transposeWeight(std::move(current), attr.getPermutation());
            })
            .Case([&](onnx::ReshapeStepAttr attr) {
              return reshapeWeight(std::move(current), attr.getShape());
            })
            .Case([&](onnx::CastStepAttr attr) {
              return castWeight(std::move(current), attr.getType());
            })
            .Case([&](onnx::BinaryStepAttr attr) -> ExpectedReader {
              if (attr.getSource() >= derived.getSources().size())
                return makeError("step names source {0} of {1}", attr.getSource(),
                                 derived.getSources().size());
              ExpectedReader other =
                  open(derived.getSources()[attr.getSource()].getValue(), coordinates);
              if (!other)
                return other;
              StringRef kind = attr.getKind().getValue();
              return attr.getReversed()
                         ? combineWeights(kind, std::move(*other), std::move(current))
                         : combineWeights(kind, std::move(current), std::move(*other));
            })
            .Case([&](onnx::SliceStepAttr attr) {
              // Row-major over the step's axes.
              int64_t index = 0;
              for (StringAttr axis : attr.getAxes()) {
                AxisPosition position = coordinates.lookup(axis.getValue());
                index = index * position.size + position.index;
              }
              return sliceWeight(std::move(current), attr.getDim(), index, attr.getCount(),
                                 attr.getUnit());
            })
            .Case([&](onnx::PartStepAttr attr) {
              return takePart(std::move(current), attr.getDim(), attr.getBegin(), attr.getSize());
            })
            .Case([&](onnx::PackStepAttr attr) {
              return packWeight(std::move(current), attr.getColumns());
            })
            .Default([&](Attribute attr) -> ExpectedReader {
              std::string text;
              llvm::raw_string_ostream(text) << attr;
              return makeError("recipe step {0} is not known", text);
            });
    if (!next)
      return makeError("weight '{0}': {1}", name, llvm::toString(next.takeError()));
    current = std::move(*next);
  }
  auto type = cast<RankedTensorType>(weight->getType());
  if (current->getShape() != type.getShape() || current->getElementType() != type.getElementType())
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
