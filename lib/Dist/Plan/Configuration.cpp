//===- Configuration.cpp - device configurations of the ONNX standard -----===//
//
// IR version 11 lets a node say on which devices the blocks of its inputs and outputs lie. Each
// stage becomes a mesh: the numbers of its devices, in order, are those of a grid, and every dim
// that is cut follows some of its axes. What a configuration says of no node is inferred.
//
//===----------------------------------------------------------------------===//
#include "Configuration.h"
#include "DeviceNames.h"

#include "dougong/Dist/Propagation.h"
#include "dougong/Support/Text.h"

#include "llvm/ADT/Sequence.h"

#include <map>
#include <set>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

constexpr llvm::StringLiteral configurationsAttrName = "onnx.configurations";
constexpr llvm::StringLiteral nodeAttrName = "onnx.device_configurations";

/// Every device has a place in the grid: more than there are in any datacentre are a slip.
constexpr int64_t mostDevices = int64_t{1} << 20;

int64_t getInteger(DictionaryAttr fields, StringRef name, int64_t otherwise = 0) {
  auto value = fields.getAs<IntegerAttr>(name);
  return value ? value.getInt() : otherwise;
}

template <typename Visitor> void forEach(DictionaryAttr fields, StringRef name, Visitor visit) {
  if (auto list = fields.getAs<ArrayAttr>(name))
    for (auto entry : list.getAsRange<DictionaryAttr>())
      visit(entry);
}

/// A dim that is cut, and the number of its block on each device of the stage; the devices are
/// counted from 0.
struct CutDim {
  int64_t axis, shards;
  SmallVector<int64_t> block;
  /// The block of device d is d / stride % shards.
  int64_t stride = 0;
};

/// What a configuration says of one value of a node.
struct ValueSpec {
  Operation *op;
  DictionaryAttr fields;
  SmallVector<CutDim> dims;

  Value getValue() const {
    auto result = fields.getAs<IntegerAttr>("result");
    int64_t number = result ? result.getInt() : getInteger(fields, "operand", -1);
    if (result)
      return number < op->getNumResults() ? Value(op->getResult(number)) : Value();
    return number >= 0 && number < op->getNumOperands() ? op->getOperand(number) : Value();
  }
  InFlightDiagnostic emitError() const {
    return op->emitError() << "sharding of tensor '"
                           << fields.getAs<StringAttr>("tensor_name").getValue() << "': ";
  }
};

/// The nodes, devices and grid of one stage.
struct StageDevices {
  std::set<int64_t> devices;
  SmallVector<Operation *> ops;
  SmallVector<ValueSpec> specs;
  SmallVector<int64_t> borders; ///< strides of the grid, from 1 to the number of devices
  /// Axes that the names of the devices tell, major first; empty if they do not.
  std::vector<std::pair<std::string, int64_t>> axes;

  /// The axis between two borders.
  std::string getAxis(size_t border) const {
    return axes.empty() ? "x" + std::to_string(border) : axes[axes.size() - 1 - border].first;
  }
};

class ConfigurationReader {
public:
  ConfigurationReader(ModuleOp module, func::FuncOp main, Strategy &strategy)
      : module(module), main(main), name(strategy.configuration), strategy(strategy) {}

  LogicalResult run();

private:
  LogicalResult findConfiguration();
  void readNodes();
  LogicalResult placeBlocks(StageDevices &stage, ValueSpec &spec);
  void readAxes(StageDevices &stage);
  LogicalResult makeGrid(StageDevices &stage);
  void write();
  void writeShards(const StageDevices &stage, const ValueSpec &spec);
  SmallVector<std::string> getAxes(const StageDevices &stage, const ValueSpec &spec) const;

  ModuleOp module;
  func::FuncOp main;
  const std::string name;
  Strategy &strategy;
  int64_t deviceCount = 0, nodeCount = 0;
  SmallVector<StringRef> deviceNames;
  bool hasStages = false;
  std::map<int64_t, StageDevices> stages;
};

} // namespace

