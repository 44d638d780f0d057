//===- ExternalData.cpp - weights as ONNX files have them -----------------===//
#include "dougong/Packaging/ExternalData.h"

#include "Copy.h"
#include "Pieces.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Packaging/OutputError.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace dougong;

namespace {

constexpr uint64_t cacheLine = 64, page = 4096, largeTensor = 64 * 1024;
constexpr int64_t pieceElements = 1 << 20;

/// Puts elements of less than a byte, which come in a byte each, side by side.
class Packer {
public:
  Packer(llvm::raw_ostream &stream, unsigned bits) : stream(stream), bits(bits) {}
  ~Packer() {
    if (filled > 0)
      stream << char(byte);
  }
  Packer(const Packer &) = delete;

  void add(llvm::ArrayRef<char> elements) {
    for (char element : elements) {
      byte |= (element & ((1 << bits) - 1)) << filled;
      filled += bits;
      if (filled == 8) {
        stream << char(byte);
        byte = filled = 0;
      }
    }
  }

private:
  llvm::raw_ostream &stream;
  unsigned bits, byte = 0, filled = 0;
};

} // namespace

llvm::Expected<std::unique_ptr<ExternalDataFile>> ExternalDataFile::create(StringRef path) {
  std::error_code error;
  auto stream = std::make_unique<llvm::raw_fd_ostream>(path, error);
  if (error)
    return llvm::make_error<OutputError>("cannot write '" + path + "': " + error.message());
  return std::unique_ptr<ExternalDataFile>(new ExternalDataFile(path, std::move(stream)));
}

static unsigned getBits(Type elementType) {
  return importer::getElementBits(importer::getDataType(elementType));
}

static int64_t count(llvm::ArrayRef<int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

FileRange dougong::placeTensor(uint64_t end, Type elementType, llvm::ArrayRef<int64_t> shape) {
  FileRange range;
  range.length = llvm::divideCeil(static_cast<uint64_t>(count(shape)) * getBits(elementType), 8);
  range.offset = llvm::alignTo(end, range.length >= largeTensor ? page : cacheLine);
  return range;
}

std::vector<char> dougong::readWeight(WeightReader &reader) {
  std::vector<char> bytes;
  int64_t width = reader.getElementBytes();
  std::vector<char> storage;
  forEachPiece(reader.getShape(), 0, count(reader.getShape()), pieceElements,
               [&](const WeightBox &box) {
                 WeightView view = makeDense(reader.get(box), box.sizes, width, storage);
                 bytes.insert(bytes.end(), view.data, view.data + box.getNumElements() * width);
               });
  return bytes;
}

void ExternalDataFile::add(WeightReader &reader) {
  unsigned bits = getBits(reader.getElementType());
  int64_t width = reader.getElementBytes();
  FileRange range = placeTensor(stream->tell(), reader.getElementType(), reader.getShape());
  stream->write_zeros(range.offset - stream->tell());
  std::vector<char> storage;
  Packer packer(*stream, bits);
  forEachPiece(reader.getShape(), 0, count(reader.getShape()), pieceElements,
               [&](const WeightBox &box) {
                 WeightView view = makeDense(reader.get(box), box.sizes, width, storage);
                 llvm::ArrayRef<char> bytes(view.data, box.getNumElements() * width);
                 if (bits < 8)
                   packer.add(bytes);
                 else
                   stream->write(bytes.data(), bytes.size());
               });
}

llvm::Error ExternalDataFile::finish() {
  stream->close();
  if (!stream->has_error())
    return llvm::Error::success();
  std::string reason = stream->error().message();
  stream->clear_error();
  return llvm::make_error<OutputError>("cannot write '" + path + "': " + reason);
}
