//===- DeviceConfigurations.cpp - placement as the ONNX standard writes it -===//
#include "Error.h"
#include "Prepare.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <map>
#include <set>

using namespace dougong::importer;

namespace {

/// Checks what one node says.
class NodeChecker {
public:
  NodeChecker(const std::map<std::string, int64_t> &deviceCounts, const pb::NodeProto &node,
              int64_t index)
      : deviceCounts(deviceCounts), node(node), index(index) {}

  void run() {
    std::set<std::string> seen;
    for (const pb::NodeDeviceConfigurationProto &configuration : node.device_configurations()) {
      const std::string &id = configuration.configuration_id();
      auto found = deviceCounts.find(id);
      if (found == deviceCounts.end())
        refuse("configuration_id '" + id + "' is none of the model's device configurations");
      if (!seen.insert(id).second)
        refuse("device configuration '" + id + "' is given twice");
      if (configuration.has_pipeline_stage() && configuration.pipeline_stage() < 0)
        refuse(fmt::format("pipeline_stage is {}, expected at least 0",
                           configuration.pipeline_stage()));
      std::set<std::string> tensors;
      for (const pb::ShardingSpecProto &spec : configuration.sharding_spec()) {
        tensor = spec.tensor_name();
        if (!llvm::is_contained(node.input(), tensor) && !llvm::is_contained(node.output(), tensor))
          refuse("the sharding of tensor '" + tensor +
                 "' is given, which is no input or output of the node");
        if (!tensors.insert(tensor).second)
          refuse("the sharding of tensor '" + tensor + "' is given twice");
        check(spec, found->second);
      }
    }
  }

private:
  [[noreturn]] void refuse(const std::string &message) const {
    throw ImportError(message, node.name(), index);
  }
  [[noreturn]] void refuseTensor(const std::string &message) const {
    refuse("sharding of tensor '" + tensor + "': " + message);
  }

  void check(const pb::ShardingSpecProto &spec, int64_t devices) const {
    std::set<int64_t> groups;
    auto checkDevice = [&](int64_t device) {
      if (device < 0 || device >= devices)
        refuseTensor(
            fmt::format("device {} is out of range, the configuration has {}", device, devices));
    };
    for (const pb::IntIntListEntryProto &entry : spec.index_to_device_group_map()) {
      llvm::for_each(entry.value(), checkDevice);
      groups.insert(entry.key());
    }
    int64_t blocks = 1;
    std::set<int64_t> axes;
    for (const pb::ShardedDimProto &dim : spec.sharded_dim()) {
      if (!axes.insert(dim.axis()).second)
        refuseTensor(fmt::format("axis {} is given twice", dim.axis()));
      for (const pb::SimpleShardedDimProto &simple : dim.simple_sharding()) {
        if (simple.num_shards() < 1)
          refuseTensor(fmt::format("num_shards of axis {} is {}, expected at least 1", dim.axis(),
                                   simple.num_shards()));
        if (simple.num_shards() > devices / blocks)
          refuseTensor(
              fmt::format("it has more shards than the configuration has devices ({})", devices));
        blocks *= simple.num_shards();
      }
    }
    if (spec.device_size() != blocks)
      refuseTensor(fmt::format("it lists {} devices or groups, expected one for each of {} shards",
                               spec.device_size(), blocks));
    for (int64_t place : spec.device()) {
      if (groups.count(place))
        continue;
      if (place < 0)
        refuseTensor(fmt::format("group {} is not in index_to_device_group_map", place));
      checkDevice(place);
    }
  }

  const std::map<std::string, int64_t> &deviceCounts;
  const pb::NodeProto &node;
  int64_t index;
  std::string tensor; ///< that is being checked
};

} // namespace

void dougong::importer::checkDeviceConfigurations(pb::ModelProto &model) {
  std::map<std::string, int64_t> deviceCounts;
  for (const pb::DeviceConfigurationProto &configuration : model.configuration()) {
    const std::string &name = configuration.name();
    int64_t count = configuration.num_devices();
    if (name.empty())
      throw ImportError("a device configuration has no name");
    if (count < 1)
      throw ImportError(fmt::format("device configuration '{}' has {} devices, expected at least 1",
                                    name, count));
    if (configuration.device_size() && configuration.device_size() != count)
      throw ImportError(fmt::format("device configuration '{}' names {} devices, expected {}", name,
                                    configuration.device_size(), count));
    if (!deviceCounts.emplace(name, count).second)
      throw ImportError("device configuration '" + name + "' is given twice");
  }
  bool isUsed = !deviceCounts.empty();
  forEachNodeList(model, [&](NodeList &nodes) {
    for (int index = 0; index < nodes.size(); ++index)
      if (nodes[index].device_configurations_size()) {
        isUsed = true;
        NodeChecker(deviceCounts, nodes[index], index).run();
      }
  });
  if (isUsed && model.ir_version() < 11)
    throw ImportError(fmt::format("device configurations belong to IR version 11, the model is of "
                                  "IR version {}",
                                  model.ir_version()));
}
