//===- Weights.cpp - where an exported model keeps its weights ------------===//
#include "Weights.h"
#include "Attributes.h"

#include "dougong/Import/ElementTypes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong::exporter;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace {

void setExternal(pb::TensorProto &tensor, StringRef file, int64_t offset, int64_t length) {
  tensor.set_data_location(pb::TensorProto::EXTERNAL);
  auto add = [&](const char *key, const std::string &value) {
    pb::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", file.str());
  add("offset", std::to_string(offset));
  add("length", std::to_string(length));
}

} // namespace

WeightWriter::WeightWriter(StringRef sourceFolder, StringRef path)
    : sourceFolder(sourceFolder), path(path) {
  StringRef folder = path::parent_path(path);
  bool equal = false;
  sameFolder = !sourceFolder.empty() &&
               !fs::equivalent(folder.empty() ? "." : folder, sourceFolder, equal) && equal;
}

LogicalResult WeightWriter::write(onnx::WeightOp weight, pb::TensorProto &tensor) {
  if (places)
    if (auto place = places->find(weight.getSymName()); place != places->end()) {
      setExternal(tensor, place->second.file, place->second.offset, place->second.length);
      return setType(weight, tensor);
    }
  if (auto reference = dyn_cast<onnx::ExternalAttr>(weight.getValue()))
    return writeExternal(weight, reference, tensor);
  if (auto elements = dyn_cast<ElementsAttr>(weight.getValue());
      elements && writeElements(elements, tensor))
    return success();
  return weight.emitError("a derived weight cannot be exported: its bytes are made by packaging");
}

LogicalResult WeightWriter::setType(onnx::WeightOp weight, pb::TensorProto &tensor) {
  auto type = cast<RankedTensorType>(weight.getType());
  int32_t dataType = importer::getDataType(type.getElementType());
  if (dataType == pb::TensorProto::UNDEFINED)
    return weight.emitError("ONNX has no element type ") << type.getElementType();
  tensor.set_data_type(dataType);
  for (int64_t dim : type.getShape())
    tensor.add_dims(dim);
  return success();
}

LogicalResult WeightWriter::writeExternal(onnx::WeightOp weight, onnx::ExternalAttr reference,
                                          pb::TensorProto &tensor) {
  if (failed(setType(weight, tensor)))
    return failure();
  if (path.empty())
    return read(weight, reference, [&](StringRef bytes) {
      tensor.mutable_raw_data()->append(bytes.data(), bytes.size());
    });
  if (sameFolder) {
    setExternal(tensor, reference.getFile(), reference.getOffset(), reference.getLength());
    return success();
  }
  if (failed(openData(weight.getLoc())))
    return failure();
  // Page-aligned, as ONNX advises for mapping.
  uint64_t offset = llvm::alignTo(data->tell(), 4096);
  data->write_zeros(offset - data->tell());
  setExternal(tensor, path::filename(path).str() + ".data", offset, reference.getLength());
  return read(weight, reference, [&](StringRef bytes) { *data << bytes; });
}

LogicalResult WeightWriter::openData(Location loc) {
  if (data)
    return success();
  std::error_code error;
  data = std::make_unique<llvm::raw_fd_ostream>(path + ".data", error);
  if (error)
    return emitError(loc) << "file '" << path << ".data' cannot be written: " << error.message();
  return success();
}

LogicalResult WeightWriter::read(onnx::WeightOp weight, onnx::ExternalAttr reference,
                                 llvm::function_ref<void(StringRef)> sink) {
  llvm::SmallString<128> source(sourceFolder);
  path::append(source, reference.getFile().getValue());
  auto fail = [&](const std::string &reason) {
    return weight.emitError("bytes cannot be read from file '") << source << "': " << reason;
  };
  llvm::Expected<fs::file_t> file = fs::openNativeFileForRead(source);
  if (!file)
    return fail(llvm::toString(file.takeError()));
  std::vector<char> buffer(std::min<int64_t>(reference.getLength(), 4 << 20));
  int64_t done = 0;
  std::string reason;
  while (done < reference.getLength() && reason.empty()) {
    size_t wanted = std::min<int64_t>(buffer.size(), reference.getLength() - done);
    llvm::Expected<size_t> got = fs::readNativeFileSlice(
        *file, llvm::MutableArrayRef(buffer.data(), wanted), reference.getOffset() + done);
    if (!got)
      reason = llvm::toString(got.takeError());
    else if (*got == 0)
      reason = "it ends before byte " + std::to_string(reference.getOffset() + done + 1);
    else
      sink(StringRef(buffer.data(), *got));
    done += got ? *got : 0;
  }
  fs::closeFile(*file);
  return reason.empty() ? LogicalResult(success()) : fail(reason);
}

LogicalResult WeightWriter::finish(Location loc) {
  if (!data)
    return success();
  data->close();
  if (!data->has_error())
    return success();
  std::string reason = data->error().message();
  data->clear_error();
  return emitError(loc) << "file '" << path << ".data' cannot be written: " << reason;
}