LogicalResult ConfigurationReader::findConfiguration() {
  std::string names;
  if (auto list = module->getAttrOfType<ArrayAttr>(configurationsAttrName))
    for (auto fields : list.getAsRange<DictionaryAttr>()) {
      StringRef known = fields.getAs<StringAttr>("name").getValue();
      names += (names.empty() ? "'" : ", '") + known.str() + "'";
      if (known != name)
        continue;
      deviceCount = getInteger(fields, "num_devices");
      nodeCount = getInteger(fields, "nodes");
      if (deviceCount > mostDevices)
        return module.emitError() << "device configuration '" << name << "' has " << deviceCount
                                  << " devices, expected at most " << mostDevices;
      if (auto devices = fields.getAs<ArrayAttr>("device"))
        llvm::append_range(deviceNames, devices.getAsValueRange<StringAttr>());
      return success();
    }
  return module.emitError() << "the model has no device configuration '" << name << "'"
                            << (names.empty() ? "" : "; it has " + names);
}

void ConfigurationReader::readNodes() {
  int64_t found = 0;
  for (Operation &op : main.front()) {
    auto list = op.getAttrOfType<ArrayAttr>(nodeAttrName);
    for (Attribute entry : list ? list.getValue() : ArrayRef<Attribute>()) {
      auto fields = cast<DictionaryAttr>(entry);
      if (fields.getAs<StringAttr>("configuration_id") != StringRef(name))
        continue;
      ++found;
      hasStages |= fields.contains("pipeline_stage");
      StageDevices &stage = stages[getInteger(fields, "pipeline_stage")];
      stage.ops.push_back(&op);
      forEach(fields, "sharding_spec", [&](DictionaryAttr spec) {
        stage.specs.push_back({&op, spec, {}});
        std::set<int64_t> groups;
        forEach(spec, "index_to_device_group_map", [&](DictionaryAttr group) {
          groups.insert(getInteger(group, "key"));
          for (int64_t device : group.getAs<DenseI64ArrayAttr>("value").asArrayRef())
            stage.devices.insert(device);
        });
        for (int64_t place : spec.getAs<DenseI64ArrayAttr>("device").asArrayRef())
          if (!groups.count(place))
            stage.devices.insert(place);
      });
    }
  }
  if (found < nodeCount)
    main.emitWarning() << nodeCount - found << " of " << countOf(nodeCount, "node")
                       << " that device configuration '" << name
                       << "' describes are no more after normalize: what it says of them is left "
                          "out";
  if (!hasStages) // one stage on all devices
    for (int64_t device = 0; device < deviceCount; ++device)
      stages[0].devices.insert(device);
  for (auto &[number, stage] : stages)
    if (stage.devices.empty())
      stage.devices.insert(0);
}

