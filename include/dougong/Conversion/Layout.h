//===- Layout.h - the order of a tensor's dims ------------------*- C++ -*-===//
#ifndef DOUGONG_CONVERSION_LAYOUT_H
#define DOUGONG_CONVERSION_LAYOUT_H

#include "llvm/ADT/StringRef.h"

namespace dougong {

/// Unit attribute of convolutions and pools whose input and result are
/// [n, space..., c]. The pass assign-layouts sets it; weights are as ever.
inline constexpr llvm::StringLiteral channelsLastAttrName = "dougong.channels_last";

} // namespace dougong

#endif // DOUGONG_CONVERSION_LAYOUT_H
