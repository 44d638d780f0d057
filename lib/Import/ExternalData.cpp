//===- ExternalData.cpp - references to weight files ----------------------===//
#include "ExternalData.h"
#include "Error.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <optional>

using namespace dougong::importer;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace {

std::optional<StringRef> getEntry(const pb::TensorProto &tensor, StringRef key) {
  for (const pb::StringStringEntryProto &entry : tensor.external_data())
    if (entry.key() == key)
      return StringRef(entry.value());
  return std::nullopt;
}

void setReference(pb::TensorProto &tensor, const DataReference &reference) {
  tensor.clear_external_data();
  auto add = [&](const char *key, const std::string &value) {
    pb::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", reference.file);
  add("offset", std::to_string(reference.offset));
  add("length", std::to_string(reference.length));
}

class Checker {
public:
  Checker(StringRef folder, StringRef modelFile, bool allowMissing)
      : folder(folder.empty() ? "." : folder.str()), modelFile(modelFile),
        allowMissing(allowMissing) {
    if (fs::real_path(this->folder, realFolder))
      throw ImportError("folder '" + this->folder + "' of the model cannot be resolved");
  }

  void check(pb::TensorProto &tensor, const Owner &owner) {
    std::string what = "tensor '" + tensor.name() + "'";
    auto fail = [&](const std::string &reason) {
      throw ImportError(what + " " + reason, owner.node, owner.index);
    };
    std::optional<int64_t> expected =
        getByteSize(tensor.data_type(), llvm::ArrayRef(tensor.dims().data(), tensor.dims_size()));
    if (!expected)
      fail("has a negative dim or more than 2^63 - 1 bytes");
    if (!pb::TensorProto::DataType_IsValid(tensor.data_type()) || tensor.data_type() == 0)
      fail("has unknown element type " + std::to_string(tensor.data_type()) +
           "; this version reads those of ONNX 1.22 (1 to " +
           std::to_string(pb::TensorProto::DataType_MAX) + ")");
    if (tensor.has_segment())
      fail("is a segment of a tensor, which this version does not read");
    if (!isExternal(tensor))
      return checkCount(tensor, *expected, fail);
    if (tensor.data_type() == pb::TensorProto::STRING)
      fail("holds strings, which cannot be in a file");

    std::optional<StringRef> location = getEntry(tensor, "location");
    if (!location || location->empty())
      fail("is external but names no file (no entry 'location')");
    DataReference reference;
    auto readNumber = [&](StringRef key, int64_t &value) {
      std::optional<StringRef> text = getEntry(tensor, key);
      if (text && (text->getAsInteger(10, value) || value < 0))
        fail("has '" + key.str() + "' = '" + text->str() + "', expected a number of bytes");
    };
    reference.length = *expected;
    readNumber("offset", reference.offset);
    readNumber("length", reference.length);
    if (reference.length != *expected)
      fail("has " + std::to_string(reference.length) + " bytes in file '" + location->str() +
           "', expected " + std::to_string(*expected) + " from its type and dims");
    reference.file = normalise(*location, fail);
    int64_t end;
    if (llvm::AddOverflow(reference.offset, reference.length, end))
      fail("ends beyond 2^63 - 1 bytes");
    std::optional<int64_t> size = getFileSize(reference.file, fail);
    if (size && end > *size)
      fail("ends at byte " + std::to_string(end) + " of file '" + reference.file + "', which has " +
           std::to_string(*size) + " bytes");
    setReference(tensor, reference);
  }

  std::vector<std::string> getMissing() const {
    std::vector<std::string> missing;
    for (const auto &entry : sizes)
      if (!entry.getValue())
        missing.push_back(entry.getKey().str());
    llvm::sort(missing);
    return missing;
  }

private:
  using Fail = llvm::function_ref<void(const std::string &)>;

  /// The library trusts the dims of tensors inside the model: a short one with
  /// great dims costs it memory and time without end.
  static void checkCount(const pb::TensorProto &tensor, int64_t bytes, Fail fail) {
    auto check = [&](int64_t got, int64_t expected, const char *what) {
      if (got != expected)
        fail("has " + std::to_string(got) + " " + what + ", expected " + std::to_string(expected) +
             " from its type and dims");
    };
    unsigned bits = getElementBits(tensor.data_type());
    if (tensor.has_raw_data() && bits)
      return check(tensor.raw_data().size(), bytes, "bytes");
    if (bits == 0) { // strings
      int64_t strings = llvm::is_contained(tensor.dims(), 0) ? 0 : 1;
      for (int64_t dim : tensor.dims())
        if (llvm::MulOverflow(strings, dim, strings))
          fail("has more than 2^63 - 1 strings");
      return check(tensor.string_data_size(), strings, "strings");
    }
    // A complex number is two values; packed types fill a byte of each value.
    bool isComplex = tensor.data_type() == pb::TensorProto::COMPLEX64 ||
                     tensor.data_type() == pb::TensorProto::COMPLEX128;
    int64_t width = isComplex ? bits / 16 : std::max(bits / 8, 1u);
    int64_t values = tensor.float_data_size() + tensor.double_data_size() +
                     tensor.int32_data_size() + tensor.int64_data_size() +
                     tensor.uint64_data_size();
    check(values, bytes / width, "values");
  }

  /// The lexical form of a location; fails if it leaves the folder.
  static std::string normalise(StringRef location, Fail fail) {
    if (location.contains('\0'))
      fail("has a zero byte in its location");
    if (path::is_absolute(location) || location.starts_with("\\"))
      fail("refers to '" + location.str() + "': a path must be relative to the model's folder");
    llvm::SmallString<128> normal(location);
    path::remove_dots(normal, /*remove_dot_dot=*/true);
    if (normal.empty() || normal == "." || *path::begin(normal) == "..")
      fail("refers to '" + location.str() + "', which leaves the model's folder");
    return normal.str().str();
  }

  /// Size of a file of the folder, or nothing if it is missing and may be.
  std::optional<int64_t> getFileSize(const std::string &file, Fail fail) {
    auto [it, inserted] = sizes.try_emplace(file);
    if (!inserted)
      return it->second;
    llvm::SmallString<128> full(folder);
    path::append(full, file);
    fs::file_status status;
    if (fs::status(full, status)) {
      if (!allowMissing)
        fail("is in file '" + file + "', which is not in the model's folder '" + folder + "'");
      return std::nullopt;
    }
    if (!fs::is_regular_file(status))
      fail("is in '" + file + "', which is no regular file");
    // The user chose the model's own path, be it a symlink.
    llvm::SmallString<128> real;
    if (file != modelFile) {
      if (fs::real_path(full, real))
        fail("is in file '" + file + "', which cannot be resolved");
      if (!isInside(real))
        fail("is in file '" + file + "', a link that leaves the model's folder: it leads to '" +
             real.str().str() + "'");
    }
    return it->second = status.getSize();
  }

  bool isInside(StringRef real) const {
    auto a = path::begin(realFolder), aEnd = path::end(realFolder);
    auto b = path::begin(real), bEnd = path::end(real);
    for (; a != aEnd; ++a, ++b)
      if (b == bEnd || *a != *b)
        return false;
    return true;
  }

  std::string folder;
  StringRef modelFile;
  bool allowMissing;
  llvm::SmallString<128> realFolder;
  llvm::StringMap<std::optional<int64_t>> sizes;
};

} // namespace

DataReference dougong::importer::getReference(const pb::TensorProto &tensor) {
  DataReference reference;
  reference.file = getEntry(tensor, "location").value_or("").str();
  (void)getEntry(tensor, "offset").value_or("0").getAsInteger(10, reference.offset);
  (void)getEntry(tensor, "length").value_or("0").getAsInteger(10, reference.length);
  return reference;
}

std::vector<std::string> dougong::importer::checkExternalData(pb::ModelProto &model,
                                                              StringRef folder, StringRef modelFile,
                                                              bool allowMissing) {
  Checker checker(folder, modelFile, allowMissing);
  forEachTensor(model,
                [&](pb::TensorProto &tensor, const Owner &owner) { checker.check(tensor, owner); });
  return checker.getMissing();
}

HiddenData::HiddenData(pb::ModelProto &model) {
  forEachTensor(model, [&](pb::TensorProto &tensor, const Owner &) {
    if (!isExternal(tensor))
      return;
    pb::TensorProto stub;
    stub.set_name(tensor.name());
    stub.set_data_type(tensor.data_type());
    stub.add_dims(0);
    hidden.emplace_back(&tensor, std::move(stub));
    tensor.Swap(&hidden.back().second);
  });
}

HiddenData::~HiddenData() {
  for (auto &[tensor, original] : hidden)
    tensor->Swap(&original);
}
