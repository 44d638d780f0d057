//===- ChipFields.cpp - the keys of a chip ---------------------------------===//
#include "ModelFields.h"

using namespace llvm;
using namespace dougong::fleet;

namespace dougong::fleet {

StringRef stringify(Direction direction) {
  switch (direction) {
  case Direction::Unknown:
    return "unknown";
  case Direction::Uni:
    return "uni";
  case Direction::Bi:
    return "bi";
  }
  return "unknown";
}

StringRef stringify(DeviceUnit unit) {
  switch (unit) {
  case DeviceUnit::Card:
    return "card";
  case DeviceUnit::Die:
    return "die";
  case DeviceUnit::Package:
    return "package";
  }
  return "card";
}

StringRef stringify(FormStatus status) {
  switch (status) {
  case FormStatus::ExecutableHere:
    return "executable-here";
  case FormStatus::TextChecked:
    return "text-checked";
  case FormStatus::Description:
    return "description";
  }
  return "description";
}

ArrayRef<StringRef> getCollectiveNames() {
  static constexpr StringRef kNames[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all",
                                         "broadcast",  "reduce",     "gather",         "scatter",
                                         "send_recv",  "barrier"};
  return kNames;
}

ArrayRef<StringRef> getDataTypeNames() {
  static constexpr StringRef kNames[] = {"fp64", "fp32", "tf32",  "fp16",  "bf16",
                                         "fp8",  "fp4",  "mxfp8", "mxfp4", "hif8",
                                         "int4", "int8", "int16", "int32", "hf32"};
  return kNames;
}

static void direction(Fields &fields, Direction &value) {
  fields.choice("direction", value, {Direction::Unknown, Direction::Uni, Direction::Bi},
                Direction::Unknown);
}

static void describe(Fields &fields, ComputeUnit &unit) {
  fields.name("kind", unit.kind, Fields::Required);
  fields.figure("count", unit.count, Quantity::Count);
  fields.figures("ops_per_cycle", unit.opsPerCycle, Quantity::Count);
  fields.text("tile", unit.tile);
  fields.figure("lanes", unit.lanes, Quantity::Count);
}

static void describe(Fields &fields, DataType &type) {
  fields.name("name", type.name, Fields::Required);
  fields.name("accumulate", type.accumulate);
}

static void describe(Fields &fields, LocalMemory &memory) {
  fields.name("name", memory.name, Fields::Required);
  fields.name("scope", memory.scope);
  fields.figure("bytes", memory.bytes, Quantity::Bytes);
  fields.figure("usable_bytes", memory.usableBytes, Quantity::Bytes);
  fields.figure("align", memory.align, Quantity::Bytes);
  fields.figure("banks", memory.banks, Quantity::Count);
  fields.figure("read_bytes_per_cycle", memory.readBytesPerCycle, Quantity::Bytes);
  fields.figure("write_bytes_per_cycle", memory.writeBytesPerCycle, Quantity::Bytes);
  fields.words("addressable_by", memory.addressableBy);
}

static void describe(Fields &fields, DmaPath &path) {
  fields.name("from", path.from, Fields::Required);
  fields.name("to", path.to, Fields::Required);
  fields.name("pipe", path.pipe);
  fields.text("layout", path.layout);
  fields.figure("bytes_per_cycle", path.bytesPerCycle, Quantity::Bytes);
}

static void describe(Fields &fields, Synchronisation &sync) {
  fields.figure("flags_per_pair", sync.flagsPerPair, Quantity::Count);
  fields.text("barrier", sync.barrier);
  fields.text("cross_core", sync.crossCore);
}

static void describe(Fields &fields, Simt &simt) {
  fields.figure("warp", simt.warp, Quantity::Count);
  fields.figure("max_threads", simt.maxThreads, Quantity::Count);
  fields.figure("registers", simt.registers, Quantity::Count);
  fields.figure("shared_bytes", simt.sharedBytes, Quantity::Bytes);
}

static void describe(Fields &fields, DeviceMemory &memory) {
  fields.name("kind", memory.kind);
  fields.figure("bytes", memory.bytes, Quantity::Bytes);
  fields.figure("reserved", memory.reserved, Quantity::Bytes);
  fields.figure("bandwidth", memory.bandwidth, Quantity::Rate);
  fields.figure("measured_bandwidth", memory.measuredBandwidth, Quantity::Rate);
}

static void describe(Fields &fields, Link &link) {
  fields.name("name", link.name, Fields::Required);
  fields.figure("ports", link.ports, Quantity::Count);
  fields.figure("bandwidth", link.bandwidth, Quantity::Rate);
  direction(fields, link.direction);
  fields.figure("peers", link.peers, Quantity::Count);
}

static void describe(Fields &fields, Attachment &attachment) {
  fields.name("kind", attachment.kind, Fields::Required);
  fields.figure("generation", attachment.generation, Quantity::Count);
  fields.figure("lanes", attachment.lanes, Quantity::Count);
  fields.figure("count", attachment.count, Quantity::Count);
  fields.figure("bandwidth", attachment.bandwidth, Quantity::Rate);
  direction(fields, attachment.direction);
}

static void describe(Fields &fields, Software &software) {
  fields.text("stack", software.stack);
  fields.text("minimum_version", software.minimumVersion);
  fields.text("compiler", software.compiler);
  fields.text("flags", software.flags);
}

static void describe(Fields &fields, ExecutableForm &form) {
  fields.name("form", form.form, Fields::Required);
  fields.name("target", form.target);
  fields.choice("status", form.status,
                {FormStatus::ExecutableHere, FormStatus::TextChecked, FormStatus::Description},
                FormStatus::Description);
  fields.flag("stand_in", form.standIn, false);
  fields.text("note", form.note);
}

static void describe(Fields &fields, Collectives &collectives) {
  fields.name("library", collectives.library, Fields::Required);
  fields.wordsOf("operations", collectives.operations, getCollectiveNames());
  fields.figure("max_ranks", collectives.maxRanks, Quantity::Count);
}

static void describe(Fields &fields, ResourceKey &key) {
  fields.name("system", key.system, Fields::Required);
  fields.text("key", key.key, Fields::Required);
  fields.name("source", key.source);
  fields.date("date", key.date);
}

static void describeCompute(Fields &fields, Chip &chip) {
  fields.figure("clock", chip.clock, Quantity::Frequency);
  fields.list("compute_units", chip.computeUnits, "compute unit");
  fields.figures("peak", chip.peak, Quantity::OpRate);
  fields.list("dtypes", chip.dataTypes, "data type");
  fields.list("local_memories", chip.localMemories, "local memory");
  fields.list("dma_paths", chip.dmaPaths, "DMA path");
  fields.words("pipes", chip.pipes);
  fields.object("sync", chip.synchronisation, "sync");
  fields.words("layouts", chip.layouts);
  fields.object("simt", chip.simt, "simt");
}

static void describeSurroundings(Fields &fields, Chip &chip) {
  fields.object("memory", chip.memory, "memory");
  fields.list("links", chip.links, "link");
  fields.object("host_link", chip.hostLink, "host link");
  fields.object("network", chip.network, "network port");
  fields.figure("power", chip.power, Quantity::Power);
}

static void describeSoftware(Fields &fields, Chip &chip) {
  fields.object("software", chip.software, "software");
  fields.list("forms", chip.forms, "executable form");
  fields.name("binary_format", chip.binaryFormat);
  fields.object("collectives", chip.collectives, "collectives");
  fields.list("resource_keys", chip.resourceKeys, "resource key");
  fields.name("visible_devices_env", chip.visibleEnv);
}

void describe(Fields &fields, Chip &chip) {
  fields.name("id", chip.id, Fields::Required);
  fields.text("title", chip.title);
  fields.text("vendor", chip.vendor, Fields::Required);
  fields.text("family", chip.family);
  fields.text("variant", chip.variant);
  fields.text("arch", chip.arch);
  fields.text("soc", chip.soc);
  fields.name("host_arch", chip.hostArch);
  fields.name("target", chip.target);
  fields.flag("domestic", chip.domestic, false, Fields::Required);
  fields.name("jurisdiction", chip.jurisdiction);
  fields.choice("device_unit", chip.deviceUnit,
                {DeviceUnit::Card, DeviceUnit::Die, DeviceUnit::Package}, DeviceUnit::Card);
  fields.figure("dies_per_package", chip.diesPerPackage, Quantity::Count);
  fields.figure("ranks_per_card", chip.ranksPerCard, Quantity::Count);
  describeCompute(fields, chip);
  describeSurroundings(fields, chip);
  describeSoftware(fields, chip);
  fields.figures("efficiency", chip.efficiency, Quantity::Ratio);
  fields.figure("launch_overhead", chip.launchOverhead, Quantity::Time);
  fields.figure("price", chip.price, Quantity::Money);
  fields.name("currency", chip.currency);
  fields.text("note", chip.note);
}

/// Position of a key below a mapping, or of the mapping.
static Position locate(const Tree &tree, StringRef key) {
  const Tree *value = tree.find(key);
  return value && value->position.line ? value->position : tree.position;
}

void checkChip(const Chip &chip, const Tree &tree, Diagnostics &diagnostics) {
  std::string name = "chip '" + chip.id + "': ";
  auto checkTypes = [&](StringRef key, const auto &types, auto nameOf) {
    for (const auto &type : types)
      if (!is_contained(getDataTypeNames(), StringRef(nameOf(type))))
        diagnostics.error(locate(tree, key), name + "unknown data type '" + nameOf(type) +
                                                 "' in '" + key + "'" +
                                                 suggest(nameOf(type), getDataTypeNames()));
  };
  checkTypes("peak", chip.peak, [](const auto &entry) { return entry.first; });
  checkTypes("dtypes", chip.dataTypes, [](const DataType &type) { return type.name; });

  if (chip.memory && chip.memory->bytes && chip.memory->reserved &&
      chip.memory->reserved->value >= chip.memory->bytes->value)
    diagnostics.error(locate(tree, "memory"),
                      name + "reserved memory (" +
                          printQuantity(chip.memory->reserved->value, Quantity::Bytes) +
                          ") is not below its capacity (" +
                          printQuantity(chip.memory->bytes->value, Quantity::Bytes) + ")");
  for (const auto &[operation, figure] : chip.efficiency)
    if (figure.value > 1)
      diagnostics.error(locate(tree, "efficiency"),
                        name + "efficiency of '" + operation + "' must be at most 1, got " +
                            printQuantity(figure.value, Quantity::Ratio));
  for (const LocalMemory &memory : chip.localMemories)
    if (memory.bytes && memory.usableBytes && memory.usableBytes->value > memory.bytes->value)
      diagnostics.error(locate(tree, "local_memories"),
                        name + "memory '" + memory.name + "' has more usable bytes than bytes");
  if (!chip.target.empty() && !chip.getActiveForm())
    diagnostics.error(locate(tree, "target"),
                      name + "no executable form has target '" + chip.target + "'");
  if (chip.price && chip.currency.empty())
    diagnostics.error(locate(tree, "price"), name + "a price needs a 'currency'");
}

} // namespace dougong::fleet
