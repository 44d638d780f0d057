//===- Chip.h - what the compiler knows of a kind of chip -------*- C++ -*-===//
//
// A chip is what the vendor's runtime addresses as one device: for a package
// of two dies that are two devices, the die.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_FLEET_CHIP_H
#define DOUGONG_FLEET_CHIP_H

#include "dougong/Fleet/Figure.h"

#include "llvm/ADT/StringRef.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dougong::fleet {

/// Whether a link's bandwidth counts one way or both ways. Makers seldom say.
enum class Direction : uint8_t { Unknown, Uni, Bi };
/// What the runtime addresses as one device.
enum class DeviceUnit : uint8_t { Card, Die, Package };
/// How far an executable form can be proved on a machine without the chip.
enum class FormStatus : uint8_t {
  ExecutableHere, ///< runs on the host
  TextChecked,    ///< our own reader or an upstream tool accepts it
  Description,    ///< planning only, nothing is emitted
};

llvm::StringRef stringify(Direction direction);
llvm::StringRef stringify(DeviceUnit unit);
llvm::StringRef stringify(FormStatus status);

/// A kind of execution unit (cube, vector, sm, cu, cluster, sdnn, core).
struct ComputeUnit {
  std::string kind;
  MaybeFigure count;
  /// Operations per cycle of one unit (a multiply-add is 2), by data type.
  std::map<std::string, Figure> opsPerCycle;
  /// "16x16x16" (M x K x N) of a matrix unit, or "".
  std::string tile;
  MaybeFigure lanes;
  bool operator==(const ComputeUnit &) const = default;
};

/// A data type that the chip computes in, and what it accumulates in.
struct DataType {
  std::string name;       ///< "fp16", "bf16", "int8", ...
  std::string accumulate; ///< "fp32", or "" where that is not known
  bool operator==(const DataType &) const = default;
};

/// A memory on the chip.
struct LocalMemory {
  std::string name;
  std::string scope; ///< chip | cluster | core | lane
  MaybeFigure bytes, usableBytes, align, banks, readBytesPerCycle, writeBytesPerCycle;
  std::vector<std::string> addressableBy;
  bool operator==(const LocalMemory &) const = default;
};

/// A path on which data moves between memories of the chip.
struct DmaPath {
  std::string from, to, pipe, layout;
  MaybeFigure bytesPerCycle;
  bool operator==(const DmaPath &) const = default;
};

/// How pipes of one core, and cores, wait for one another.
struct Synchronisation {
  MaybeFigure flagsPerPair;
  std::string barrier, crossCore;
  bool operator==(const Synchronisation &) const = default;
};

/// The thread model of chips that are programmed per thread.
struct Simt {
  MaybeFigure warp, maxThreads, registers, sharedBytes;
  bool operator==(const Simt &) const = default;
};

/// The memory that holds weights, activations and caches.
struct DeviceMemory {
  std::string kind;      ///< "HBM2e", ...
  MaybeFigure bytes;     ///< capacity
  MaybeFigure reserved;  ///< what runtime and driver keep
  MaybeFigure bandwidth; ///< rated, bytes per second
  MaybeFigure measuredBandwidth;
  bool operator==(const DeviceMemory &) const = default;
};

/// A chip-to-chip link of the maker's own kind.
struct Link {
  std::string name;
  MaybeFigure ports;
  MaybeFigure bandwidth; ///< of one port, bytes per second
  Direction direction = Direction::Unknown;
  MaybeFigure peers; ///< how many chips it joins directly
  bool operator==(const Link &) const = default;
};

/// The link to the host, or a network port.
struct Attachment {
  std::string kind; ///< "pcie", "roce", "ib", ...
  MaybeFigure generation, lanes, count, bandwidth;
  Direction direction = Direction::Unknown;
  bool operator==(const Attachment &) const = default;
};

/// The maker's software.
struct Software {
  std::string stack, minimumVersion, compiler, flags;
  bool operator==(const Software &) const = default;
};

/// A form in which programs for the chip can be emitted.
struct ExecutableForm {
  std::string form;   ///< "shared-library", "ascendnpu-ir", "cuda-source", ...
  std::string target; ///< name of Dougong's code generator, or "" if there is none yet
  FormStatus status = FormStatus::Description;
  /// The form runs on something else than the chip: same numbers, other speed.
  bool standIn = false;
  std::string note;
  bool operator==(const ExecutableForm &) const = default;
};

/// The vendor's collective library.
struct Collectives {
  std::string library;
  /// Of all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce,
  /// gather, scatter, send_recv, barrier. Empty: not known.
  std::vector<std::string> operations;
  MaybeFigure maxRanks;
  bool operator==(const Collectives &) const = default;
};

/// What a scheduler calls the chip. These names change: hence source and date.
struct ResourceKey {
  std::string system; ///< "kubernetes", "slurm", "ray", ...
  std::string key;
  std::string source, date;
  bool operator==(const ResourceKey &) const = default;
};

/// A kind of chip.
struct Chip {
  std::string id;
  std::string title, vendor, family, variant;
  std::string arch;         ///< "dav-c220", "mtp_372", "gfx928", "x86-64", ...
  std::string soc;          ///< the vendor compiler's name of the target
  std::string hostArch;     ///< LLVM triple architecture of the usual host, or ""
  std::string target;       ///< Dougong's code generator to use, or "": none
  bool domestic = false;    ///< counts as domestic under a domestic-share policy
  std::string jurisdiction; ///< ISO 3166 code of the maker, or ""
  DeviceUnit deviceUnit = DeviceUnit::Card;
  MaybeFigure diesPerPackage;
  MaybeFigure ranksPerCard; ///< devices on one card, where schedulers count cards

  MaybeFigure clock;
  std::vector<ComputeUnit> computeUnits;
  /// Dense peak by data type, operations per second.
  std::map<std::string, Figure> peak;
  std::vector<DataType> dataTypes;
  std::vector<LocalMemory> localMemories;
  std::vector<DmaPath> dmaPaths;
  std::vector<std::string> pipes;
  std::optional<Synchronisation> synchronisation;
  std::vector<std::string> layouts; ///< accepted at a program's border
  std::optional<Simt> simt;

  std::optional<DeviceMemory> memory;
  std::vector<Link> links;
  std::optional<Attachment> hostLink;
  std::optional<Attachment> network;
  MaybeFigure power;

  std::optional<Software> software;
  std::vector<ExecutableForm> forms;
  std::string binaryFormat;
  std::optional<Collectives> collectives;
  std::vector<ResourceKey> resourceKeys;
  std::string visibleEnv; ///< environment variable that picks devices, or ""

  /// Share of the peak that an operation class ("gemm", "attention",
  /// "elementwise", "memory", ...) reaches.
  std::map<std::string, Figure> efficiency;
  MaybeFigure launchOverhead; ///< seconds for each launched operation
  MaybeFigure price;          ///< of one chip, in `currency`
  std::string currency;       ///< ISO 4217 code, or ""
  std::string note;

  /// Bytes that programs may use: capacity less what is reserved; nullopt if
  /// the capacity is not known or all of it is reserved.
  std::optional<uint64_t> getUsableBytes() const;
  /// The peak for `dataType` ("fp16" falls back to "bf16" and the reverse,
  /// which every chip of the catalogue that has both runs at one rate), or null.
  const Figure *getPeak(llvm::StringRef dataType) const;
  /// The form that `target` emits, or null.
  const ExecutableForm *getActiveForm() const;
  /// Programs run on a functional stand-in, not on this chip.
  bool runsOnStandIn() const;
  bool operator==(const Chip &) const = default;
};

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_CHIP_H
