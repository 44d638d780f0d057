//===- ExternalData.h - references to weight files --------------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_EXTERNALDATA_H
#define DOUGONG_LIB_IMPORT_EXTERNALDATA_H

#include "dougong/Import/ElementTypes.h"
#include "dougong/Import/Protos.h"

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace dougong::importer {

/// Where the bytes of a tensor are. `file` is relative to the model's folder.
struct DataReference {
  std::string file;
  int64_t offset = 0;
  int64_t length = 0;
};

/// The reference of an external tensor that checkExternalData has accepted.
DataReference getReference(const pb::TensorProto &tensor);

/// Checks all references of the model and brings them to one form: entries
/// location (normalised), offset and length. Each must name a file in `folder`
/// (lexically, and after resolving symlinks), lie within the file's bounds, and
/// be as long as the tensor's type and dims say. Files may be missing if
/// `allowMissing`: returns their names. `modelFile` is the name of the model itself in that folder.
/// Also checks the dims of all other tensors. Throws ImportError.
std::vector<std::string> checkExternalData(pb::ModelProto &model, llvm::StringRef folder,
                                           llvm::StringRef modelFile, bool allowMissing);

/// Makes all external tensors of a model empty while it lives, for parts of the
/// ONNX library that would open their files.
class HiddenData {
public:
  explicit HiddenData(pb::ModelProto &model);
  ~HiddenData();
  HiddenData(const HiddenData &) = delete;
  HiddenData &operator=(const HiddenData &) = delete;

private:
  std::vector<std::pair<pb::TensorProto *, pb::TensorProto>> hidden;
};

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_EXTERNALDATA_H
