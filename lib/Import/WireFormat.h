//===- WireFormat.h - a model's bytes without its weights -------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_WIREFORMAT_H
#define DOUGONG_LIB_IMPORT_WIREFORMAT_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace dougong::importer {

/// Payloads up to this many bytes stay in the graph.
constexpr size_t inlineLimit = 1024;

/// Copies the serialized ModelProto `file`, replacing every tensor payload over
/// `inlineLimit` bytes by an external-data reference: location `location`, and
/// offset and length of the payload in `file`. Only payloads that are laid down
/// as external data would be (raw_data, packed float_data and double_data) are
/// replaced; their bytes are never touched. Throws ImportError where the bytes
/// are not a Protobuf message.
std::string replacePayloads(llvm::StringRef file, llvm::StringRef location);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_WIREFORMAT_H
