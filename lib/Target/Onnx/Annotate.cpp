//===- Annotate.cpp - a partition as device configurations ----------------===//
#include "dougong/Target/Onnx/Annotate.h"

#include "Ports.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Import/Protos.h"
#include "dougong/Onnx/Values.h"

#include "llvm/Support/MemoryBuffer.h"

#include <map>
#include <set>

using namespace mlir;
using namespace dougong;
using namespace dougong::exporter;
namespace pb = ::onnx;

namespace {

constexpr int64_t firstVersion = 11; ///< of IR, with device configurations
/// Stands for all devices of a stage, or for those that hold block k: -1 - k.
constexpr int64_t firstGroup = -1;

class Annotator {
public:
  Annotator(ModuleOp planned, func::FuncOp main) : planned(planned), main(main) {}

  LogicalResult annotate(pb::ModelProto &model, AnnotatedModel &result);

private:
  LogicalResult findStages();
  void findOps();
  void declareDevices(pb::ModelProto &model);
  void annotate(pb::NodeProto &node);
  void annotateValues(Operation *op, pb::NodeProto &node,
                      pb::NodeDeviceConfigurationProto &configuration);
  void describe(Value value, dist::ShardingAttr sharding, const dist::MeshInfo &mesh,
                pb::ShardingSpecProto &spec);

  ModuleOp planned;
  func::FuncOp main;
  SmallVector<dist::MeshInfo> stages;                    ///< the mesh of each
  std::map<std::string, SmallVector<Operation *>> opsOf; ///< by the node's first output
  llvm::DenseSet<Operation *> said;                      ///< those with all of their shardings
};

/// The node's first output that has a name.
std::string getKey(const pb::NodeProto &node) {
  for (const std::string &output : node.output())
    if (!output.empty())
      return output;
  return "";
}

std::string getKey(Operation *op) {
  DictionaryAttr notes = dougong::onnx::getNotes(op->getLoc());
  if (auto outputs = notes ? notes.getAs<ArrayAttr>("outputs") : ArrayAttr())
    for (StringRef output : outputs.getAsValueRange<StringAttr>())
      if (!output.empty())
        return output.str();
  return "";
}

bool isOf(Operation *op, const pb::NodeProto &node) {
  if (auto custom = dyn_cast<dougong::onnx::CustomOp>(op))
    return custom.getOpType() == node.op_type();
  auto typed = dyn_cast<dougong::onnx::OnnxOpInterface>(op);
  return typed && typed.getSchema().name == node.op_type();
}

} // namespace

LogicalResult Annotator::findStages() {
  FailureOr<SmallVector<dist::MeshOp>> meshes = dist::getStageMeshes(planned);
  if (failed(meshes))
    return failure();
  // As dist-stage gives ranks to meshes.
  int64_t next = 0;
  for (dist::MeshOp mesh : *meshes) {
    int64_t first = mesh.getFirstRank().value_or(next);
    dist::MeshInfo &info = stages.emplace_back();
    info.firstRank = first;
    for (auto [axis, size] :
         llvm::zip_equal(mesh.getAxes().getAsValueRange<StringAttr>(), mesh.getSizes()))
      info.axes.push_back({axis.str(), size});
    next = std::max<int64_t>(next, first + mesh.getNumRanks());
  }
  return success();
}

