//===- Registration.h - everything the tools register -----------*- C++ -*-===//
#ifndef DOUGONG_REGISTRATION_H
#define DOUGONG_REGISTRATION_H

namespace mlir {
class DialectRegistry;
}

namespace dougong {

/// Registers our dialects, the upstream dialects that our pipelines go through,
/// and the external models of all interfaces.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers our passes and pipelines, and the upstream passes that people use
/// beside them, for textual pipelines.
void registerPasses();

} // namespace dougong

#endif // DOUGONG_REGISTRATION_H