/// Fills in which block of each dim the devices of the stage have.
LogicalResult ConfigurationReader::placeBlocks(StageDevices &stage, ValueSpec &spec) {
  auto type =
      dyn_cast_if_present<RankedTensorType>(spec.getValue() ? spec.getValue().getType() : Type());
  if (!type)
    return spec.emitError() << "the node has no such tensor any more";
  int64_t rank = type.getRank(), devices = stage.devices.size();
  std::map<int64_t, SmallVector<int64_t>> groups;
  forEach(spec.fields, "index_to_device_group_map", [&](DictionaryAttr group) {
    auto values = group.getAs<DenseI64ArrayAttr>("value").asArrayRef();
    groups[getInteger(group, "key")].assign(values.begin(), values.end());
  });
  std::set<int64_t> seen;
  LogicalResult result = success();
  forEach(spec.fields, "sharded_dim", [&](DictionaryAttr dim) {
    int64_t axis = getInteger(dim, "axis"), shards = 1;
    bool isOuter = true;
    forEach(dim, "simple_sharding", [&](DictionaryAttr part) {
      int64_t count = getInteger(part, "num_shards", 1);
      if (!isOuter && count > 1 && succeeded(result))
        result = spec.emitError() << "axis " << axis
                                  << " is cut in its inner part, expected in its outermost alone";
      shards *= count;
      isOuter = false;
    });
    int64_t normal = axis < 0 ? axis + rank : axis;
    if (failed(result))
      return;
    if (normal < 0 || normal >= rank)
      result = spec.emitError() << "axis " << axis << " is out of range, the tensor has "
                                << countOf(rank, "dim");
    else if (!seen.insert(normal).second)
      result = spec.emitError() << "axis " << axis << " is given twice";
    else
      spec.dims.push_back({normal, shards, SmallVector<int64_t>(devices, -1)});
  });
  if (failed(result))
    return failure();
  // Blocks are counted by nested loops over the dims in their order, the last one fastest.
  std::set<int64_t> placed;
  ArrayRef<int64_t> places = spec.fields.getAs<DenseI64ArrayAttr>("device").asArrayRef();
  for (auto [number, place] : llvm::enumerate(places)) {
    SmallVector<int64_t> alone{place};
    auto group = groups.find(place);
    for (int64_t device : group == groups.end() ? alone : group->second) {
      if (!placed.insert(device).second)
        return spec.emitError() << "device " << device << " has two shards, expected one";
      int64_t local = std::distance(stage.devices.begin(), stage.devices.find(device));
      int64_t rest = number;
      for (CutDim &dim : llvm::reverse(spec.dims)) {
        dim.block[local] = rest % dim.shards;
        rest /= dim.shards;
      }
    }
  }
  for (int64_t device : stage.devices)
    if (!spec.dims.empty() && !placed.count(device))
      return spec.emitError() << "device " << device
                              << " of the stage has no shard, expected one on each";
  llvm::erase_if(spec.dims, [](const CutDim &dim) { return dim.shards == 1; });
  return success();
}

/// Names of devices may tell their places on the axes of a mesh, as dougong export
/// writes them.
void ConfigurationReader::readAxes(StageDevices &stage) {
  std::vector<DevicePlace> places;
  for (int64_t device : stage.devices)
    places.push_back(device < static_cast<int64_t>(deviceNames.size())
                         ? parseDeviceName(deviceNames[device])
                         : DevicePlace());
  stage.axes = getGridAxes(places);
}

/// Finds the grid that all shardings of the stage are cut by.
LogicalResult ConfigurationReader::makeGrid(StageDevices &stage) {
  readAxes(stage);
  int64_t devices = stage.devices.size(), stride = 1;
  std::set<int64_t> borders{1, devices};
  for (const auto &[axis, size] : llvm::reverse(stage.axes))
    borders.insert(stride *= size);
  size_t named = borders.size();
  for (ValueSpec &spec : stage.specs) {
    if (failed(placeBlocks(stage, spec)))
      return failure();
    for (CutDim &dim : spec.dims) {
      dim.stride = std::distance(dim.block.begin(), llvm::find_if(dim.block, [&](int64_t block) {
                                   return block != dim.block.front();
                                 }));
      bool isGrid = devices % (dim.stride * dim.shards) == 0;
      for (int64_t device = 0; isGrid && device < devices; ++device)
        isGrid = dim.block[device] == device / dim.stride % dim.shards;
      if (!isGrid) {
        InFlightDiagnostic error = spec.emitError();
        error << "the devices have its blocks ";
        llvm::interleaveComma(dim.block, error);
        return error << " along axis " << dim.axis << ", expected a grid: equal runs, repeated";
      }
      borders.insert({dim.stride, dim.stride * dim.shards});
    }
    for (auto it = borders.begin(); std::next(it) != borders.end(); ++it)
      if (*std::next(it) % *it)
        return spec.emitError() << "its grid and that of other tensors of the stage have no common "
                                   "one: runs of "
                                << *it << " and of " << *std::next(it) << " devices";
  }
  stage.borders.assign(borders.begin(), borders.end());
  if (borders.size() != named) // cut between the axes that names tell: they are no axes of this
    stage.axes.clear();
  return success();
}

