//===- SchemaRegistry.h - ONNX's schemas as inference sees them -*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_SCHEMAREGISTRY_H
#define DOUGONG_LIB_IMPORT_SCHEMAREGISTRY_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/MLIRContext.h"

#include <onnx/defs/schema.h>

#include <map>
#include <memory>

namespace dougong::importer {

/// Throws the library's InferenceError where its inference of `opType` would end the
/// process: by an extent that it makes a list of, or by a division by zero.
void guardInference(const std::string &opType, const pb::InferenceContext &inference);

/// The library's schemas, with guards before their functions; and for operators of
/// com.microsoft schemas that pass element types from operands to results by the
/// dialect's type variables: so that inference goes on behind them.
class SchemaRegistry : public pb::ISchemaRegistry {
public:
  explicit SchemaRegistry(mlir::MLIRContext *context) : context(context) {}

  const pb::OpSchema *GetSchema(const std::string &name, int maxVersion,
                                const std::string &domain) const override;

private:
  std::unique_ptr<pb::OpSchema> makeMicrosoftSchema(const std::string &name) const;

  mlir::MLIRContext *context;
  /// By name, for operators of com.microsoft; null for one that nobody knows.
  mutable std::map<std::string, std::unique_ptr<pb::OpSchema>> microsoft;
  /// Copies with guards, for those that need one.
  mutable std::map<const pb::OpSchema *, std::unique_ptr<pb::OpSchema>> guarded;
};

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_SCHEMAREGISTRY_H
