//===- CostModel.cpp - predicted times of operators and messages ----------===//
#include "dougong/Plan/CostModel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace llvm;
using namespace dougong;
using namespace dougong::planner;

//===----------------------------------------------------------------------===//
// Figures
//===----------------------------------------------------------------------===//

void FigureLog::add(StringRef subject, StringRef name, const fleet::Figure &figure) {
  figures.try_emplace({subject.str(), name.str()},
                      UsedFigure{subject.str(), name.str(),
                                 fleet::showQuantity(figure.value, figure.quantity),
                                 fleet::stringify(figure.kind).str()});
}

void FigureLog::assume(StringRef subject, StringRef name, StringRef value) {
  figures.try_emplace({subject.str(), name.str()},
                      UsedFigure{subject.str(), name.str(), value.str(), "assumed"});
}

std::string FigureLog::getWeakest() const {
  std::optional<fleet::Provenance> weakest;
  for (const auto &[key, used] : figures) {
    std::optional<fleet::Provenance> kind = fleet::parseProvenance(used.provenance);
    if (!kind)
      return used.provenance;
    weakest = weakest ? fleet::weaker(*weakest, *kind) : *kind;
  }
  return weakest ? fleet::stringify(*weakest).str() : "";
}

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

static constexpr double defaultGemmEfficiency = 0.7, defaultMemoryEfficiency = 0.8;
static constexpr double defaultLaunch = 5e-6;

static std::string describeChip(const fleet::Chip &chip) { return "chip '" + chip.id + "'"; }

Expected<ChipModel> ChipModel::create(const fleet::Chip &chip) {
  if (!chip.memory || (!chip.memory->bandwidth && !chip.memory->measuredBandwidth))
    return createStringError(describeChip(chip) + " has no memory.bandwidth");
  return ChipModel(chip);
}

static double getBits(StringRef dataType) {
  return StringSwitch<double>(dataType)
      .Case("fp64", 64)
      .Case("fp32", 32)
      .Case("int32", 32)
      .Case("fp16", 16)
      .Case("bf16", 16)
      .Case("int16", 16)
      .Case("fp4", 4)
      .Case("int4", 4)
      .Default(8);
}

Expected<OpTime> ChipModel::getTime(const OpAmounts &op, FigureLog &log) const {
  OpTime time;
  if (!op.isLaunched)
    return time;
  std::string subject = describeChip(*chip);
  auto getRatio = [&](StringRef name, double standard) {
    if (auto found = chip->efficiency.find(name.str()); found != chip->efficiency.end()) {
      log.add(subject, ("efficiency." + name).str(), found->second);
      return found->second.value;
    }
    log.assume(subject, ("efficiency." + name).str(), formatv("{0}", standard).str());
    return standard;
  };
  if (op.flops > 0) {
    const fleet::Figure *peak = chip->getPeak(op.dataType);
    double rate = peak ? peak->value : 0;
    std::string name = ("peak." + op.dataType).str();
    for (StringRef other : {"fp16", "bf16", "fp32", "int8"})
      if (const fleet::Figure *figure = peak ? nullptr : chip->getPeak(other)) {
        peak = figure;
        double scale = std::min(1.0, getBits(other) / getBits(op.dataType));
        rate = figure->value * scale;
        log.assume(subject, name, formatv("{0} of peak.{1}", scale, other).str());
        name = ("peak." + other).str();
      }
    if (!peak)
      return createStringError(subject + " has no peak." + op.dataType.str());
    log.add(subject, name, *peak);
    time.compute = op.flops / (rate * (op.isMatrix ? getRatio("gemm", defaultGemmEfficiency) : 1));
  }
  if (op.bytes > 0) {
    bool isMeasured = chip->memory->measuredBandwidth.has_value();
    const fleet::Figure &bandwidth =
        isMeasured ? *chip->memory->measuredBandwidth : *chip->memory->bandwidth;
    log.add(subject, isMeasured ? "memory.measured_bandwidth" : "memory.bandwidth", bandwidth);
    // What was measured is what is reached.
    double ratio = isMeasured ? 1 : getRatio("memory", defaultMemoryEfficiency);
    time.memory = op.bytes / (bandwidth.value * ratio);
  }
  if (chip->launchOverhead) {
    log.add(subject, "launch_overhead", *chip->launchOverhead);
    time.launch = chip->launchOverhead->value;
  } else {
    log.assume(subject, "launch_overhead",
               fleet::showQuantity(defaultLaunch, fleet::Quantity::Time));
    time.launch = defaultLaunch;
  }
  return time;
}

//===----------------------------------------------------------------------===//
// Networks
//===----------------------------------------------------------------------===//

static constexpr double defaultLatency = 10e-6;

