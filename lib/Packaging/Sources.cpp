//===- Sources.cpp - weights as files and attributes hold them ------------===//
#include "Copy.h"
#include "MappedFile.h"
#include "Steps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong;

namespace {

/// Contiguous runs of a dense tensor that make up a box: calls `body` with the
/// first element and the number of elements of each.
void forEachRun(ArrayRef<int64_t> shape, const WeightBox &box, auto &&body) {
  SmallVector<int64_t> strides = getDenseStrides(shape);
  // Dims behind `inner` are whole.
  size_t rank = shape.size(), inner = rank;
  int64_t run = 1;
  while (inner > 0) {
    --inner;
    run *= box.sizes[inner];
    if (box.sizes[inner] != shape[inner])
      break;
  }
  int64_t first = 0;
  for (size_t dim = 0; dim < rank; ++dim)
    first += box.offsets[dim] * strides[dim];
  SmallVector<int64_t> index(inner, 0);
  for (;;) {
    body(first, run);
    size_t dim = inner;
    for (; dim-- > 0;) {
      first += strides[dim];
      if (++index[dim] < box.sizes[dim])
        break;
      first -= strides[dim] * box.sizes[dim];
      index[dim] = 0;
    }
    if (dim == SIZE_MAX)
      return;
  }
}

/// The part of a file that a reader has touched. It is released when it gets too
/// large, and at the end.
class Touched {
public:
  explicit Touched(std::shared_ptr<MappedFile> file) : file(std::move(file)) {}
  ~Touched() { release(); }
  Touched(const Touched &) = delete;

  const MappedFile &getFile() const { return *file; }

  /// Announces that bytes of `[first, last)` will be touched, which takes `resident`
  /// bytes of memory.
  void add(int64_t first, int64_t last, int64_t resident) {
    if (total + resident > budget)
      release();
    begin = total == 0 ? first : std::min(begin, first);
    end = total == 0 ? last : std::max(end, last);
    total += resident;
  }

  /// Most that stays resident, unless one announcement is more.
  static constexpr int64_t budget = 8 << 20;

private:
  void release() {
    if (total > 0)
      file->release(begin, end - begin);
    total = 0;
  }

  std::shared_ptr<MappedFile> file;
  int64_t begin = 0, end = 0, total = 0;
};

/// Elements of whole bytes: views of the mapping.
class FileReader : public WeightReader {
public:
  FileReader(std::shared_ptr<MappedFile> file, int64_t offset, Type elementType,
             ArrayRef<int64_t> shape)
      : WeightReader(elementType, shape), touched(std::move(file)), offset(offset),
        strides(getDenseStrides(shape)) {}

  WeightView get(const WeightBox &box) override {
    const MappedFile &file = touched.getFile();
    const char *base = file.getBytes().data() + offset;
    int64_t width = getElementBytes(), length = 1, first = 0, last = 0;
    for (auto [start, size, stride] : llvm::zip(box.offsets, box.sizes, strides)) {
      first += start * stride;
      last += (start + size - 1) * stride;
    }
    for (size_t dim = box.sizes.size(); dim-- > 0;) {
      length *= box.sizes[dim];
      if (box.sizes[dim] != getShape()[dim])
        break;
    }
    int64_t bytes = box.getNumElements() * width, runs = box.getNumElements() / length;
    int64_t resident = MappedFile::getResident(runs, length * width);
    if (resident <= std::max(Touched::budget, 2 * bytes)) {
      touched.add(offset + first * width, offset + (last + 1) * width, resident);
      return {base + first * width, strides};
    }
    // Short runs far apart.
    storage.resize(bytes);
    char *out = storage.data();
    forEachRun(getShape(), box, [&](int64_t start, int64_t count) {
      file.read(offset + start * width, out, count * width);
      out += count * width;
    });
    return {storage.data(), getDenseStrides(box.sizes)};
  }

private:
  Touched touched;
  int64_t offset;
  SmallVector<int64_t> strides;
  std::vector<char> storage;
};

/// Elements of 2 and 4 bits: one to a byte in buffers.
class SubByteReader : public WeightReader {
public:
  SubByteReader(std::shared_ptr<MappedFile> file, int64_t offset, Type elementType,
                ArrayRef<int64_t> shape)
      : WeightReader(elementType, shape), touched(std::move(file)), offset(offset) {}

  WeightView get(const WeightBox &box) override {
    const char *base = touched.getFile().getBytes().data() + offset;
    unsigned width = getElementType().getIntOrFloatBitWidth(), perByte = 8 / width;
    unsigned mask = (1u << width) - 1;
    bool isSigned = !getElementType().isUnsignedInteger();
    storage.resize(box.getNumElements());
    char *out = storage.data();
    forEachRun(getShape(), box, [&](int64_t start, int64_t count) {
      int64_t first = start / perByte, last = llvm::divideCeil(start + count, perByte);
      touched.add(offset + first, offset + last, MappedFile::getResident(1, last - first));
      for (int64_t i = start; i < start + count; ++i) {
        unsigned value = static_cast<unsigned char>(base[i / perByte]) >> (i % perByte * width);
        value &= mask;
        if (isSigned && (value >> (width - 1)))
          value |= ~mask;
        *out++ = static_cast<char>(value);
      }
    });
    return {storage.data(), getDenseStrides(box.sizes)};
  }

private:
  Touched touched;
  int64_t offset;
  std::vector<char> storage;
};

class ElementsReader : public WeightReader {
public:
  ElementsReader(DenseElementsAttr elements)
      : WeightReader(elements.getElementType(), elements.getType().getShape()),
        strides(getDenseStrides(getShape())) {
    int64_t width = getElementBytes();
    storage.resize(elements.getNumElements() * width);
    char *out = storage.data();
    auto store = [&](const APInt &value) {
      uint64_t word = value.getZExtValue();
      std::memcpy(out, &word, width);
      out += width;
    };
    if (isa<FloatType>(getElementType()))
      for (APFloat value : elements.getValues<APFloat>())
        store(value.bitcastToAPInt());
    else
      for (APInt value : elements.getValues<APInt>())
        store(value);
  }

  WeightView get(const WeightBox &box) override {
    int64_t first = 0;
    for (auto [start, stride] : llvm::zip(box.offsets, strides))
      first += start * stride;
    return {storage.data() + first * getElementBytes(), strides};
  }

private:
  SmallVector<int64_t> strides;
  std::vector<char> storage;
};

} // namespace

ReaderPtr dougong::readFile(std::shared_ptr<MappedFile> file, int64_t offset, Type elementType,
                            ArrayRef<int64_t> shape) {
  unsigned width = elementType.isIntOrFloat() ? elementType.getIntOrFloatBitWidth() : 8;
  if (width == 2 || width == 4)
    return std::make_unique<SubByteReader>(std::move(file), offset, elementType, shape);
  return std::make_unique<FileReader>(std::move(file), offset, elementType, shape);
}

ExpectedReader dougong::readElements(ElementsAttr elements) {
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense || !dense.getElementType().isIntOrFloat() ||
      dense.getElementType().getIntOrFloatBitWidth() > 64)
    return llvm::createStringError("constant is not a dense tensor of numbers");
  return std::make_unique<ElementsReader>(dense);
}