void Annotator::findOps() {
  for (Operation &op : main.front())
    if (!dist::isSource(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      if (std::string key = getKey(&op); !key.empty())
        opsOf[key].push_back(&op);
}

void Annotator::declareDevices(pb::ModelProto &model) {
  auto &known = *model.mutable_configuration();
  for (int index = known.size(); index-- > 0;)
    if (known[index].name() == configurationName)
      known.DeleteSubrange(index, 1);
  pb::DeviceConfigurationProto &configuration = *known.Add();
  configuration.set_name(configurationName.str());
  for (auto [number, mesh] : llvm::enumerate(stages))
    for (int64_t rank = 0; rank < countRanks(mesh); ++rank) {
      std::string name;
      for (const auto &[axis, size] : mesh.axes)
        name += (name.empty() ? "" : ",") + axis + "=" +
                std::to_string(getPlace(mesh, rank, {axis}).first);
      configuration.add_device("stage" + std::to_string(number) + "/" + name);
    }
  configuration.set_num_devices(configuration.device_size());
}

void Annotator::describe(Value value, dist::ShardingAttr sharding, const dist::MeshInfo &mesh,
                         pb::ShardingSpecProto &spec) {
  int64_t ranks = countRanks(mesh);
  SmallVector<int64_t> blocks(ranks, 0); // the block that each rank holds
  int64_t count = 1;
  auto type = cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents = dist::getExtents(type);
  for (auto [dim, cut] : llvm::enumerate(sharding.getDims())) {
    std::vector<std::string> axes;
    for (StringAttr axis : cut.getAxes())
      axes.push_back(axis.str());
    int64_t shards = getPlace(mesh, 0, axes).second;
    if (shards == 1)
      continue;
    pb::ShardedDimProto &entry = *spec.add_sharded_dim();
    entry.set_axis(dim);
    pb::SimpleShardedDimProto &simple = *entry.add_simple_sharding();
    simple.set_num_shards(shards);
    if (succeeded(extents)) {
      const DimExpr &extent = (*extents)[dim];
      if (extent.constant())
        simple.set_dim_value(*extent.constant());
      else
        simple.set_dim_param(extent.kind() == DimExpr::Kind::Symbol ? extent.name()
                                                                    : extent.print());
    }
    for (int64_t rank = 0; rank < ranks; ++rank)
      blocks[rank] = blocks[rank] * shards + getPlace(mesh, rank, axes).first;
    count *= shards;
  }
  for (int64_t block = 0; block < count; ++block) {
    SmallVector<int64_t> holders;
    for (int64_t rank = 0; rank < ranks; ++rank)
      if (blocks[rank] == block)
        holders.push_back(mesh.firstRank + rank);
    if (holders.size() == 1) {
      spec.add_device(holders.front());
      continue;
    }
    pb::IntIntListEntryProto &group = *spec.add_index_to_device_group_map();
    group.set_key(firstGroup - block);
    group.mutable_value()->Add(holders.begin(), holders.end());
    spec.add_device(group.key());
  }
}

void Annotator::annotateValues(Operation *op, pb::NodeProto &node,
                               pb::NodeDeviceConfigurationProto &configuration) {
  const dist::MeshInfo &mesh = stages[dist::getStage(op)];
  std::set<std::string> done;
  auto describeAll = [&](ValueRange values, StringRef list, const auto &names) {
    auto shardings = op->getAttrOfType<ArrayAttr>(list);
    for (auto [index, value] : llvm::enumerate(values)) {
      auto sharding = shardings && index < shardings.size()
                          ? dyn_cast<dist::ShardingAttr>(shardings[index])
                          : dist::ShardingAttr();
      if (!sharding || static_cast<int>(index) >= names.size() || names[index].empty() ||
          !isa<RankedTensorType>(value.getType()))
        continue;
      // What dist-plan has put before the node is no value of the model.
      if (Operation *producer = value.getDefiningOp(); list == dist::inAttrName && producer &&
                                                       !dist::isSource(producer) &&
                                                       getKey(producer) == getKey(op))
        continue;
      if (!done.insert(names[index]).second)
        continue;
      pb::ShardingSpecProto &spec = *configuration.add_sharding_spec();
      spec.set_tensor_name(names[index]);
      describe(value, sharding, mesh, spec);
    }
  };
  describeAll(op->getOperands(), dist::inAttrName, node.input());
  describeAll(op->getResults(), dist::outAttrName, node.output());
}

void Annotator::annotate(pb::NodeProto &node) {
  auto &known = *node.mutable_device_configurations();
  for (int index = known.size(); index-- > 0;)
    if (known[index].configuration_id() == configurationName)
      known.DeleteSubrange(index, 1);
  auto found = opsOf.find(getKey(node));
  if (found == opsOf.end()) // weights and extents
    return;
  ArrayRef<Operation *> ops = found->second;
  SmallVector<Operation *> same;
  llvm::copy_if(ops, std::back_inserter(same), [&](Operation *op) { return isOf(op, node); });
  int64_t stage = dist::getStage(same.empty() ? ops.front() : same.front());
  bool isOneStage = llvm::all_of(ops, [&](Operation *op) { return dist::getStage(op) == stage; });
  if (same.size() != 1 && (!isOneStage || stages.size() == 1))
    return;
  pb::NodeDeviceConfigurationProto &configuration = *known.Add();
  configuration.set_configuration_id(configurationName.str());
  if (stages.size() > 1)
    configuration.set_pipeline_stage(stage);
  if (same.size() != 1)
    return;
  annotateValues(same.front(), node, configuration);
  said.insert(same.front());
}

LogicalResult Annotator::annotate(pb::ModelProto &model, AnnotatedModel &result) {
  if (failed(findStages()))
    return failure();
  findOps();
  declareDevices(model);
  model.set_ir_version(std::max<int64_t>(model.ir_version(), firstVersion));
  std::set<std::string> files;
  importer::forEachTensor(model, [&](pb::TensorProto &tensor, const importer::Owner &) {
    if (importer::isExternal(tensor))
      for (const pb::StringStringEntryProto &entry : tensor.external_data())
        if (entry.key() == "location")
          files.insert(entry.value());
  });
  for (pb::NodeProto &node : *model.mutable_graph()->mutable_node())
    annotate(node);
  llvm::SetVector<StringRef> unsaid;
  for (Operation &op : main.front())
    if (!dist::isSource(&op) && !op.hasTrait<OpTrait::IsTerminator>() && !said.contains(&op))
      unsaid.insert(dougong::onnx::getNodeName(op.getLoc()));
  for (StringRef node : unsaid)
    result.unsaid.push_back(node.str());
  result.files.assign(files.begin(), files.end());
  return success();
}

FailureOr<AnnotatedModel> dougong::exporter::annotateModel(ModuleOp planned, StringRef path) {
  FailureOr<func::FuncOp> main = dist::getMainFunction(planned);
  if (failed(main))
    return failure();
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return planned.emitError("cannot read '") << path << "': " << file.getError().message();
  try {
    pb::ModelProto model;
    AnnotatedModel result;
    if ((*file)->getBufferSize() > size_t(std::numeric_limits<int>::max()))
      return planned.emitError("cannot be annotated: the file has ")
             << (*file)->getBufferSize() << " bytes, Protobuf allows 2^31 - 1";
    if (!model.ParseFromArray((*file)->getBufferStart(), (*file)->getBufferSize()))
      return planned.emitError("cannot be annotated: Protobuf cannot read the file");
    if (failed(Annotator(planned, *main).annotate(model, result)))
      return failure();
    if (model.ByteSizeLong() > size_t(std::numeric_limits<int>::max()) ||
        !model.SerializeToString(&result.bytes))
      return planned.emitError("cannot be annotated: with its device configuration it has ")
             << model.ByteSizeLong() << " bytes, Protobuf allows 2^31 - 1";
    return result;
  } catch (const std::exception &error) { // of Protobuf
    return planned.emitError("cannot be annotated: ") << error.what();
  }
}
