//===- DeviceNames.cpp - places on a mesh in names of devices -------------===//
#include "DeviceNames.h"

#include "llvm/ADT/STLExtras.h"

#include <set>

using namespace llvm;
using namespace dougong;
using namespace dougong::dist;

DevicePlace dist::parseDeviceName(StringRef name) {
  DevicePlace place;
  SmallVector<StringRef> parts;
  name.substr(name.rfind('/') + 1).split(parts, ',');
  for (StringRef part : parts) {
    auto [axis, text] = part.split('=');
    int64_t coordinate;
    if (axis.empty() || text.getAsInteger(10, coordinate))
      return {};
    place.push_back({axis.str(), coordinate});
  }
  return place;
}

std::vector<std::pair<std::string, int64_t>> dist::getGridAxes(ArrayRef<DevicePlace> places) {
  if (places.empty() || places.back().empty())
    return {};
  // The last device has the last place along each axis. An axis of one device has
  // nothing to cut.
  std::vector<std::pair<std::string, int64_t>> axes;
  std::set<std::string> seen;
  int64_t count = 1;
  for (const auto &[axis, coordinate] : places.back()) {
    if (coordinate < 0 || coordinate >= static_cast<int64_t>(places.size()) ||
        !seen.insert(axis).second)
      return {};
    int64_t size = coordinate + 1;
    if ((count *= size) > static_cast<int64_t>(places.size()))
      return {};
    if (size > 1)
      axes.push_back({axis, size});
  }
  if (count != static_cast<int64_t>(places.size()))
    return {};
  for (auto [number, place] : llvm::enumerate(places)) {
    if (place.size() != places.back().size())
      return {};
    int64_t rest = number;
    for (auto [entry, last] : llvm::reverse(llvm::zip_equal(place, places.back()))) {
      int64_t size = last.second + 1;
      if (entry.first != last.first || entry.second != rest % size)
        return {};
      rest /= size;
    }
  }
  return axes;
}
