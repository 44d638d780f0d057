//===- Error.h - why a model is refused -------------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_ERROR_H
#define DOUGONG_LIB_IMPORT_ERROR_H

#include <stdexcept>
#include <string>

namespace dougong::importer {

/// Refuses the model. The ONNX library throws, so this part does too;
/// importModel turns every exception into a diagnostic. Never thrown through a
/// frame of MLIR or LLVM.
class ImportError : public std::runtime_error {
public:
  /// `node` is the name of the node to blame, or empty.
  explicit ImportError(const std::string &message, std::string node = "", int64_t index = 0)
      : std::runtime_error(message), node(std::move(node)), index(index) {}

  std::string node;
  int64_t index; ///< position of the node in its graph
};

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_ERROR_H