Expected<PoolNetwork::Link> PoolNetwork::getLink(StringRef name, FigureLog &log) const {
  const fleet::Level *level = fleet->findLevel(name);
  std::optional<double> bandwidth = level ? level->getOneWayBandwidth() : std::nullopt;
  std::string subject = ("level '" + name + "'").str();
  if (!bandwidth)
    return createStringError(subject + " has no bandwidth");
  log.add(subject, "bandwidth", *level->bandwidth);
  Link link{defaultLatency, *bandwidth};
  if (level->oversubscription) {
    log.add(subject, "oversubscription", *level->oversubscription);
    link.bandwidth /= level->oversubscription->value;
  }
  if (level->latency) {
    log.add(subject, "latency", *level->latency);
    link.latency = level->latency->value;
  } else {
    log.assume(subject, "latency", fleet::showQuantity(defaultLatency, fleet::Quantity::Time));
  }
  return link;
}

/// The number of an instance of a level of `size` chips; 0 joins all.
static int64_t getInstance(const fleet::Fleet &fleet, StringRef level, int64_t chip) {
  const fleet::Level *found = fleet.findLevel(level);
  return found && found->size ? chip / static_cast<int64_t>(*found->size) : 0;
}

Expected<double> PoolNetwork::getCollectiveTime(StringRef kind, double bytes,
                                                ArrayRef<int64_t> chips, FigureLog &log) const {
  struct Step {
    int64_t fanOut, below;
    Link link;
  };
  SmallVector<Step> steps;
  int64_t below = 1;
  SmallVector<int64_t> instances(chips);
  for (const std::string &level : pool->path) {
    // The greatest number of inner instances in one of this level.
    std::map<int64_t, std::set<int64_t>> inner;
    for (auto [chip, instance] : zip_equal(chips, instances))
      inner[getInstance(*fleet, level, chip)].insert(instance);
    int64_t fanOut = 1;
    for (const auto &[outer, members] : inner)
      fanOut = std::max<int64_t>(fanOut, members.size());
    for (auto [chip, instance] : zip_equal(chips, instances))
      instance = getInstance(*fleet, level, chip);
    if (fanOut == 1)
      continue;
    Expected<Link> link = getLink(level, log);
    if (!link)
      return link.takeError();
    steps.push_back({fanOut, below, *link});
    below *= fanOut;
  }
  if (!all_equal(instances))
    return createStringError("no level joins " + Twine(chips.size()) + " chips of pool '" +
                             pool->id + "'");
  double latency = 0, gather = 0, exchange = 0, permute = 0;
  for (const Step &step : steps) {
    double others = step.fanOut - 1;
    latency += others * step.link.latency;
    permute = std::max(permute, bytes / step.link.bandwidth + step.link.latency);
    gather += others / step.fanOut * bytes / step.below / step.link.bandwidth;
    exchange =
        std::max(exchange, bytes * (1 - double(step.below) / chips.size()) / step.link.bandwidth);
  }
  if (kind == "permute")
    return permute;
  if (kind == "all_to_all" || kind == "ragged_all_to_all")
    return exchange + latency;
  if (kind != "all_reduce")
    return gather + latency;
  double ring = 2 * (gather + latency);
  if (steps.size() != 1)
    return ring;
  double direct = steps[0].link.latency + (chips.size() - 1) * bytes / steps[0].link.bandwidth;
  return std::min(ring, direct);
}

Expected<double> PoolNetwork::getMessageTime(double bytes, int64_t from, int64_t to,
                                             FigureLog &log) const {
  if (from == to)
    return 0.0;
  for (const std::string &level : pool->path) {
    if (getInstance(*fleet, level, from) != getInstance(*fleet, level, to))
      continue;
    Expected<Link> link = getLink(level, log);
    if (!link)
      return link.takeError();
    return link->latency + bytes / link->bandwidth;
  }
  return createStringError("no level joins chips " + Twine(from) + " and " + Twine(to) +
                           " of pool '" + pool->id + "'");
}

Expected<double> dougong::planner::getCrossTime(const fleet::Fleet &fleet, StringRef from,
                                                StringRef to, double bytes, FigureLog &log) {
  const fleet::CrossPath *path = fleet.findCrossPath(from, to);
  std::string subject = ("path '" + from + "' to '" + to + "'").str();
  if (!path)
    return createStringError("no cross path joins pools '" + from + "' and '" + to + "'");
  if (!path->bandwidth)
    return createStringError(subject + " has no bandwidth");
  log.add(subject, "bandwidth", *path->bandwidth);
  double latency = defaultLatency;
  if (path->latency) {
    log.add(subject, "latency", *path->latency);
    latency = path->latency->value;
  } else {
    log.assume(subject, "latency", fleet::showQuantity(defaultLatency, fleet::Quantity::Time));
  }
  return latency + bytes / path->bandwidth->value;
}