/// "x1+x0" or "_" for each dim of the value.
SmallVector<std::string> ConfigurationReader::getAxes(const StageDevices &stage,
                                                      const ValueSpec &spec) const {
  SmallVector<std::string> dims(cast<RankedTensorType>(spec.getValue().getType()).getRank(), "_");
  for (const CutDim &dim : spec.dims) {
    std::string &text = dims[dim.axis];
    text.clear();
    for (size_t i = stage.borders.size() - 1; i-- > 0;)
      if (stage.borders[i] >= dim.stride && stage.borders[i] < dim.stride * dim.shards)
        text += (text.empty() ? "" : "+") + stage.getAxis(i);
  }
  return dims;
}

void ConfigurationReader::write() {
  for (const auto &[number, stage] : stages) {
    StageSpec entry;
    entry.where = "device configuration '" + name + "'";
    entry.ops.assign(stage.ops.begin(), stage.ops.end());
    for (size_t i = stage.borders.size() - 1; i-- > 0;)
      entry.mesh.push_back({stage.getAxis(i), stage.borders[i + 1] / stage.borders[i]});
    if (hasStages)
      strategy.stages.push_back(entry);
    else
      strategy.mesh = entry.mesh;
    for (const ValueSpec &spec : stage.specs)
      if (!spec.dims.empty())
        writeShards(stage, spec);
  }
}

/// The inputs of a node say how it computes. Where they do, its outputs are moved to what is said
/// of them: that is how those read them of which nothing is said.
void ConfigurationReader::writeShards(const StageDevices &stage, const ValueSpec &spec) {
  ShardSpec shard;
  shard.where = "device configuration '" + name + "'";
  for (std::string &dim : getAxes(stage, spec))
    shard.dims.push_back(std::move(dim));
  auto add = [&](Operation *op) {
    shard.op = op;
    strategy.shards.push_back(shard);
  };
  auto says = [&](Operation *op, int64_t operand) {
    return llvm::any_of(stage.specs, [&](const ValueSpec &other) {
      return other.op == op && getInteger(other.fields, "operand", -1) == operand;
    });
  };
  auto result = spec.fields.getAs<IntegerAttr>("result");
  if (!result) {
    shard.operand = getInteger(spec.fields, "operand");
    return add(spec.op);
  }
  bool isMoved = llvm::any_of(llvm::seq<int64_t>(spec.op->getNumOperands()),
                              [&](int64_t operand) { return says(spec.op, operand); });
  if (!isMoved) {
    shard.result = result.getInt();
    return add(spec.op);
  }
  for (OpOperand &use : spec.getValue().getUses()) {
    Operation *reader = use.getOwner();
    bool isHere = reader->getBlock() == &main.front() &&
                  !reader->hasTrait<OpTrait::IsTerminator>() &&
                  (!hasStages || llvm::is_contained(stage.ops, reader));
    if (!isHere || says(reader, use.getOperandNumber()))
      continue;
    shard.operand = use.getOperandNumber();
    add(reader);
  }
}

LogicalResult ConfigurationReader::run() {
  if (failed(findConfiguration()))
    return failure();
  readNodes();
  for (auto &[number, stage] : stages)
    if (failed(makeGrid(stage)))
      return failure();
  write();
  return success();
}

bool dougong::dist::configurationCuts(ModuleOp module, StringRef name, StringRef axis) {
  auto list = module->getAttrOfType<ArrayAttr>(configurationsAttrName);
  for (Attribute entry : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto fields = cast<DictionaryAttr>(entry);
    auto devices = fields.getAs<ArrayAttr>("device");
    if (fields.getAs<StringAttr>("name") != name || !devices)
      continue;
    for (StringRef device : devices.getAsValueRange<StringAttr>())
      for (const auto &[own, coordinate] : parseDeviceName(device))
        if (own == axis && coordinate > 0)
          return true;
  }
  return false;
}

LogicalResult dougong::dist::readConfiguration(ModuleOp module, func::FuncOp main,
                                               Strategy &strategy) {
  return ConfigurationReader(module, main, strategy).run();
}
