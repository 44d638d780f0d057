//===- Fleet.h - a site: pools of chips and what joins them -----*- C++ -*-===//
//
// The C++ model of a fleet file. docs/fleet-format.md describes the file, the
// fleet dialect is its form as IR.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_FLEET_FLEET_H
#define DOUGONG_FLEET_FLEET_H

#include "dougong/Fleet/Chip.h"

namespace dougong::fleet {

/// A level of network: what joins `size` chips.
struct Level {
  std::string name;
  std::string medium;   ///< "hccs", "roce", "pcie", "shared-memory", ...
  std::string topology; ///< full-mesh | ring | switch | fat-tree | ... or ""
  /// Chips below one instance of the level, in all. Absent: all chips whose
  /// pool has the level in its path.
  std::optional<uint64_t> size;
  MaybeFigure bandwidth; ///< of one chip into this level, bytes per second
  Direction direction = Direction::Unknown;
  MaybeFigure latency;          ///< seconds, one message
  MaybeFigure oversubscription; ///< at least 1; absent: not known, taken as 1
  /// Chip counts that one job may take of one instance; empty: any.
  std::vector<uint64_t> legalCounts;
  bool wholeOnly = false; ///< a job over several instances takes whole ones
  std::string note;

  /// Bandwidth of one chip in one direction: halved where the figure counts
  /// both ways; where the direction is not known it is taken as both ways, the
  /// cautious reading.
  std::optional<double> getOneWayBandwidth() const;
  bool operator==(const Level &) const = default;
};

/// Equal chips that one vendor's collectives can join.
struct Pool {
  std::string id;
  std::string chip;   ///< id of a chip in Fleet::chips
  uint64_t count = 0; ///< chips; always nodes * chipsPerNode
  uint64_t nodes = 0;
  uint64_t chipsPerNode = 0;
  /// Names of levels, innermost first.
  std::vector<std::string> path;
  std::string target; ///< code generator, in place of the chip's own; or ""
  std::string host;   ///< LLVM architecture of the nodes' hosts, or ""
  std::string hostCpu;
  std::string note;
  bool operator==(const Pool &) const = default;
};

/// How data crosses from one pool to another (either way).
struct CrossPath {
  enum class Via : uint8_t { HostStaged, Library };
  std::string from, to; ///< pool ids; "*" stands for any
  Via via = Via::HostStaged;
  std::string library;   ///< for Via::Library
  MaybeFigure bandwidth; ///< of one chip, one way, bytes per second
  MaybeFigure latency;   ///< seconds
  /// Collectives that may span the two pools; empty: point to point only.
  std::vector<std::string> operations;
  std::string note;
  bool operator==(const CrossPath &) const = default;
};

/// What a domestic share may count.
enum class ShareBasis : uint8_t { Chips, PeakFlops, Cost };
/// What a policy is about.
enum class PolicyScope : uint8_t { Site, Cluster, Job };

/// A rule that the fleet, or a job on it, must obey.
struct Policy {
  std::string name;      ///< "domestic-share"
  MaybeFigure threshold; ///< the share must be above this
  ShareBasis basis = ShareBasis::Chips;
  PolicyScope scope = PolicyScope::Site;
  std::string dataType; ///< for PeakFlops; "": fp16
  std::string source, note;
  bool operator==(const Policy &) const = default;
};

/// A step of growth: from `date` on, `pool` (or the site) has `count` chips.
struct Growth {
  std::string date, pool;
  Figure count;
  bool operator==(const Growth &) const = default;
};

/// Things that fail together.
struct FailureDomain {
  std::string name;
  std::string level; ///< one domain for each instance of this level
  MaybeFigure meanTimeBetweenFailures, meanTimeToRepair; ///< seconds
  bool operator==(const FailureDomain &) const = default;
};

/// A site, or a file of chips (then without pools).
struct Fleet {
  std::string name, title, location, note;
  std::map<std::string, std::string> sources; ///< key -> what it is
  std::vector<Chip> chips;                    ///< all that pools refer to, and the file's own
  std::vector<Level> levels;
  std::vector<Pool> pools;
  std::vector<CrossPath> crossPaths;
  std::vector<Policy> policies;
  std::vector<Growth> growth;
  std::vector<FailureDomain> failureDomains;
  MaybeFigure powerBudget;
  /// The chips are the machine that compiles: ranks share them, whatever their
  /// number, and their memory is the machine's own.
  bool thisMachine = false;

  const Chip *findChip(llvm::StringRef id) const;
  const Level *findLevel(llvm::StringRef name) const;
  const Pool *findPool(llvm::StringRef id) const;
  /// The chip of a pool. Never null in a fleet that readFleet gave.
  const Chip *getChip(const Pool &pool) const { return findChip(pool.chip); }
  /// The path between two different pools, or null: they cannot exchange data.
  const CrossPath *findCrossPath(llvm::StringRef from, llvm::StringRef to) const;
  /// Name of the code generator of a pool, or "".
  std::string getTarget(const Pool &pool) const;
  /// Chips of all pools.
  uint64_t getChipCount() const;
  bool operator==(const Fleet &) const = default;
};

llvm::StringRef stringify(CrossPath::Via via);
llvm::StringRef stringify(ShareBasis basis);
llvm::StringRef stringify(PolicyScope scope);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_FLEET_H
