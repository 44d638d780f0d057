//===- Format.cpp - amounts in words people read --------------------------===//

#include "dougong/Package/Describe.h"

#include <cmath>
#include <fmt/format.h>

namespace dougong {

/// Three significant digits of a number below 1000 or so: 1.23, 12.3, 123.
static std::string threeDigits(double value) {
  double size = std::fabs(value);
  int decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (decimals == 0)
    return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.')
    text.pop_back();
  return text;
}

std::string formatBytes(std::uint64_t bytes) {
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  int unit = 0;
  // 1023.7 KiB would be printed as "1024 KiB".
  for (; value >= 1023.5 && unit != 5; ++unit)
    value /= 1024;
  return threeDigits(value) + " " + units[unit];
}

std::string formatSeconds(double seconds) {
  if (!std::isfinite(seconds))
    return "unknown";
  double size = std::fabs(seconds);
  if (size == 0)
    return "0 s";
  if (size < 999.5e-9)
    return threeDigits(seconds * 1e9) + " ns";
  if (size < 999.5e-6)
    return threeDigits(seconds * 1e6) + " us";
  if (size < 999.5e-3)
    return threeDigits(seconds * 1e3) + " ms";
  return threeDigits(seconds) + " s";
}

std::string formatCount(double count) {
  if (!std::isfinite(count))
    return "unknown";
  static const char *const prefixes[] = {"", " k", " M", " G", " T", " P", " E"};
  int prefix = 0;
  for (; std::fabs(count) >= 999.5 && prefix != 6; ++prefix)
    count /= 1000;
  return threeDigits(count) + prefixes[prefix];
}

} // namespace dougong
