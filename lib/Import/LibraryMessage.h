//===- LibraryMessage.h - what the ONNX library says, in our form *- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_LIBRARYMESSAGE_H
#define DOUGONG_LIB_IMPORT_LIBRARYMESSAGE_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace dougong::importer {

/// A message of the ONNX library, read.
struct LibraryMessage {
  std::string text; ///< one line in the form of our own messages
  std::string node; ///< name of the innermost node that it is about, or empty
};

/// Reads what an exception of the ONNX library says: "Assertion `c` failed: text",
/// "(op_type:T, node name: N): [ShapeInferenceError] text", "text\n\n==> Context: Bad
/// node spec for node. Name: N OpType: T", and plain sentences.
LibraryMessage readLibraryMessage(llvm::StringRef message);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_LIBRARYMESSAGE_H
