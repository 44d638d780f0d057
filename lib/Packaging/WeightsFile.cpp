//===- WeightsFile.cpp - writes the weights of a package ------------------===//
#include "dougong/Packaging/WeightsFile.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Support/Sha256.h"

#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace dougong;

namespace {

constexpr uint64_t cacheLine = 64, page = 4096, largeShard = 64 * 1024;

} // namespace

llvm::Expected<std::unique_ptr<WeightsFile>> WeightsFile::create(StringRef path,
                                                                 StringRef relative) {
  std::error_code code;
  auto stream = std::make_unique<llvm::raw_fd_ostream>(path, code, llvm::sys::fs::OF_None);
  if (code)
    return llvm::createStringError("cannot write '" + path.str() + "': " + code.message());
  return std::unique_ptr<WeightsFile>(new WeightsFile(std::move(stream), relative));
}

plan::v1::Segment WeightsFile::append(ArrayRef<char> bytes) {
  auto [it, inserted] = written.try_emplace(sha256({bytes.data(), bytes.size()}));
  plan::v1::Segment &segment = it->second;
  if (!inserted)
    return segment;
  uint64_t offset = stream->tell();
  uint64_t aligned = llvm::alignTo(offset, bytes.size() >= largeShard ? page : cacheLine);
  stream->write_zeros(aligned - offset);
  stream->write(bytes.data(), bytes.size());
  segment.set_file(relative);
  segment.set_offset(aligned);
  segment.set_bytes(bytes.size());
  return segment;
}

llvm::Expected<plan::v1::Weight> WeightsFile::add(WeightEvaluator &evaluator, StringRef name,
                                                  const plan::v1::Mesh &mesh) {
  llvm::Expected<SmallVector<StringRef>> axes = evaluator.getAxes(name);
  if (!axes)
    return axes.takeError();
  plan::v1::Weight weight;
  weight.set_name(name.str());
  weight.set_layout("row-major");
  SmallVector<int64_t> sizes;
  int64_t shards = 1;
  for (StringRef axis : *axes) {
    int64_t size = 1;
    for (const plan::v1::Axis &meshAxis : mesh.axes())
      if (meshAxis.name() == axis)
        size = meshAxis.size();
    weight.add_axes(axis.str());
    sizes.push_back(size);
    shards *= size;
  }
  for (int64_t shard = 0; shard < shards; ++shard) {
    AxisCoordinates coordinates;
    int64_t rest = shard;
    for (size_t i = axes->size(); i-- > 0; rest /= sizes[i])
      coordinates[(*axes)[i]] = {rest % sizes[i], sizes[i]};
    llvm::Expected<WeightData> data = evaluator.evaluate(name, coordinates);
    if (!data)
      return data.takeError();
    *weight.add_shards() = append(data->bytes);
    if (shard > 0)
      continue;
    weight.set_dtype(importer::getDataType(data->elementType));
    for (int64_t extent : data->shape)
      weight.add_dims(extent);
  }
  return weight;
}

llvm::Error WeightsFile::finish() {
  // A mapping of length 0 is an error on Linux: the file holds at least a page.
  if (stream->tell() == 0)
    stream->write_zeros(page);
  stream->close();
  if (stream->has_error()) {
    std::string message = stream->error().message();
    stream->clear_error();
    return llvm::createStringError("cannot write '" + relative + "': " + message);
  }
  return llvm::Error::success();
}
