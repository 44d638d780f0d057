//===- DeviceNames.h - places on a mesh in names of devices -----*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_DEVICENAMES_H
#define DOUGONG_LIB_DIST_PLAN_DEVICENAMES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dougong::dist {

/// Axis and coordinate, major first.
using DevicePlace = std::vector<std::pair<std::string, int64_t>>;

/// The place that a name as "stage0/dp=1,tp=0" tells; nothing for other names.
DevicePlace parseDeviceName(llvm::StringRef name);

/// The axes, with sizes, of a grid whose places are these in row-major order; empty
/// if they make none. Axes of one device are left out: they cut nothing.
std::vector<std::pair<std::string, int64_t>> getGridAxes(llvm::ArrayRef<DevicePlace> places);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_DEVICENAMES_H
